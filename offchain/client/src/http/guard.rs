//! Stands before all paths of the port: lets callers in by their keys, and runs requests with an idempotency key once.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use cocoon_openai::{ApiError, Dialect, Endpoint, anthropic};

use super::App;
use super::inference::read_body;
use super::reply::{RECEIPT_ID, reply_in, set};
use crate::access::answers::{EXHAUSTED, Found};
use crate::access::attempt::Asker;
use crate::access::gate::Caller;
use crate::access::keys::EndpointName;
use crate::access::refusal::Refusal;
use crate::limits::MAX_IDEMPOTENCY_KEY;

/// Header under which a request runs once.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header that OpenAI's packages obey.
const SHOULD_RETRY: &str = "x-should-retry";
/// Header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";

/// Lets a request in, or answers it.
pub(super) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let dialect = dialect_of(request.uri().path());
    let admitted = app
        .access
        .gate
        .admit(request.method(), request.uri(), request.headers());
    let caller = match admitted {
        Ok(caller) => caller,
        Err(refusal) => {
            let mut response = reply_in(dialect, &refused(&app, refusal));
            if response.status() == StatusCode::UNAUTHORIZED {
                let headers = response.headers_mut();
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            return response;
        }
    };
    let is_question = *request.method() == Method::POST && EndpointName::at(request.uri().path()).is_some();
    if is_question && let Some(key) = request.headers().get(IDEMPOTENCY_KEY).cloned() {
        return once(&app, caller, &key, request, next).await.unwrap_or_else(|error| {
            let mut response = reply_in(dialect, &error);
            if response.status() == StatusCode::CONFLICT || error.code == EXHAUSTED {
                // Packages ask again after a 409 or a 429 unless they are told not to; a place may take hours.
                set(&mut response, SHOULD_RETRY, "false");
            }
            response
        });
    }
    let asker = Asker { caller, ticket: None };
    request.extensions_mut().insert(asker);
    next.run(request).await
}

/// How errors at a path look.
fn dialect_of(path: &str) -> Dialect {
    match path.starts_with(anthropic::PATH) {
        true => Dialect::Messages,
        false => Dialect::OpenAi(Endpoint::Chat),
    }
}

/// Counts a refusal.
pub(super) fn refused(app: &App, refusal: Refusal) -> ApiError {
    app.access.gate.refusals.count(refusal.why);
    refusal.into()
}

/// Runs a request, or gives the answer that it got before. Whoever leaves does not end it.
async fn once(
    app: &Arc<App>,
    caller: Caller,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !(1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) {
        return Err(ApiError::invalid_field(IDEMPOTENCY_KEY, "must have 1 to 255 bytes"));
    }
    let (mut head, body) = request.into_parts();
    // As many bodies at once as requests: also those that are only asked again.
    let full = |_| ApiError::rate_limited("This client runs as many requests as it may.");
    let reading = app.slots.try_acquire().map_err(full)?;
    let body = read_body(body, app.live.get().max_body_bytes).await?;
    drop(reading);
    let about = [head.uri.path().as_bytes(), &body];
    let found = app.access.answers.find(caller.scope(), key.as_bytes(), about);
    let (recording, ticket) = match found? {
        Found::First(recording, ticket) => (recording, ticket),
        Found::Again(recording, receipt) => {
            let mut response = recording.replay().await.ok_or_else(vanished)?;
            set(&mut response, REPLAYED, "true");
            if let Some(receipt) = receipt {
                set(&mut response, RECEIPT_ID, &receipt.to_string());
            }
            return Ok(response);
        }
    };
    let asker = Asker {
        caller,
        ticket: Some(Arc::clone(&ticket)),
    };
    head.extensions.insert(asker);
    let request = Request::from_parts(head, Body::from(body));
    let writing = Arc::clone(&recording);
    app.requests.spawn(async move {
        let response = next.run(request).await;
        writing.write(response).await;
        // Before the callers see the end: one that asks again then finds what counts.
        ticket.ends(&writing).await;
        writing.end();
    });
    recording.replay().await.ok_or_else(vanished)
}

fn vanished() -> ApiError {
    ApiError::internal("The request ended without an answer.")
}
