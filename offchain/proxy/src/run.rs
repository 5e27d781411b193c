//! Third phase: one attempt at one worker. Parts go on to the client as they come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::extension::{self, Cancel, TokenCounts, WorkReport};
use cocoon_protocol::message::ProxyToWorker;
use cocoon_protocol::proxy::{RunQuery, RunQueryEx};
use cocoon_ratls::SharedClock;
use cocoon_receipt::{SaltedHasher, blind_client};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::client::ClientPeer;
use crate::limits::{CANCEL_GRACE, WORKER_TIME_SHARE};
use crate::outage;
use crate::request::{Failure, Request};
use crate::state::Proxy;
use crate::workers::{FromWorker, Lease};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With the worker's last message.
    Finished,
    /// With the worker's error.
    Failed(Failure),
    /// The worker's connection was lost.
    WorkerLost,
    /// The client cancelled or went away.
    Cancelled,
    /// The client does not take its answer.
    ClientTooSlow,
    /// The request's time is over.
    TimedOut,
}

/// What an attempt brought.
pub(crate) struct Work {
    pub(crate) request_id: [u8; 32],
    pub(crate) ended: Ended,
    /// Whether the client was sent anything of the answer.
    pub(crate) is_begun: bool,
    /// The worker's last message, not sent on yet.
    pub(crate) last: Option<Answer>,
    pub(crate) final_info: Option<FinalInfo>,
    pub(crate) progress: Option<TokenCounts>,
    pub(crate) report: Option<WorkReport>,
    /// Own salted hash of the body bytes, for when the worker does not report one.
    pub(crate) response: SaltedHasher,
    pub(crate) response_salt: [u8; 32],
    pub(crate) clock: SharedClock,
    pub(crate) started_ms: u64,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) finished_ms: u64,
    head: Option<Bytes>,
}

impl Work {
    fn new(clock: SharedClock) -> Self {
        let response_salt = rand::random();
        Self {
            request_id: rand::random(),
            ended: Ended::WorkerLost,
            is_begun: false,
            last: None,
            final_info: None,
            progress: None,
            report: None,
            response: SaltedHasher::new(&response_salt),
            response_salt,
            started_ms: clock.now_ms(),
            clock,
            first_token_ms: None,
            finished_ms: 0,
            head: None,
        }
    }

    /// The failure of an attempt of which the client has seen nothing.
    pub(crate) fn failure_before_first_byte(&self) -> Option<Failure> {
        if self.is_begun { None } else { self.failure() }
    }

    /// What the client is told when the answer is not whole.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.ended {
            Ended::Finished => None,
            Ended::Failed(failure) => Some(failure.clone()),
            Ended::WorkerLost => Some(Failure::new(ErrorCode::WorkerLost, "the worker was lost")),
            Ended::Cancelled => Some(Failure::new(ErrorCode::Cancelled, "the request was cancelled")),
            Ended::ClientTooSlow => Some(Failure::new(
                ErrorCode::Cancelled,
                "the client does not take its answer",
            )),
            Ended::TimedOut => Some(Failure::new(ErrorCode::Timeout, "the request timed out")),
        }
    }
}

/// Runs one attempt to its end. The worker is always told when it need not go on.
pub(crate) async fn run(proxy: &Proxy, client: &ClientPeer, request: &Request, lease: &Lease) -> Work {
    let mut work = Work::new(Arc::clone(&proxy.clock));
    let worker = &lease.worker;
    let mut queue = worker.open_request(work.request_id);
    let deadline = request.received + request.timeout;
    work.ended = match dispatch(proxy, client, request, lease, &work).await {
        Err(ended) => ended,
        Ok(()) => {
            let is_lost = || worker.is_gone();
            follow(proxy, client, request, &mut work, &mut queue, deadline, is_lost).await
        }
    };
    if matches!(work.ended, Ended::Cancelled | Ended::ClientTooSlow | Ended::TimedOut) {
        wind_up(client, request, lease, &mut work, &mut queue, deadline).await;
    }
    worker.close_request(&work.request_id);
    work.finished_ms = proxy.unix_ms().max(work.started_ms);
    work
}

async fn dispatch(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    lease: &Lease,
    work: &Work,
) -> Result<(), Ended> {
    let worker = &lease.worker;
    let left = request.timeout.saturating_sub(request.received.elapsed());
    let timeout = left.as_secs_f64() * WORKER_TIME_SHARE;
    let signed_payment = proxy.vouchers.for_worker(&worker.contract).payment;
    let coefficient = i64::from(lease.coefficient.get());
    let (query, request_id) = (request.query.clone(), work.request_id);
    let message: ProxyToWorker = if worker.version.has_extensions() {
        let payer = blind_client(&proxy.blinding, &worker.contract, &client.contract).0;
        extension::RunQuery {
            query,
            coefficient,
            timeout,
            request_id,
            payer,
        }
        .into()
    } else if worker.version.has_ex_answers() {
        let enable_debug = Some(request.is_debug);
        RunQueryEx {
            query,
            signed_payment,
            coefficient,
            timeout,
            request_id,
            flags: (),
            enable_debug,
        }
        .into()
    } else {
        RunQuery {
            query,
            signed_payment,
            coefficient,
            timeout,
            request_id,
        }
        .into()
    };
    tokio::select! {
        sent = worker.link.send_packet(message.encode()) => sent.map_err(|_| Ended::WorkerLost),
        () = request.cancel.cancelled() => Err(Ended::Cancelled),
    }
}

/// Takes the worker's messages until the last one, or until something ends the attempt.
async fn follow(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    work: &mut Work,
    queue: &mut mpsc::Receiver<FromWorker>,
    deadline: Instant,
    is_lost: impl Fn() -> bool,
) -> Ended {
    loop {
        let message = tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Ended::Cancelled,
            message = timeout_at(deadline, queue.recv()) => message,
        };
        let Ok(message) = message else { return Ended::TimedOut };
        let answer = match message {
            // The worker's connection is over, or this request was cut off because its client is too slow.
            None if client.link.is_closed() => return Ended::Cancelled,
            None if is_lost() => return Ended::WorkerLost,
            None => return Ended::ClientTooSlow,
            Some(FromWorker::Progress(counts)) => {
                work.progress = Some(counts);
                continue;
            }
            Some(FromWorker::Report(report)) => {
                work.report = Some(*report);
                continue;
            }
            Some(FromWorker::Answer(answer)) => answer,
        };
        if answer.is_last() {
            return last(work, answer);
        }
        let sent = forward(proxy, client, request, work, answer.body);
        match tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Ended::Cancelled,
            sent = timeout_at(deadline, sent) => sent,
        } {
            Err(_) => return Ended::ClientTooSlow,
            Ok(false) => return Ended::Cancelled,
            Ok(true) => {}
        }
    }
}

/// Sends a head or a part on; false when the client is gone. The head waits for the first part: until then the request
/// may still go to another worker.
async fn forward(proxy: &Proxy, client: &ClientPeer, request: &Request, work: &mut Work, body: AnswerBody) -> bool {
    let part = match body {
        AnswerBody::Head(head) => {
            work.head.get_or_insert_with(|| outage::with_age(proxy, client, head));
            return true;
        }
        AnswerBody::Part(part) => part,
        AnswerBody::Error { .. } => return true,
    };
    note_part(work, &part);
    if !send_head(client, request, work).await {
        return false;
    }
    proxy.stats.sent(part.len());
    client
        .send(&Answer {
            request_id: request.id,
            body: AnswerBody::Part(part),
            final_info: None,
        })
        .await
}

fn note_part(work: &mut Work, part: &Bytes) {
    work.response.update(part);
    if !part.is_empty() {
        let now = work.clock.now_ms();
        work.first_token_ms.get_or_insert(now);
    }
}

/// Sends the head if it was not sent yet.
pub(crate) async fn send_head(client: &ClientPeer, request: &Request, work: &mut Work) -> bool {
    let Some(head) = work.head.take() else { return true };
    work.is_begun = true;
    client
        .send(&Answer {
            request_id: request.id,
            body: AnswerBody::Head(head),
            final_info: None,
        })
        .await
}

/// Takes the worker's last message.
fn last(work: &mut Work, answer: Answer) -> Ended {
    work.final_info = answer.final_info.clone();
    match &answer.body {
        AnswerBody::Error { code, message, .. } => {
            let code = ErrorCode::from_wire(*code).refine(message);
            return Ended::Failed(Failure::new(code, message.clone()));
        }
        AnswerBody::Part(part) => note_part(work, &part.clone()),
        AnswerBody::Head(_) => {}
    }
    work.last = Some(answer);
    Ended::Finished
}

/// The client's interest has ended before the answer has. A worker that knows cancel is told, and has a moment to account
/// for what it delivered; one that does not is followed to its end, because it counts only there. What still comes goes to
/// the client, so that both have the bytes that the worker signs for.
async fn wind_up(
    client: &ClientPeer,
    request: &Request,
    lease: &Lease,
    work: &mut Work,
    queue: &mut mpsc::Receiver<FromWorker>,
    deadline: Instant,
) {
    let worker = &lease.worker;
    let knows_cancel = worker.version.has_extensions();
    let until = if knows_cancel {
        Instant::now() + CANCEL_GRACE
    } else {
        deadline
    };
    if knows_cancel {
        let cancel = ProxyToWorker::from(Cancel {
            request_id: work.request_id,
        })
        .encode();
        // A worker that is gone is cancelled already.
        let _ = tokio::time::timeout(Duration::from_secs(1), worker.link.send_packet(cancel)).await;
    }
    let is_listening = work.is_begun && work.ended != Ended::ClientTooSlow;
    while let Ok(Some(message)) = timeout_at(until, queue.recv()).await {
        match message {
            FromWorker::Progress(counts) => work.progress = Some(counts),
            FromWorker::Report(report) => work.report = Some(*report),
            FromWorker::Answer(answer) => {
                let is_last = answer.is_last();
                if is_last {
                    work.final_info = answer.final_info;
                }
                if let AnswerBody::Part(part) = answer.body {
                    note_part(work, &part);
                    if is_listening {
                        let answer = Answer {
                            request_id: request.id,
                            body: AnswerBody::Part(part),
                            final_info: None,
                        };
                        // A client that has gone misses nothing.
                        let _ = timeout_at(until, client.send(&answer)).await;
                    }
                }
                if is_last {
                    return;
                }
            }
        }
    }
}
