//! The leases by which requests hold a slot of a worker, and the wait for one.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Coefficient;
use cocoon_market::{Ask, Asked, Grant, Need, Outcome, Refusal, Verdict};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Inner, WorkerPeer, Workers};
use crate::limits::{MAX_QUOTE_CHOICES, QUEUE_TICK};

/// A request for a worker.
pub(crate) struct Wanted<'a> {
    pub(crate) client: &'a Address,
    pub(crate) model: &'a str,
    pub(crate) query: &'a [u8],
    pub(crate) max_coefficient: Coefficient,
    /// Workers that had their chance.
    pub(crate) tried: &'a [u64],
    /// Reserved tokens.
    pub(crate) cost: u64,
    /// When waiting makes no more sense.
    pub(crate) deadline: Instant,
    /// Set when nobody waits any more.
    pub(crate) cancel: &'a CancellationToken,
}

/// Why a request got no worker.
#[derive(Debug)]
pub(crate) enum NoLease {
    Refused(Refusal),
    /// The request was cancelled while it waited.
    Cancelled,
}

impl Workers {
    /// Chooses a worker and takes one of its slots; waits for its turn when all are busy.
    pub(crate) async fn lease(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Lease, NoLease> {
        let now = self.now();
        let mut ask = Ask {
            client: wanted.client.clone(),
            model: wanted.model.to_owned(),
            max_coefficient: wanted.max_coefficient,
            tried: wanted.tried.to_vec(),
            prefixes: Vec::new(),
            cost: wanted.cost,
        };
        let is_affine = self.inner().is_affine;
        if is_affine {
            // Hashed before the lock is taken: a long prompt takes longer than the decision.
            ask.prefixes = self.prefixes(wanted.client, wanted.query);
        }
        let (place, granted) = {
            let mut inner = self.inner();
            match inner.desk.ask(ask, now, rand::random()).map_err(NoLease::Refused)? {
                Asked::Granted(grant) => {
                    let lease = self.lease_of(&inner, grant);
                    drop(inner);
                    return lease.ok_or_else(|| NoLease::Refused(none_ready(wanted.model)));
                }
                Asked::Waits { ticket } => {
                    let (sender, granted) = oneshot::channel();
                    inner.waiting.insert(ticket, sender);
                    let place = Place {
                        workers: self,
                        client: wanted.client,
                        model: wanted.model,
                        ticket,
                    };
                    (place, granted)
                }
            }
        };
        self.wait(place, granted, &wanted).await
    }

    /// Takes a slot for a quote, now or not at all: of a worker of this proxy contract that serves well and keeps few slots
    /// for quotes yet, as `may_keep` says of its number and its slots.
    pub(crate) fn hold(
        self: &Arc<Self>,
        model: &str,
        max_coefficient: Coefficient,
        contract: &Address,
        may_keep: impl Fn(u64, u32) -> bool,
    ) -> Result<Lease, Refusal> {
        let now = self.now();
        let mut inner = self.inner();
        let mut tried = Vec::new();
        while tried.len() < MAX_QUOTE_CHOICES {
            let need = Need {
                model,
                max_coefficient,
                tried: &tried,
                preferred: None,
            };
            let grant = inner.desk.pool_mut().choose(&need, now, rand::random())?;
            let view = inner.desk.pool().view(grant.worker, now);
            let is_fit = view.is_some_and(|view| !view.is_held_back && may_keep(grant.worker, view.slots));
            let is_of_contract = |peer: &Arc<WorkerPeer>| peer.instance.contract == *contract;
            if is_fit && inner.peers.get(&grant.worker).is_some_and(is_of_contract) {
                let Some(mut lease) = self.lease_of(&inner, grant) else {
                    break;
                };
                lease.is_kept = true;
                return Ok(lease);
            }
            inner.desk.pool_mut().give_back(grant.worker, now);
            tried.push(grant.worker);
        }
        Err(none_ready(model))
    }

    /// Takes a slot of a worker that is out of the choice, now or not at all.
    pub(crate) fn lease_benched(self: &Arc<Self>, worker: u64, max_coefficient: Coefficient) -> Option<Lease> {
        let now = self.now();
        let mut inner = self.inner();
        let grant = inner.desk.pool_mut().take_anyway(worker, max_coefficient, now)?;
        self.lease_of(&inner, grant)
    }

    async fn wait(
        self: &Arc<Self>,
        place: Place<'_>,
        mut granted: oneshot::Receiver<Lease>,
        wanted: &Wanted<'_>,
    ) -> Result<Lease, NoLease> {
        let max_wait = self.max_wait();
        let until = wanted.deadline.min(Instant::now() + max_wait);
        loop {
            tokio::select! {
                biased;
                lease = &mut granted => return lease.map_err(|_| NoLease::Refused(none_ready(wanted.model))),
                () = wanted.cancel.cancelled() => return Err(NoLease::Cancelled),
                () = sleep_until(until) => {
                    let refusal = self.inner().desk.waited_too_long(wanted.model, self.now());
                    drop(place);
                    // A slot that was granted in this very moment is taken.
                    return granted.try_recv().map_err(|_| NoLease::Refused(refusal));
                }
                () = sleep(QUEUE_TICK) => self.hand_out(wanted.model),
            }
        }
    }

    /// Gives free slots of a model to those that wait.
    pub(super) fn hand_out(self: &Arc<Self>, model: &str) {
        let now = self.now();
        let mut inner = self.inner();
        if inner.desk.waiting(model) == 0 {
            return;
        }
        let granted = inner.desk.hand_out(model, now, rand::random());
        let leases: Vec<_> = granted
            .into_iter()
            .map(|(ticket, grant)| (inner.waiting.remove(&ticket), self.lease_of(&inner, grant)))
            .collect();
        drop(inner);
        for (waiting, lease) in leases {
            // Not under the lock: the lease of one that has gone ends here and frees its slot.
            if let (Some(waiting), Some(lease)) = (waiting, lease) {
                let _ = waiting.send(lease);
            }
        }
    }

    fn lease_of(self: &Arc<Self>, inner: &Inner, grant: Grant) -> Option<Lease> {
        Some(Lease {
            worker: Arc::clone(inner.peers.get(&grant.worker)?),
            coefficient: grant.coefficient,
            verdict: Verdict::Withdrawn,
            first_token: None,
            is_kept: false,
            started: Instant::now(),
            workers: Arc::clone(self),
        })
    }

    fn max_wait(&self) -> Duration {
        self.inner().desk.settings().max_wait
    }
}

fn none_ready(model: &str) -> Refusal {
    Refusal::NoneReady {
        model: model.to_owned(),
    }
}

/// A place in the queue, given up when dropped.
struct Place<'a> {
    workers: &'a Workers,
    client: &'a Address,
    model: &'a str,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.workers.inner();
        inner.desk.leave(self.model, self.client, self.ticket);
        inner.waiting.remove(&self.ticket);
    }
}

/// A slot of a worker, given back when dropped.
pub(crate) struct Lease {
    pub(crate) worker: Arc<WorkerPeer>,
    /// The worker's price when it was chosen; it holds for this request.
    pub(crate) coefficient: Coefficient,
    verdict: Verdict,
    first_token: Option<f64>,
    /// No request has used it yet: it is kept for a quote.
    is_kept: bool,
    started: Instant,
    workers: Arc<Workers>,
}

impl Lease {
    /// A request uses the slot that was kept for it: only from now on does it say something about the worker.
    pub(crate) fn begin(&mut self) {
        self.is_kept = false;
        self.started = Instant::now();
    }

    /// What the request says about its worker, and how many seconds its first token took.
    pub(crate) fn judge(&mut self, verdict: Verdict, first_token: Option<f64>) {
        self.verdict = verdict;
        self.first_token = first_token;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let outcome = Outcome {
            verdict: self.verdict,
            seconds: self.started.elapsed().as_secs_f64(),
            first_token_seconds: self.first_token,
        };
        let now = self.workers.now();
        if self.is_kept {
            self.workers.inner().desk.pool_mut().give_back(self.worker.id, now);
        } else {
            self.workers.inner().desk.release(self.worker.id, &outcome, now);
        }
        self.workers.hand_out(self.worker.model.base());
    }
}
