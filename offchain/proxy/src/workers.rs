//! The workers that are connected, and the leases by which requests hold a slot of one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Coefficient;
use cocoon_manifest::ModelName;
use cocoon_market::{Average, Breaker, Candidate, Refusal};
use cocoon_protocol::Version;
use cocoon_protocol::answer::Answer;
use cocoon_protocol::extension::{TokenCounts, WorkReport};
use cocoon_runner::link::LinkHandle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::instance::Instance;
use crate::limits::REQUEST_QUEUE;
use crate::signer::SignJob;

/// What a worker sends about one request.
#[derive(Debug)]
pub(crate) enum FromWorker {
    Answer(Answer),
    Progress(TokenCounts),
    Report(Box<WorkReport>),
}

/// One connected worker.
pub(crate) struct WorkerPeer {
    pub(crate) id: u64,
    /// The proxy contract that pays it.
    pub(crate) instance: Arc<Instance>,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    pub(crate) model: ModelName,
    pub(crate) slots: u32,
    pub(crate) version: Version,
    /// SHA-256 of its certificate.
    pub(crate) evidence: HashBytes,
    pub(crate) image: Option<String>,
    pub(crate) link: LinkHandle,
    pub(crate) sign_queue: mpsc::Sender<SignJob>,
    /// Held while totals are read and sent: the worker must never see them go down.
    pub(crate) telling: tokio::sync::Mutex<()>,
    is_gone: AtomicBool,
    state: Mutex<WorkerState>,
    requests: Mutex<HashMap<[u8; 32], mpsc::Sender<FromWorker>>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerState {
    pub(crate) coefficient: Coefficient,
    pub(crate) is_enabled: bool,
    pub(crate) running: u32,
    pub(crate) average: Average,
    pub(crate) breaker: Breaker,
    pub(crate) finished: u64,
    pub(crate) succeeded: u64,
}

/// What makes a [`WorkerPeer`].
pub(crate) struct NewWorker {
    pub(crate) instance: Arc<Instance>,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    pub(crate) model: ModelName,
    pub(crate) coefficient: Coefficient,
    pub(crate) slots: u32,
    pub(crate) is_enabled: bool,
    pub(crate) version: Version,
    pub(crate) evidence: HashBytes,
    pub(crate) image: Option<String>,
    pub(crate) link: LinkHandle,
    pub(crate) sign_queue: mpsc::Sender<SignJob>,
}

impl WorkerPeer {
    pub(crate) fn state(&self) -> MutexGuard<'_, WorkerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a request's queue; messages for it arrive there until it is closed or the worker is lost.
    pub(crate) fn open_request(&self, id: [u8; 32]) -> mpsc::Receiver<FromWorker> {
        let (sender, receiver) = mpsc::channel(REQUEST_QUEUE);
        self.requests().insert(id, sender);
        if self.is_gone() {
            // The connection ended before the request was entered: nobody would close it any more.
            self.requests().remove(&id);
        }
        receiver
    }

    /// Whether its connection is over.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire) || self.link.is_closed()
    }

    pub(crate) fn close_request(&self, id: &[u8; 32]) {
        self.requests().remove(id);
    }

    /// Hands a message to its request. A request that does not keep up is cut off; one that is over ignores it.
    pub(crate) fn deliver(&self, id: &[u8; 32], message: FromWorker) {
        let mut requests = self.requests();
        if let Some(queue) = requests.get(id)
            && queue.try_send(message).is_err()
        {
            requests.remove(id);
        }
    }

    /// The connection is over: every request learns of it.
    fn lost(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.requests().clear();
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<[u8; 32], mpsc::Sender<FromWorker>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All connected workers.
#[derive(Default)]
pub(crate) struct Workers {
    peers: Mutex<BTreeMap<u64, Arc<WorkerPeer>>>,
    /// Models that were served since the start: with no worker left they are busy, not unknown. The root contract lists
    /// each, so they are few.
    models: Mutex<BTreeSet<String>>,
    next_id: AtomicU64,
}

impl Workers {
    /// Adds a worker that has finished its handshake.
    pub(crate) fn add(&self, new: NewWorker) -> Arc<WorkerPeer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let state = WorkerState {
            coefficient: new.coefficient,
            is_enabled: new.is_enabled,
            running: 0,
            average: Average::default(),
            breaker: Breaker::default(),
            finished: 0,
            succeeded: 0,
        };
        let peer = Arc::new(WorkerPeer {
            id,
            instance: new.instance,
            owner: new.owner,
            contract: new.contract,
            model: new.model,
            slots: new.slots,
            version: new.version,
            evidence: new.evidence,
            image: new.image,
            link: new.link,
            sign_queue: new.sign_queue,
            telling: tokio::sync::Mutex::default(),
            is_gone: AtomicBool::new(false),
            state: Mutex::new(state),
            requests: Mutex::default(),
        });
        self.models().insert(peer.model.base().to_owned());
        self.peers().insert(id, Arc::clone(&peer));
        peer
    }

    pub(crate) fn remove(&self, id: u64) {
        if let Some(peer) = self.peers().remove(&id) {
            peer.lost();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<WorkerPeer>> {
        self.peers().values().cloned().collect()
    }

    /// Chooses a worker and takes one of its slots.
    pub(crate) fn lease(
        &self,
        model: &str,
        max_coefficient: Coefficient,
        tried: &[u64],
        now: f64,
    ) -> Result<Lease, Refusal> {
        let peers = self.peers();
        let of_model: Vec<_> = peers.values().filter(|peer| peer.model.base() == model).collect();
        if of_model.is_empty() && self.models().contains(model) {
            return Err(Refusal::NoneReady {
                model: model.to_owned(),
            });
        }
        let candidates: Vec<Candidate> = of_model
            .iter()
            .map(|peer| {
                let state = peer.state();
                Candidate {
                    connection: peer.id,
                    coefficient: state.coefficient,
                    running: state.running,
                    slots: peer.slots,
                    is_enabled: state.is_enabled && !peer.is_gone() && !peer.instance.is_retired(),
                    is_admitted: state.breaker.admits(now),
                    average_seconds: state.average.mean(now),
                }
            })
            .collect();
        let chosen = cocoon_market::choose(model, &candidates, max_coefficient, tried, rand::random())?;
        let none = || Refusal::UnknownModel {
            model: model.to_owned(),
        };
        let worker = Arc::clone(peers.get(&chosen).ok_or_else(none)?);
        let coefficient = {
            let mut state = worker.state();
            state.running += 1;
            state.breaker.started();
            state.coefficient
        };
        Ok(Lease {
            worker,
            coefficient,
            verdict: Verdict::Withdrawn,
            started: Instant::now(),
            leased_at: now,
        })
    }

    fn models(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<WorkerPeer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request says about its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It served.
    Served,
    /// It failed.
    Failed,
    /// Nothing: the client went away, or the request was bad.
    Withdrawn,
}

/// A slot of a worker, given back when dropped.
pub(crate) struct Lease {
    pub(crate) worker: Arc<WorkerPeer>,
    /// The worker's price when it was chosen; it holds for this request.
    pub(crate) coefficient: Coefficient,
    verdict: Verdict,
    started: Instant,
    leased_at: f64,
}

impl Lease {
    pub(crate) fn judge(&mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let now = self.leased_at + seconds;
        let mut state = self.worker.state();
        state.running = state.running.saturating_sub(1);
        state.average.add(seconds, now);
        state.finished += 1;
        match self.verdict {
            Verdict::Served => {
                state.succeeded += 1;
                state.breaker.succeeded();
            }
            Verdict::Failed => state.breaker.failed(now),
            Verdict::Withdrawn => state.breaker.withdrawn(now),
        }
    }
}
