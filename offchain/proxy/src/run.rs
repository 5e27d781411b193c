//! Third phase: one attempt at one worker. Parts go on to the client as they come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::extension::{self, Cancel, TokenCounts, WorkReport};
use cocoon_protocol::http::Response;
use cocoon_protocol::message::ProxyToWorker;
use cocoon_protocol::proxy::{RunQuery, RunQueryEx};
use cocoon_ratls::SharedClock;
use cocoon_receipt::{SaltedHasher, blind_client};
use tokio::time::{Instant, timeout_at};

use crate::budget::Budget;
use crate::client::ClientPeer;
use crate::inbox::{FromWorker, Inbox};
use crate::limits::{CANCEL_GRACE, WORKER_TIME_SHARE};
use crate::outage;
use crate::receipt::counts_of;
use crate::request::{Failure, Request};
use crate::state::Proxy;
use crate::workers::Lease;

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
    /// The answer costs more than was reserved for it.
    ReservationUsed,
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
    pub(crate) budget: Budget,
    head: Option<Bytes>,
    /// The worker has sent its last message.
    is_over: bool,
}

impl Work {
    fn new(clock: SharedClock, budget: Budget) -> Self {
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
            budget,
            head: None,
            is_over: false,
        }
    }

    /// How long the attempt took.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_millis(self.finished_ms.saturating_sub(self.started_ms))
    }

    /// Whether the worker may still be at it.
    fn is_cut_short(&self) -> bool {
        use Ended::{Cancelled, ClientTooSlow, ReservationUsed, TimedOut};
        !self.is_over && matches!(self.ended, Cancelled | ClientTooSlow | TimedOut | ReservationUsed)
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
            Ended::ReservationUsed => Some(Failure::new(
                ErrorCode::TooLarge,
                "the answer has used up what max_tokens reserves for it",
            )),
        }
    }
}

/// Runs one attempt to its end. The worker is always told when it need not go on.
pub(crate) async fn run(proxy: &Proxy, client: &ClientPeer, request: &Request, lease: &Lease) -> Work {
    let budget = Budget::new(request, lease.coefficient, &client.instance.params.multipliers);
    let mut work = Work::new(Arc::clone(&proxy.clock), budget);
    let worker = &lease.worker;
    let mut inbox = worker.open_request(work.request_id);
    let deadline = request.received + request.timeout;
    work.ended = match dispatch(proxy, client, request, lease, &work).await {
        Err(ended) => ended,
        Ok(()) => follow(proxy, client, request, lease, &mut work, &mut inbox, deadline).await,
    };
    if work.is_cut_short() {
        wind_up(client, request, lease, &mut work, &mut inbox, deadline).await;
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
    lease: &Lease,
    work: &mut Work,
    inbox: &mut Inbox,
    deadline: Instant,
) -> Ended {
    let tells_progress = lease.worker.version.has_extensions();
    let too_slow = inbox.aside.is_full.clone();
    loop {
        let message = tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Ended::Cancelled,
            () = too_slow.cancelled() => return Ended::ClientTooSlow,
            message = timeout_at(deadline, inbox.queue.recv()) => message,
        };
        let Ok(message) = message else { return Ended::TimedOut };
        let mut answer = match message {
            None if client.link.is_closed() => return Ended::Cancelled,
            None if too_slow.is_cancelled() => return Ended::ClientTooSlow,
            None => return Ended::WorkerLost,
            Some(FromWorker::Progress(counts)) => {
                work.progress = Some(counts);
                if work.budget.is_exceeded_by(&counts_of(&counts)) {
                    return Ended::ReservationUsed;
                }
                continue;
            }
            Some(FromWorker::Report(report)) => {
                work.report = Some(*report);
                continue;
            }
            Some(FromWorker::Answer(answer)) => answer,
        };
        work.is_over = answer.is_last();
        let is_cut = match &mut answer.body {
            AnswerBody::Part(_) if work.head.is_none() && !work.is_begun => return headless(work, lease).await,
            AnswerBody::Part(part) if !tells_progress => {
                let paid = work.budget.admit(part);
                let is_cut = paid < part.len();
                part.truncate(paid);
                is_cut
            }
            _ => false,
        };
        if work.is_over && !is_cut {
            return last(work, answer);
        }
        if work.is_over {
            work.final_info = answer.final_info.take();
        }
        let sent = forward(proxy, client, request, work, answer.body);
        let is_sent = match tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Ended::Cancelled,
            () = too_slow.cancelled() => return Ended::ClientTooSlow,
            sent = timeout_at(deadline, sent) => sent,
        } {
            Err(_) => return Ended::ClientTooSlow,
            Ok(is_sent) => is_sent,
        };
        match (is_sent, is_cut) {
            (false, _) => return Ended::Cancelled,
            (true, true) => return Ended::ReservationUsed,
            (true, false) => {}
        }
    }
}

/// A worker that sends a body without its head has failed, and need not go on.
async fn headless(work: &Work, lease: &Lease) -> Ended {
    if !work.is_over {
        tell_to_stop(work, lease).await;
    }
    Ended::Failed(Failure::new(
        ErrorCode::Failure,
        "the worker sent a part of an answer before its head",
    ))
}

/// Sends a head or a part on; false when the client is gone. The head waits for the first part: until then the request
/// may still go to another worker.
async fn forward(proxy: &Proxy, client: &ClientPeer, request: &Request, work: &mut Work, body: AnswerBody) -> bool {
    let part = match body {
        AnswerBody::Head(head) => {
            if !work.is_begun && work.head.is_none() {
                note_head(work, &head);
                work.head = Some(outage::with_age(proxy, client, head));
            }
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

/// A deployed worker's head may carry the body of an answer without parts.
fn note_head(work: &mut Work, head: &Bytes) {
    if let Ok(Response { payload, .. }) = Response::decode(head) {
        note_part(work, &payload);
    }
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
        AnswerBody::Head(head) => note_head(work, &head.clone()),
    }
    work.last = Some(answer);
    Ended::Finished
}

/// The answer is to end before the worker has ended it. A worker that knows cancel is told, and has a moment to account for
/// what it delivered; one that does not is followed to its end, because it counts only there. What still comes goes to the
/// client that waits for it, so that both have the bytes that the worker signs for.
async fn wind_up(
    client: &ClientPeer,
    request: &Request,
    lease: &Lease,
    work: &mut Work,
    inbox: &mut Inbox,
    deadline: Instant,
) {
    let knows_cancel = lease.worker.version.has_extensions();
    let until = if knows_cancel {
        Instant::now() + CANCEL_GRACE
    } else {
        deadline
    };
    if knows_cancel {
        tell_to_stop(work, lease).await;
    }
    let is_paid = knows_cancel || work.ended != Ended::ReservationUsed;
    let is_listening = work.is_begun && work.ended != Ended::ClientTooSlow && is_paid;
    loop {
        let message = match timeout_at(until, inbox.queue.recv()).await {
            Err(_) => return,
            Ok(None) => break,
            Ok(Some(message)) => message,
        };
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
    if inbox.aside.is_full.is_cancelled() {
        // Late or not, what has come counts.
        let _ = timeout_at(until, inbox.aside.is_over.cancelled()).await;
        let kept = inbox.aside.take();
        work.progress = kept.progress.or(work.progress);
        work.report = kept.report.map(|report| *report).or(work.report.take());
        work.final_info = kept.final_info.or(work.final_info.take());
    }
}

/// Tells a worker that knows cancel that nobody waits for the rest.
async fn tell_to_stop(work: &Work, lease: &Lease) {
    if !lease.worker.version.has_extensions() {
        return;
    }
    let cancel = ProxyToWorker::from(Cancel {
        request_id: work.request_id,
    })
    .encode();
    // A worker that is gone is cancelled already.
    let _ = tokio::time::timeout(Duration::from_secs(1), lease.worker.link.send_packet(cancel)).await;
}
