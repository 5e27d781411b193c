//! A witness over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::post;
use cocoon_ratls::{SharedClock, off_thread};

use super::server::{Refusal, Witness};
use crate::limits::MAX_WITNESS_REQUEST_BYTES;

/// The route of a witness, `add-checkpoint`.
pub fn router(witness: Arc<Witness>, clock: SharedClock) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add))
        .layer(DefaultBodyLimit::max(MAX_WITNESS_REQUEST_BYTES))
        .with_state((witness, clock))
}

async fn add(State((witness, clock)): State<(Arc<Witness>, SharedClock)>, body: String) -> Response<Body> {
    let now = clock.now();
    let decided = off_thread(move || witness.add(&body, now)).await;
    let (status, kind, text) = match decided.unwrap_or(Err(Refusal::Disk)) {
        Ok(lines) => (200, "text/plain; charset=utf-8", lines),
        Err(Refusal::OtherSize { size }) => (409, "text/x.tlog.size", format!("{size}\n")),
        Err(refusal) => (refusal.status(), "text/plain; charset=utf-8", format!("{refusal}\n")),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
