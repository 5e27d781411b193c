//! One serving connection: takes work and cancellations, signs, keeps the payments, tells changes of state.

use crate::answering::{Answering, End, Terms};
use crate::error::WorkerError;
use crate::limits::{PAPER_QUEUE, PAYMENT_STATUS_PAUSE};
use crate::papers::{self, Paper};
use crate::request::{self, Job, Work};
use crate::signing::SignDesk;
use crate::worker::Worker;
use cocoon_bindings::Multipliers;
use cocoon_bindings::units::{Coefficient, Nanoton};
use cocoon_protocol::codec::decode;
use cocoon_protocol::context::TellContext;
use cocoon_protocol::error_code::ErrorCode;
use cocoon_protocol::extension::SignReceipt;
use cocoon_protocol::limits::{CONTEXTS_TIMEOUT, PAYMENT_STATUS_TIMEOUT};
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::WorkerRequestPayment;
use cocoon_protocol::version::Version;
use cocoon_protocol::worker::{EnabledDisabled, NewCoefficient, PaymentStatus, UpdatePaymentStatus};
use cocoon_receipt::FinishReason;
use cocoon_runner::link::{CloseReason, LinkError, LinkEvent, LinkHandle};
use cocoon_runner::wear::Wear;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A connection after its handshake.
pub(crate) struct Session {
    pub(crate) worker: Arc<Worker>,
    pub(crate) link: LinkHandle,
    pub(crate) version: Version,
    pub(crate) multipliers: Multipliers,
    /// Of one adjusted token.
    pub(crate) price: Nanoton,
    pub(crate) desk: Arc<Mutex<SignDesk>>,
    /// What the handshake told the proxy.
    pub(crate) told: Told,
    /// Its certificates, if anything names them.
    pub(crate) wear: Option<Wear>,
}

/// What a proxy was told of this worker last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// That it takes no work.
    pub(crate) is_disabled: bool,
    /// Its price.
    pub(crate) coefficient: Coefficient,
}

/// Requests that run, and how to stop each.
type Running = Arc<Mutex<HashMap<[u8; 32], CancellationToken>>>;

impl Session {
    /// Serves until the link ends. Ends the link itself when the proxy breaks the rules.
    pub(crate) async fn serve(self, mut events: mpsc::Receiver<LinkEvent>) -> Result<CloseReason, WorkerError> {
        let running = Running::default();
        let _connection = self.worker.count_connection();
        let (papers, taken) = mpsc::channel(PAPER_QUEUE);
        let (statuses, mut status) = mpsc::channel(1);
        let mut keeping = tokio::spawn(papers::run(self.desk.clone(), self.link.clone(), taken));
        let side = self.side_tasks(statuses);
        let retired = self.retired(running.clone());
        tokio::pin!(side, retired);
        // Dropped with the session: what a lost connection asked for is not worked on.
        let mut jobs = JoinSet::new();
        let mut newest = None;
        let result = loop {
            // An answer is newer than every message that has arrived: its numbers come after theirs.
            if events.is_empty()
                && let Some(status) = newest.take()
                && papers.send(status).await.is_err()
            {
                break Ok(CloseReason::Local);
            }
            tokio::select! {
                event = events.recv() => match event {
                    Some(LinkEvent::Packet(data)) => {
                        if let Err(error) = self.packet(&data, &running, &mut jobs, &papers).await {
                            break Err(error);
                        }
                    }
                    Some(LinkEvent::Query { id, data }) => self.query(id, &data, &papers).await,
                    Some(LinkEvent::Closed(reason)) => break Ok(reason),
                    None => break Ok(CloseReason::Local),
                },
                error = &mut side => break Err(error),
                retired = &mut retired => {
                    self.link.close().await;
                    break retired.map(|()| CloseReason::Local);
                }
                Some(status) = status.recv() => newest = Some(status),
                // Only the proxy's faults end it before its queue does.
                _ = papers.closed() => break Ok(CloseReason::Local),
                Some(_) = jobs.join_next(), if !jobs.is_empty() => {}
            }
        };
        // What the proxy said about money before the end is kept.
        drop(papers);
        let kept = (&mut keeping)
            .await
            .map_err(|_| WorkerError::Task)
            .and_then(|kept| kept);
        let result = kept.and(result);
        if result.is_err() {
            self.link.close().await;
        }
        result
    }

    async fn packet(
        &self,
        data: &[u8],
        running: &Running,
        jobs: &mut JoinSet<()>,
        papers: &mpsc::Sender<Paper>,
    ) -> Result<(), WorkerError> {
        match ProxyToWorker::decode(data)? {
            ProxyToWorker::RunFor(query) => self.run(query.into(), running, jobs),
            ProxyToWorker::RunQueryEx(query) => self.run(query.into(), running, jobs),
            ProxyToWorker::RunQuery(query) => self.run(query.into(), running, jobs),
            ProxyToWorker::Cancel(cancel) => {
                if let Some(token) = lock(running).get(&cancel.request_id) {
                    token.cancel();
                }
            }
            ProxyToWorker::RequestPayment(payment) => {
                let WorkerRequestPayment {
                    signed_payment,
                    db_tokens,
                    max_tokens,
                    ..
                } = payment;
                let payment = Paper::Payment {
                    payment: signed_payment,
                    db_tokens,
                    max_tokens,
                };
                keep(papers, payment).await;
            }
            ProxyToWorker::SignedPayment(payment) => keep(papers, Paper::Voucher(payment)).await,
            ProxyToWorker::Countersigned(message) => keep(papers, Paper::Countersigned(message)).await,
            _ => {}
        }
        Ok(())
    }

    fn run(&self, query: Work, running: &Running, jobs: &mut JoinSet<()>) {
        let request_id = query.request_id;
        let terms = Terms {
            request_id,
            coefficient: Coefficient::new(u32::try_from(query.coefficient).unwrap_or(0)),
            multipliers: self.multipliers,
            price: self.price,
            version: self.version,
        };
        let salts = [rand::random(), rand::random()];
        let answering = Answering::new(
            self.link.clone(),
            self.worker.clock.clone(),
            terms,
            &query.request,
            salts,
        );
        let stop = CancellationToken::new();
        match lock(running).entry(request_id) {
            // A second request with the id of one that runs: the first one goes on.
            Entry::Occupied(_) => return,
            Entry::Vacant(place) => place.insert(stop.clone()),
        };
        let (worker, desk, running) = (self.worker.clone(), self.desk.clone(), running.clone());
        jobs.spawn(async move {
            let remember = |done: &_| lock(&desk).remember(Clone::clone(done));
            match worker.take_slot() {
                Some(slot) => {
                    request::run(
                        &worker,
                        Job {
                            work: query,
                            answering,
                            stop,
                        },
                        remember,
                    )
                    .await;
                    drop(slot);
                }
                None => {
                    let end = End::Error(ErrorCode::Error, "too many active queries".to_owned());
                    // A link that is gone is noticed by the session.
                    let _ = answering.finish(end, FinishReason::Failed, |_| {}).await;
                }
            }
            lock(&running).remove(&request_id);
        });
    }

    async fn query(&self, id: i64, data: &[u8], papers: &mpsc::Sender<Paper>) {
        let (code, message) = match ProxyQuery::decode(data) {
            Ok(ProxyQuery::SignReceipt(SignReceipt { statement })) => {
                return keep(
                    papers,
                    Paper::Statement {
                        question: id,
                        statement,
                    },
                )
                .await;
            }
            Ok(_) => (ErrorCode::ProtocolViolation, "unknown question".to_owned()),
            Err(error) => (ErrorCode::Parse, error.to_string()),
        };
        // A link that is gone is noticed by the session.
        let _ = self.link.answer_error(id, code.to_wire(), message).await;
    }

    /// Waits until a certificate of the connection is worn and nothing runs: it is made anew then. When that takes too long, the
    /// proxy is told to send nothing more over it.
    async fn retired(&self, running: Running) -> Result<(), WorkerError> {
        let Some(wear) = &self.wear else {
            return std::future::pending().await;
        };
        let worn_out = || wear.worn_out(|| lock(&running).is_empty());
        tokio::select! {
            biased;
            () = worn_out() => {}
            () = wear.old() => {
                let no_more = WorkerPacket::from(EnabledDisabled { disabled: 1 });
                self.link.send_packet(no_more.encode()).await?;
                worn_out().await;
            }
        }
        tracing::info!("the certificates of the connection to the proxy are worn: it is made anew");
        Ok(())
    }

    /// What runs beside the events; ends only with an error.
    async fn side_tasks(&self, statuses: mpsc::Sender<Paper>) -> WorkerError {
        tokio::select! {
            error = self.tell_state() => error,
            error = self.ask_for_vouchers(statuses) => error,
            error = self.tell_context() => error,
        }
    }

    /// Tells the proxy when this worker stops or begins to take work, and when its price changes.
    async fn tell_state(&self) -> WorkerError {
        let mut switch = self.worker.switch.watch();
        let mut coefficient = self.worker.coefficient().subscribe();
        let mut told = self.told;
        loop {
            let now = Told {
                is_disabled: switch.borrow_and_update().is_disabled(),
                coefficient: *coefficient.borrow_and_update(),
            };
            let disabled = WorkerPacket::from(EnabledDisabled {
                disabled: i32::from(now.is_disabled),
            });
            let price = WorkerPacket::from(NewCoefficient {
                new_coefficient: i32::try_from(now.coefficient.get()).unwrap_or(i32::MAX),
            });
            let news = [
                (now.coefficient != told.coefficient).then_some(price),
                (now.is_disabled != told.is_disabled).then_some(disabled),
            ];
            for packet in news.into_iter().flatten() {
                if let Err(error) = self.link.send_packet(packet.encode()).await {
                    return error.into();
                }
            }
            told = now;
            let changed = tokio::select! {
                changed = switch.changed() => changed,
                changed = coefficient.changed() => changed,
            };
            if changed.is_err() {
                return WorkerError::Task;
            }
        }
    }

    /// Tells the proxy what the model takes. One of an earlier build does not know the question, and serves without it.
    async fn tell_context(&self) -> WorkerError {
        let told = self.worker.context.filter(|_| self.version.has_extensions());
        while let Some(length) = told {
            let question = WorkerQuery::from(TellContext { length }).encode();
            match self.link.query(question, CONTEXTS_TIMEOUT).await {
                Ok(_) => break,
                Err(LinkError::Timeout) => tokio::time::sleep(CONTEXTS_TIMEOUT).await,
                Err(error @ LinkError::Refused { .. }) => {
                    tracing::debug!(%error, "the proxy does not take the length of the context");
                    break;
                }
                Err(error) => return error.into(),
            }
        }
        std::future::pending().await
    }

    async fn ask_for_vouchers(&self, statuses: mpsc::Sender<Paper>) -> WorkerError {
        loop {
            let (least, most) = PAYMENT_STATUS_PAUSE;
            tokio::time::sleep(least + (most - least).mul_f64(rand::random())).await;
            let asked = async {
                let question = WorkerQuery::from(UpdatePaymentStatus).encode();
                let answer = self.link.query(question, PAYMENT_STATUS_TIMEOUT).await?;
                let PaymentStatus {
                    signed_payment,
                    db_tokens,
                    max_tokens,
                } = decode(&answer)?;
                let status = Paper::Payment {
                    payment: signed_payment,
                    db_tokens,
                    max_tokens,
                };
                // The session that takes it waits for this task.
                statuses.send(status).await.map_err(|_| WorkerError::Task)
            };
            if let Err(error) = asked.await {
                return error;
            }
        }
    }
}

/// Puts a message about money into its queue. When the queue has ended, the session ends too.
async fn keep(papers: &mpsc::Sender<Paper>, paper: Paper) {
    let _ = papers.send(paper).await;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
