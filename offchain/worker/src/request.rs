//! One request from its bytes to its last message.

use crate::answering::{Answering, Done, End};
use crate::backend::{Asked, Trouble};
use crate::counters::Finished;
use crate::limits::REQUEST_TIME;
use crate::worker::Worker;
use bytes::Bytes;
use cocoon_openai::request::{Endpoint, Request};
use cocoon_openai::{ApiError, fields};
use cocoon_protocol::error_code::ErrorCode;
use cocoon_protocol::http::{self, Header, Response};
use cocoon_protocol::{extension, proxy};
use cocoon_receipt::FinishReason;
use cocoon_runner::telemetry::Trace;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Work as proxies of any version send it.
pub(crate) struct Work {
    pub(crate) request_id: [u8; 32],
    /// The boxed `http.request`.
    pub(crate) request: Bytes,
    /// Thousandths.
    pub(crate) coefficient: i64,
    /// Seconds.
    pub(crate) timeout: f64,
    /// The payer's blinded id; proxies before version 3 do not tell it.
    pub(crate) payer: Option<[u8; 32]>,
}

macro_rules! work_from {
    ($($message:ty, $payer:expr;)*) => {$(
        impl From<$message> for Work {
            fn from(message: $message) -> Self {
                let payer: fn(&$message) -> Option<[u8; 32]> = $payer;
                Self {
                    payer: payer(&message),
                    request_id: message.request_id,
                    request: message.query,
                    coefficient: message.coefficient,
                    timeout: message.timeout,
                }
            }
        }
    )*};
}

work_from! {
    extension::RunQuery, |message| Some(message.payer);
    proxy::RunQueryEx, |_| None;
    proxy::RunQuery, |_| None;
}

/// A request that has a place.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) answering: Answering,
    pub(crate) stop: CancellationToken,
}

/// Answers a request. `remember` gets the books before the last message leaves.
pub(crate) async fn run(worker: &Worker, job: Job, remember: impl FnOnce(&Done)) {
    let Job {
        work,
        mut answering,
        stop,
    } = job;
    let bytes_received = work.request.len() as u64;
    let trace = worker
        .tracer
        .trace(&work.request_id)
        .map(|trace| (trace.now_ms(), trace));
    let limit = time_limit(work.timeout);
    let deadline = Instant::now() + limit;
    let outcome = {
        let answer = answer(worker, &work, deadline, &mut answering);
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Trouble::Cancelled),
            outcome = tokio::time::timeout(limit, answer) => outcome.unwrap_or(Err(Trouble::Timeout)),
        }
    };
    let (end, finish) = match outcome {
        Ok((last, finish)) => (End::Complete(last), finish),
        Err(Trouble::Refused(error)) if !answering.head_sent() => {
            let response = error_head(&error);
            if answering.head(&response).await.is_err() {
                return;
            }
            (End::Complete(Bytes::from(error.to_json())), FinishReason::Failed)
        }
        Err(Trouble::Refused(error)) => (End::Error(ErrorCode::Failure, error.message), FinishReason::Failed),
        Err(Trouble::Failed(message)) => (End::Error(ErrorCode::Failure, message), FinishReason::Failed),
        Err(Trouble::Timeout) => (
            End::Error(ErrorCode::Timeout, "the worker's time is over".to_owned()),
            FinishReason::Timeout,
        ),
        // What was delivered until then is a whole, if short, answer.
        Err(Trouble::Cancelled) if answering.head_sent() => (End::Complete(Bytes::new()), FinishReason::Cancelled),
        Err(Trouble::Cancelled) => (
            End::Error(ErrorCode::Cancelled, "cancelled".to_owned()),
            FinishReason::Cancelled,
        ),
        Err(Trouble::Link(_)) => return,
    };
    let success = !matches!(finish, FinishReason::Failed | FinishReason::Timeout);
    if let Ok(done) = answering.finish(end, finish, remember).await {
        if let Some((begin_ms, trace)) = trace {
            tell(&trace, begin_ms, worker, &done, success);
        }
        let Done {
            bytes_sent,
            seconds,
            used: tokens,
            ..
        } = done;
        worker.counters.finish(&Finished {
            success,
            bytes_received,
            bytes_sent,
            seconds,
            tokens,
        });
        tracing::debug!(tokens = tokens.total, %finish, seconds, "request finished");
    }
}

/// Tells a trace of a request that has ended. Its id comes from the one that the proxy drew for this worker: nothing of it leads to
/// the payer.
fn tell(trace: &Trace, begin_ms: u64, worker: &Worker, done: &Done, success: bool) {
    let end_ms = trace.now_ms();
    if done.first_token_time > 0.0 {
        let first_ms = (done.first_token_time * 1000.0) as u64;
        trace.part("worker.queue_and_prefill", begin_ms).end_at(first_ms);
        trace.part("worker.decode", first_ms).end_at(end_ms);
    }
    trace
        .whole("worker.request", None, begin_ms)
        .model(worker.model.base())
        .count("cocoon.prompt_tokens", done.counts.prompt)
        .count("cocoon.cached_tokens", done.counts.cached)
        .count("cocoon.completion_tokens", done.counts.completion)
        .count("cocoon.answer_bytes", done.bytes_sent)
        .word("cocoon.finish", done.finish.word())
        .success(success)
        .end_at(end_ms);
}

async fn answer(
    worker: &Worker,
    work: &Work,
    deadline: Instant,
    answering: &mut Answering,
) -> Result<(Bytes, FinishReason), Trouble> {
    let asked = parse(worker, work, deadline)?;
    worker.backend.answer(asked, answering).await
}

/// Reads the request and refuses what no backend could answer.
fn parse(worker: &Worker, work: &Work, deadline: Instant) -> Result<Asked, Trouble> {
    let http = http::Request::decode(&work.request)
        .map_err(|_| Trouble::Refused(ApiError::bad_request("invalid http request")))?;
    let endpoint = Endpoint::from_path(&http.url).ok_or_else(|| ApiError::not_found("this path"))?;
    if http.method != "POST" {
        return Err(ApiError::method_not_allowed().into());
    }
    let request = Request::parse(endpoint, &http.payload)?;
    if let Some(field) = fields::unsupported(endpoint, request.fields()) {
        // A name is content too: only one that could be a field's is repeated.
        let plain = field.len() <= 64 && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return Err(ApiError::unsupported_field(if plain { field } else { "?" }).into());
    }
    if request.model() != worker.model.base() {
        return Err(ApiError::unknown_model(format!("This worker serves {} only.", worker.model.base())).into());
    }
    Ok(Asked {
        request,
        headers: http.headers,
        deadline,
        payer: work.payer.map(|payer| worker.payer(payer)),
    })
}

fn time_limit(seconds: f64) -> Duration {
    let (least, most) = REQUEST_TIME;
    let wished = Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 { most } else { least });
    wished.clamp(least, most)
}

fn error_head(error: &ApiError) -> Response {
    let header = |name: &str, value: String| Header {
        name: name.to_owned(),
        value,
    };
    let mut headers = vec![header("Content-Type", "application/json".to_owned())];
    headers.extend(
        error
            .retry_after
            .map(|seconds| header("Retry-After", seconds.to_string())),
    );
    headers.push(header("Transfer-Encoding", "chunked".to_owned()));
    Response::new(error.status, reason(error.status), headers)
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_timeout_of_a_proxy_becomes_a_sane_one() {
        for (seconds, expected) in [
            (10.0, 10),
            (0.0, 1),
            (-5.0, 1),
            (f64::NAN, 1),
            (f64::INFINITY, 3600),
            (1e300, 3600),
            (0.001, 1),
        ] {
            assert_eq!(time_limit(seconds), Duration::from_secs(expected), "{seconds}");
        }
    }
}
