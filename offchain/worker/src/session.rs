//! One serving connection: takes work and cancellations, signs, keeps the payments, tells changes of state.

use crate::answering::{Answering, End, Terms};
use crate::balance::Balance;
use crate::error::WorkerError;
use crate::limits::PAYMENT_STATUS_PAUSE;
use crate::request::{self, Job, Work};
use crate::signing::SignDesk;
use crate::worker::Worker;
use bytes::Bytes;
use cocoon_bindings::Multipliers;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Coefficient, Nanoton};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::error_code::ErrorCode;
use cocoon_protocol::extension::ReceiptSignature;
use cocoon_protocol::limits::PAYMENT_STATUS_TIMEOUT;
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::WorkerRequestPayment;
use cocoon_protocol::version::Version;
use cocoon_protocol::worker::{EnabledDisabled, NewCoefficient, PaymentStatus, UpdatePaymentStatus};
use cocoon_receipt::FinishReason;
use cocoon_runner::link::{CloseReason, LinkEvent, LinkHandle};
use cocoon_runner::off_thread;
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
    pub(crate) balance: Balance,
    pub(crate) desk: Arc<Mutex<SignDesk>>,
    /// Whether the handshake told the proxy that this worker takes no work.
    pub(crate) told_disabled: bool,
}

/// Requests that run, and how to stop each.
type Running = Arc<Mutex<HashMap<[u8; 32], CancellationToken>>>;

impl Session {
    /// Serves until the link ends. Ends the link itself when the proxy breaks the rules.
    pub(crate) async fn serve(self, mut events: mpsc::Receiver<LinkEvent>) -> Result<CloseReason, WorkerError> {
        let running = Running::default();
        let _connection = self.worker.count_connection();
        let side = self.side_tasks();
        tokio::pin!(side);
        // Dropped with the session: what a lost connection asked for is not worked on.
        let mut jobs = JoinSet::new();
        let result = loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(LinkEvent::Packet(data)) => {
                        if let Err(error) = self.packet(&data, &running, &mut jobs).await {
                            break Err(error);
                        }
                    }
                    Some(LinkEvent::Query { id, data }) => self.query(id, data, &mut jobs),
                    Some(LinkEvent::Closed(reason)) => break Ok(reason),
                    None => break Ok(CloseReason::Local),
                },
                error = &mut side => break Err(error),
                Some(_) = jobs.join_next(), if !jobs.is_empty() => {}
            }
        };
        if result.is_err() {
            self.link.close().await;
        }
        result
    }

    async fn packet(&self, data: &[u8], running: &Running, jobs: &mut JoinSet<()>) -> Result<(), WorkerError> {
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
                self.on_disk(move |balance| balance.update(&signed_payment, db_tokens, max_tokens))
                    .await?;
            }
            ProxyToWorker::SignedPayment(payment) => {
                self.on_disk(move |balance| balance.take_voucher(&payment)).await?;
            }
            ProxyToWorker::Countersigned(message) => {
                let hash = HashBytes(message.statement_hash);
                self.on_disk(move |balance| balance.countersigned(hash, &message.signature))
                    .await?;
                lock(&self.desk).countersigned();
            }
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

    fn query(&self, id: i64, data: Bytes, jobs: &mut JoinSet<()>) {
        let (link, desk) = (self.link.clone(), self.desk.clone());
        jobs.spawn(async move {
            let answer = match ProxyQuery::decode(&data) {
                Ok(ProxyQuery::SignReceipt(question)) => {
                    let sign = move || lock(&desk).sign(&question.statement);
                    match off_thread(sign).await {
                        Ok(Ok(signature)) => Ok(encode(&ReceiptSignature {
                            signature: signature.0.to_vec().into(),
                        })),
                        Ok(Err(refusal)) => {
                            tracing::warn!(%refusal, "a statement was not signed");
                            Err((ErrorCode::Error, refusal.to_string()))
                        }
                        Err(_) => Err((ErrorCode::Failure, "the statement could not be checked".to_owned())),
                    }
                }
                Ok(_) => Err((ErrorCode::ProtocolViolation, "unknown question".to_owned())),
                Err(error) => Err((ErrorCode::Parse, error.to_string())),
            };
            // A link that is gone is noticed by the session.
            let _ = match answer {
                Ok(data) => link.answer(id, data).await,
                Err((code, message)) => link.answer_error(id, code.to_wire(), message).await,
            };
        });
    }

    /// What runs beside the events; ends only with an error.
    async fn side_tasks(&self) -> WorkerError {
        tokio::select! {
            error = self.tell_state() => error,
            error = self.ask_for_vouchers() => error,
        }
    }

    /// Tells the proxy when this worker stops or begins to take work, and when its price changes.
    async fn tell_state(&self) -> WorkerError {
        let mut switch = self.worker.switch.watch();
        let mut coefficient = self.worker.coefficient().subscribe();
        let mut told = self.told_disabled;
        loop {
            let disabled = switch.borrow_and_update().is_disabled();
            if disabled != told {
                told = disabled;
                let packet = WorkerPacket::from(EnabledDisabled {
                    disabled: i32::from(disabled),
                });
                if let Err(error) = self.link.send_packet(packet.encode()).await {
                    return error.into();
                }
            }
            tokio::select! {
                changed = switch.changed() => if changed.is_err() { return WorkerError::Task },
                changed = coefficient.changed() => {
                    if changed.is_err() {
                        return WorkerError::Task;
                    }
                    let new_coefficient = i32::try_from(coefficient.borrow_and_update().get()).unwrap_or(i32::MAX);
                    let packet = WorkerPacket::from(NewCoefficient { new_coefficient });
                    if let Err(error) = self.link.send_packet(packet.encode()).await {
                        return error.into();
                    }
                }
            }
        }
    }

    async fn ask_for_vouchers(&self) -> WorkerError {
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
                self.on_disk(move |balance| balance.update(&signed_payment, db_tokens, max_tokens))
                    .await
            };
            if let Err(error) = asked.await {
                return error;
            }
        }
    }

    async fn on_disk(
        &self,
        work: impl FnOnce(&Balance) -> Result<(), WorkerError> + Send + 'static,
    ) -> Result<(), WorkerError> {
        let balance = self.balance.clone();
        off_thread(move || work(&balance))
            .await
            .map_err(|_| WorkerError::Task)?
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
