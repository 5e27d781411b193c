//! Third phase: one attempt at one worker. Parts go on to the client as they come.

mod deliver;
mod wind_up;
mod work;

use std::sync::Arc;

use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::AnswerBody;
use cocoon_protocol::extension;
use cocoon_protocol::message::ProxyToWorker;
use cocoon_protocol::proxy::{RunQuery, RunQueryEx};
use cocoon_receipt::blind_client;
use tokio::time::{Instant, timeout_at};

pub(crate) use deliver::take_head;
use deliver::{Held, forward_all, last, portion};
use wind_up::{tell_to_stop, wind_up};
pub(crate) use work::{Ended, Work};

use crate::budget::Budget;
use crate::challenge::Kept;
use crate::client::ClientPeer;
use crate::inbox::{FromWorker, Inbox};
use crate::limits::WORKER_TIME_SHARE;
use crate::receipt::counts_of;
use crate::request::{Failure, Request};
use crate::state::Proxy;
use crate::workers::Lease;

/// Runs one attempt to its end. The worker is always told when it need not go on.
pub(crate) async fn run(proxy: &Proxy, client: &ClientPeer, request: &Request, lease: &Lease) -> Work {
    let budget = Budget::new(request, lease.coefficient, &client.instance.params.multipliers);
    let mut work = Work::new(Arc::clone(&proxy.clock), budget, Kept::of(request));
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
    let signed_payment = || proxy.vouchers.for_worker(&worker.contract).payment;
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
            signed_payment: signed_payment(),
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
            signed_payment: signed_payment(),
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
    let mut held = Held::default();
    loop {
        let message = tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Ended::Cancelled,
            () = too_slow.cancelled() => return Ended::ClientTooSlow,
            message = timeout_at(deadline, inbox.recv()) => message,
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
        if work.head.is_none() && !work.is_begun && matches!(answer.body, AnswerBody::Part(_)) {
            return headless(work, lease).await;
        }
        let (bodies, is_cut) = portion(work, &mut held, &mut answer, tells_progress);
        if work.is_over && is_cut {
            work.final_info = answer.final_info.take();
        }
        if !bodies.is_empty() {
            let sent = forward_all(proxy, client, request, work, bodies);
            let is_sent = tokio::select! {
                biased;
                () = request.cancel.cancelled() => return Ended::Cancelled,
                () = too_slow.cancelled() => return Ended::ClientTooSlow,
                sent = timeout_at(deadline, sent) => sent,
            };
            match is_sent {
                Err(_) => return Ended::ClientTooSlow,
                Ok(false) => return Ended::Cancelled,
                Ok(true) => {}
            }
        }
        if is_cut {
            return Ended::ReservationUsed;
        }
        if work.is_over {
            return last(work, answer);
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
