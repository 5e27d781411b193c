//! The life of one request: reserve, route, run, receipt, settle. Each phase is a file of its own; this one leads from
//! one to the next.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::units::{Coefficient, TokenCount};
use cocoon_market::QuoteId;
use cocoon_openai::OutputBound;
use cocoon_protocol::answer::Answer;
use cocoon_protocol::{ErrorCode, Version, retry_after};
use cocoon_runner::telemetry::{Hop, Span, Trace};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::challenge::Sampled;
use crate::client::ClientPeer;
use crate::limits::{FAIR_TIME, MAX_ATTEMPTS};
use crate::run::{Ended, Work};
use crate::settle::Rest;
use crate::state::Proxy;
use crate::stats::{Attempt, End};
use crate::workers::{Lease, Verdict};
use crate::{quotes, reserve, route, run, settle};

/// A request as its client sent it.
pub(crate) struct Request {
    pub(crate) id: [u8; 32],
    /// Base name of the model.
    pub(crate) model: String,
    /// The boxed `http.request`, passed on byte for byte. Never shown.
    pub(crate) query: Bytes,
    pub(crate) max_coefficient: Coefficient,
    /// Tokens to reserve for: what the client says, or what its body lets a worker produce if that is more.
    pub(crate) max_tokens: u64,
    /// What the body asks for.
    pub(crate) bound: OutputBound,
    pub(crate) timeout: Duration,
    pub(crate) min_config_version: i32,
    /// The quote that it is to be served under.
    pub(crate) quote: Option<QuoteId>,
    pub(crate) is_debug: bool,
    /// The answer is kept until it was compared with another worker's.
    pub(crate) is_sampled: bool,
    /// A place among the answers that are kept; it goes with them.
    pub(crate) sample_slot: Option<OwnedSemaphorePermit>,
    pub(crate) received: Instant,
    pub(crate) received_ms: u64,
    /// Set when the client cancels or its connection ends.
    pub(crate) cancel: CancellationToken,
}

/// Why a request has no answer, for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    /// Seconds after which the same request may have a worker.
    pub(crate) retry_after: Option<u32>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// The message for a client of this version.
    pub(crate) fn answer(self, request: [u8; 32], version: Version) -> Answer {
        let (code, message) = self.told(version);
        Answer::error(request, code, message, false)
    }

    /// Code and text for a client of this version.
    pub(crate) fn told(self, version: Version) -> (i32, String) {
        let message = match self.retry_after {
            Some(seconds) if version.has_extensions() => retry_after::append(&self.message, seconds),
            _ => self.message,
        };
        (self.code.for_version(version), message)
    }
}

/// Serves a request from its first to its last message, its receipt included.
pub(crate) async fn serve(proxy: Arc<Proxy>, client: Arc<ClientPeer>, mut request: Request) {
    proxy.stats.query(request.query.len());
    let trace = proxy.tracer.trace(&request.id);
    let (end, rest) = attempts(&proxy, &client, &mut request, trace.as_ref()).await;
    proxy.stats.ended(end, request.received.elapsed().as_secs_f64());
    client.forget(&request.id);
    if let Some(trace) = &trace {
        trace
            .whole("proxy.request", Some(Hop::Client), request.received_ms)
            .count("cocoon.request_bytes", request.query.len() as u64)
            .word("cocoon.end", end.word())
            .success(matches!(end, End::Success))
            .end();
    }
    let (mut rest, contract) = (rest, &client.instance.contract);
    let answered = rest.as_mut().and_then(|rest| rest.answered.take());
    let sampled = answered.and_then(|answered| Sampled::new(&mut request, contract, answered));
    drop(request);
    if let Some(rest) = rest {
        let receipt = trace.map(|trace| {
            trace
                .part("proxy.receipt", trace.now_ms())
                .count("cocoon.tokens", rest.tokens)
        });
        rest.hand_out(&proxy, &client).await;
        receipt.into_iter().for_each(Span::end);
    }
    if let Some(sampled) = sampled {
        proxy.challenges.offer(sampled);
    }
}

/// Tries workers until one has begun to answer; every attempt has a reservation of its own.
async fn attempts(
    proxy: &Arc<Proxy>,
    client: &Arc<ClientPeer>,
    request: &mut Request,
    trace: Option<&Trace>,
) -> (End, Option<Rest>) {
    let mut tried = Vec::new();
    let mut last_failure = None;
    let (tokens, mut quoted) = match admit(proxy, client, request) {
        Ok(admitted) => admitted,
        Err(failure) => return refuse(client, request, failure).await,
    };
    let request = &*request;
    loop {
        let reserved = match reserve::reserve(proxy, client, request, tokens) {
            Ok(reserved) => reserved,
            Err(failure) => return refuse(client, request, last_failure.unwrap_or(failure)).await,
        };
        let route = trace.map(|trace| trace.part("proxy.route", trace.now_ms()));
        let kept = quoted.take().filter(|lease: &Lease| !lease.worker.is_gone());
        let chosen = match kept {
            Some(lease) => Ok(lease),
            None => route::choose(proxy, client, request, &tried, tokens.get()).await,
        };
        if let Some(route) = route {
            route
                .count("cocoon.attempt", tried.len() as u64 + 1)
                .success(chosen.is_ok())
                .end();
        }
        let mut lease = match chosen {
            Ok(lease) => lease,
            Err(failure) => return refuse(client, request, last_failure.unwrap_or(failure)).await,
        };
        if lease.worker.instance.contract != client.instance.contract {
            // The parameters changed in between; a receipt is of one proxy contract.
            return refuse(client, request, outdated()).await;
        }
        let work = run::run(proxy, client, request, &lease).await;
        let verdict = verdict(&work);
        let first_token_seconds = work.first_token_ms.map(|at| seconds_between(work.started_ms, at));
        lease.judge(verdict, first_token_seconds);
        if let Some(trace) = trace {
            attempted(trace, &lease, &work, verdict);
        }
        proxy.stats.attempt(&Attempt {
            worker: lease.worker.id,
            is_success: verdict == Verdict::Served,
            seconds: request.received.elapsed().as_secs_f64(),
            worker_seconds: seconds_between(work.started_ms, work.finished_ms),
            first_token_seconds,
        });
        tried.push(lease.worker.id);
        match work.failure_before_first_byte() {
            Some(failure) if tried.len() < MAX_ATTEMPTS && may_try_elsewhere(&work, &failure) => {
                // A worker's text may quote the request: only its code is logged.
                let (worker, code) = (lease.worker.id, failure.code.to_wire());
                tracing::info!(worker, code, "the request goes to another worker");
                proxy.stats.failover();
                last_failure = Some(failure);
            }
            _ => {
                let span = trace.map(|trace| trace.part("proxy.settle", trace.now_ms()));
                let settled = settle::settle(proxy, client, request, lease, reserved, work).await;
                span.into_iter().for_each(Span::end);
                return settled;
            }
        }
    }
}

/// Tells a trace of an attempt. The worker knows it by another id than the client, and only here both are known.
fn attempted(trace: &Trace, lease: &Lease, work: &Work, verdict: Verdict) {
    let word = match verdict {
        Verdict::Served => "served",
        Verdict::Failed => "failed",
        Verdict::Withdrawn => "withdrawn",
    };
    let span = trace
        .call("proxy.attempt", Hop::Worker, &work.request_id, work.started_ms)
        .model(lease.worker.model.base())
        .count("cocoon.coefficient", lease.coefficient.get().into())
        .word("cocoon.verdict", word)
        .success(verdict == Verdict::Served);
    let first_token = work.first_token_ms.map(|at| at.saturating_sub(work.started_ms));
    let span = match first_token {
        Some(ms) => span.count("cocoon.first_token_ms", ms),
        None => span,
    };
    span.end_at(work.finished_ms);
}

/// Whether the client may ask for this now, the tokens that it reserves, and the slot that was kept for it. A quote was
/// counted against the client's rate when it was given; its price is the ceiling, whichever worker serves.
fn admit(proxy: &Proxy, client: &ClientPeer, request: &mut Request) -> Result<(TokenCount, Option<Lease>), Failure> {
    let Some(id) = request.quote else {
        let tokens = reserve::tokens(client, request)?;
        route::admit(proxy, client, tokens.get())?;
        return Ok((tokens, None));
    };
    let lease = quotes::redeem(proxy, client, request, &id)?;
    request.max_coefficient = lease.coefficient;
    Ok((reserve::tokens(client, request)?, Some(lease)))
}

/// The client's contract is of parameters that have changed: its connection will be closed.
pub(crate) fn outdated() -> Failure {
    Failure::new(ErrorCode::NotReady, "the network's parameters changed: connect again")
}

fn seconds_between(from_ms: u64, to_ms: u64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}

/// What the end of an attempt says about its worker.
pub(crate) fn verdict(work: &Work) -> Verdict {
    match &work.ended {
        Ended::Finished => Verdict::Served,
        Ended::WorkerLost => Verdict::Failed,
        // Who gives a worker no time learns nothing of it, and may not shut it off from others.
        Ended::TimedOut if work.first_token_ms.is_none() && work.took() >= FAIR_TIME => Verdict::Failed,
        Ended::TimedOut | Ended::Cancelled | Ended::ClientTooSlow | Ended::ReservationUsed => Verdict::Withdrawn,
        Ended::Failed(failure) if is_requests_fault(failure) => Verdict::Withdrawn,
        Ended::Failed(_) => Verdict::Failed,
    }
}

fn may_try_elsewhere(work: &Work, failure: &Failure) -> bool {
    matches!(work.ended, Ended::WorkerLost | Ended::Failed(_)) && !is_requests_fault(failure)
}

/// Failures that any worker would give.
fn is_requests_fault(failure: &Failure) -> bool {
    matches!(
        failure.code,
        ErrorCode::BadRequest
            | ErrorCode::ProtocolViolation
            | ErrorCode::Parse
            | ErrorCode::TooLarge
            | ErrorCode::Cancelled
            | ErrorCode::Timeout
    )
}

/// Tells the client that there is no answer.
async fn refuse(client: &ClientPeer, request: &Request, failure: Failure) -> (End, Option<Rest>) {
    tracing::info!(code = failure.code.to_wire(), "request refused");
    // A client that has gone needs no refusal.
    let _ = client.send(&failure.answer(request.id, client.version)).await;
    (End::Rejected, None)
}
