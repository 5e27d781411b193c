//! Drives one request from the proxy's first word to its receipt, whether or not the caller stays.

mod job;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::ApiError;
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::client::RunQueryEx;
use cocoon_protocol::http::Response;
use cocoon_protocol::{ErrorCode, retry_after};
use cocoon_runner::link::LinkError;
use cocoon_runner::telemetry::Trace;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub(crate) use self::job::{Job, Outcome, Piece, Unsent, encode};
use crate::access::attempt::Attempt;
use crate::calls::{Call, CallEvent, RequestId};
use crate::connection::ProxyConnection;
use crate::limits::{LATE_RECEIPT_WAIT, PIECE_QUEUE, PROXY_TIME_SHARE, RECEIPT_WAIT};
use crate::receipts::ReceiptNote;

/// Sends a request under a name. Its pieces come from the receiver; when that is dropped before the end, the request is cancelled. What
/// takes its receipt goes on among `tasks`.
pub(crate) async fn start(
    tasks: &TaskTracker,
    connection: Arc<ProxyConnection>,
    (id, request): (RequestId, Bytes),
    job: Job,
    mut attempt: Attempt,
    ended: impl FnOnce(Outcome) + Send + 'static,
) -> Result<mpsc::Receiver<Piece>, Unsent> {
    let trace = connection.tracer.trace(&id).map(|trace| (trace.now_ms(), trace));
    let model = job.model.clone();
    let request_bytes = job.body.len();
    let deadline = Instant::now() + job.timeout;
    let query = RunQueryEx {
        model_name: job.model,
        query: request.clone(),
        max_coefficient: i32::try_from(job.max_coefficient).unwrap_or(i32::MAX),
        max_tokens: i32::try_from(job.max_tokens).unwrap_or(i32::MAX),
        timeout: job.timeout.as_secs_f64() * PROXY_TIME_SHARE,
        request_id: id,
        min_config_version: i32::try_from(job.config_version).unwrap_or(i32::MAX),
        flags: (),
        enable_debug: Some(job.enable_debug),
    };
    let call = match connection.run(id, request, query, job.quote).await {
        Ok(call) => call,
        Err(error) => {
            attempt.is_free().await;
            return Err(match error {
                LinkError::TooLarge { .. } => {
                    Unsent::Never(ApiError::too_large("The request does not fit one message."))
                }
                error => {
                    let text = format!("The request could not be sent: {error}.");
                    Unsent::Elsewhere(ApiError::connection_lost(text))
                }
            });
        }
    };
    let (pieces, receiver) = mpsc::channel(PIECE_QUEUE);
    let driven = async move {
        let mut driver = Driver {
            connection,
            call,
            pieces,
            deadline,
            bytes: 0,
            has_head: false,
            is_settled: false,
            ahead: None,
            attempt,
            trace: trace.as_ref().map(|(_, trace)| trace.clone()),
            first_ms: None,
        };
        let success = driver.run().await;
        let answered = trace.map(|(begin_ms, trace)| {
            let now_ms = trace.now_ms();
            if let Some(first_ms) = driver.first_ms {
                trace.part("client.answer", first_ms).end_at(now_ms);
            }
            let whole = trace
                .whole("client.request", None, begin_ms)
                .count("cocoon.request_bytes", request_bytes as u64)
                .count("cocoon.answer_bytes", driver.bytes as u64)
                .success(success);
            // A name that was answered is one that the network lists; another may be anything.
            let whole = if success { whole.model(&model) } else { whole };
            whole.end_at(now_ms);
            trace.part("client.receipt", now_ms)
        });
        ended(Outcome {
            success,
            bytes: driver.bytes,
        });
        let has_receipt = driver.take_receipt(success).await;
        if let Some(receipt) = answered.filter(|_| success) {
            receipt.flag("cocoon.has_receipt", has_receipt).end();
        }
    };
    tasks.spawn(driven);
    Ok(receiver)
}

struct Driver {
    connection: Arc<ProxyConnection>,
    call: Call,
    pieces: mpsc::Sender<Piece>,
    deadline: Instant,
    bytes: usize,
    has_head: bool,
    /// No receipt is to come any more.
    is_settled: bool,
    /// The place among the answers that are ahead of their receipts.
    ahead: Option<OwnedSemaphorePermit>,
    /// What is held for it.
    attempt: Attempt,
    trace: Option<Trace>,
    /// When the first part of the body came, if the request is traced.
    first_ms: Option<u64>,
}

/// What happened next.
#[expect(clippy::large_enum_variant, reason = "lives for one turn of a loop")]
enum Step {
    Event(Option<CallEvent>),
    Late,
    CallerGone,
}

impl Driver {
    /// Until the caller has everything, or gets nothing more. Says whether it was an answer to the end.
    async fn run(&mut self) -> bool {
        let mut late = pin!(tokio::time::sleep_until(self.deadline));
        loop {
            let step = tokio::select! {
                biased;
                event = self.call.events.recv() => Step::Event(event),
                () = &mut late => Step::Late,
                () = self.pieces.closed() => Step::CallerGone,
            };
            let failure = match step {
                Step::Event(Some(CallEvent::Answer(answer))) => match self.pass_on(answer).await {
                    Ok(Passed::More) => continue,
                    Ok(Passed::Last) => return true,
                    Ok(Passed::CallerGone) => return self.cancel().await,
                    Ok(Passed::Late) => timed_out(),
                    Err(error) => {
                        self.fail(error).await;
                        return false;
                    }
                },
                // A receipt never overtakes the answer on the wire; one that does is kept without being shown.
                Step::Event(Some(CallEvent::Receipt(note))) => {
                    self.is_settled = true;
                    self.attempt.has_receipt(&note).await;
                    continue;
                }
                Step::Event(Some(CallEvent::Lost(reason))) => {
                    self.fail(ApiError::connection_lost(sentence(&reason))).await;
                    return false;
                }
                Step::Event(Some(CallEvent::TooLarge)) => {
                    ApiError::bad_gateway("The answer is larger than is allowed.")
                }
                Step::Event(None) => ApiError::internal("The request lost its place."),
                Step::Late => timed_out(),
                Step::CallerGone => return self.cancel().await,
            };
            self.connection.cancel(self.call.id).await;
            self.fail(failure).await;
            return false;
        }
    }

    async fn pass_on(&mut self, answer: Answer) -> Result<Passed, ApiError> {
        let is_last = answer.is_last();
        match answer.body {
            AnswerBody::Head(bytes) => {
                let mut head = Response::decode(&bytes)
                    .map_err(|_| ApiError::bad_gateway("The worker's answer has no readable head."))?;
                if std::mem::replace(&mut self.has_head, true) {
                    return Err(ApiError::bad_gateway("The answer began twice."));
                }
                let payload = std::mem::take(&mut head.payload);
                if let Some(end) = self.give(Piece::Head(head)).await {
                    return Ok(end);
                }
                if let Some(end) = self.give_body(payload).await {
                    return Ok(end);
                }
            }
            AnswerBody::Part(bytes) => {
                if !self.has_head {
                    return Err(ApiError::bad_gateway("The answer has no head."));
                }
                if let Some(end) = self.give_body(bytes).await {
                    return Ok(end);
                }
            }
            AnswerBody::Error { code, message, .. } => {
                let code = ErrorCode::from_wire(code).refine(&message);
                let used = answer.final_info.as_ref().map_or(0, |info| info.tokens.total);
                if used > 0 {
                    // An answer that has used up its reservation is "too large" as well, and is charged.
                    self.attempt.is_told(used);
                } else if is_refusal(code) && !self.has_head {
                    self.is_settled = true;
                    self.attempt.is_free().await;
                }
                let code = code.to_wire();
                let (text, seconds) = retry_after::split(&message);
                let mut error = ApiError::from_node(code, text);
                error.retry_after = seconds.or(error.retry_after);
                return Err(error);
            }
        }
        if !is_last {
            return Ok(Passed::More);
        }
        // Answers may run ahead of their receipts, but only so far.
        let place = tokio::time::timeout_at(self.deadline, self.connection.place_ahead());
        let Ok(place) = place.await else {
            return Ok(Passed::Late);
        };
        self.ahead = place;
        let info = answer.final_info.unwrap_or_default();
        self.attempt.is_told(info.tokens.total);
        Ok(self.give(Piece::End(Box::new(info))).await.unwrap_or(Passed::Last))
    }

    async fn give_body(&mut self, bytes: Bytes) -> Option<Passed> {
        if bytes.is_empty() {
            return None;
        }
        self.bytes += bytes.len();
        if self.first_ms.is_none() {
            self.first_ms = self.trace.as_ref().map(Trace::now_ms);
        }
        self.give(Piece::Body(bytes)).await
    }

    /// Waits for a slow caller, but not beyond the deadline.
    async fn give(&mut self, piece: Piece) -> Option<Passed> {
        tokio::select! {
            biased;
            sent = self.pieces.send(piece) => sent.is_err().then_some(Passed::CallerGone),
            () = tokio::time::sleep_until(self.deadline) => Some(Passed::Late),
        }
    }

    async fn fail(&mut self, error: ApiError) {
        // A caller that is gone needs no error; one that does not read gets a moment.
        let _ = tokio::time::timeout(RECEIPT_WAIT, self.pieces.send(Piece::Failed(error))).await;
    }

    async fn cancel(&mut self) -> bool {
        tracing::debug!(
            request = hex::encode(self.call.id),
            "the caller left, the request is cancelled"
        );
        self.connection.cancel(self.call.id).await;
        false
    }

    /// Waits for the receipt.
    async fn receipt(&mut self, limit: Duration) -> Option<ReceiptNote> {
        let wait = async {
            loop {
                match self.call.events.recv().await? {
                    CallEvent::Receipt(note) => return Some(note),
                    CallEvent::Lost(_) => return None,
                    CallEvent::Answer(_) | CallEvent::TooLarge => {}
                }
            }
        };
        let note = tokio::time::timeout(limit, wait).await.ok().flatten();
        if let Some(note) = &note {
            self.is_settled = true;
            self.attempt.has_receipt(note).await;
        }
        note
    }

    /// Keeps the place of the request until its receipt has come, so that it can be checked against the bytes. A caller of
    /// an answer that has ended is told of it, if it is still there. Says whether it came.
    async fn take_receipt(mut self, has_ended: bool) -> bool {
        let mut note = None;
        if self.is_due() {
            note = self.receipt(RECEIPT_WAIT).await;
        }
        self.ahead = None;
        let mut has_come = note.is_some();
        if has_ended {
            let _ = self.pieces.send(Piece::Receipt(note)).await;
        }
        drop(std::mem::replace(&mut self.pieces, mpsc::channel(1).0));
        if self.is_due() {
            has_come |= self.receipt(LATE_RECEIPT_WAIT).await.is_some();
        }
        let gives_receipts = self.connection.version.has_extensions();
        self.attempt.is_over(gives_receipts).await;
        has_come
    }

    fn is_due(&self) -> bool {
        !self.is_settled && self.connection.version.has_extensions() && !self.connection.is_closed()
    }
}

/// What a proxy says before it gives a request to a worker: there is no receipt of it.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownModel
            | ErrorCode::LowBalance
            | ErrorCode::NoWorker
            | ErrorCode::TooLarge
            | ErrorCode::TooManyRequests
            | ErrorCode::QuoteUnknown
            | ErrorCode::QuoteUsed
            | ErrorCode::QuoteExpired
    )
}

/// What became of a message of the answer.
enum Passed {
    More,
    Last,
    CallerGone,
    Late,
}

fn timed_out() -> ApiError {
    ApiError::timeout("The answer did not come in time.")
}

fn sentence(reason: &str) -> String {
    let mut chars = reason.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().collect::<String>())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
