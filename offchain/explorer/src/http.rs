//! The routes under `/v1/cocoon/network`: all of them are GET, and none changes anything.

mod anchors;
mod feed;
mod network;
mod page;
mod people;
mod receipts;
mod status;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use cocoon_openai::ApiError;
use serde_json::{Value, json};

use crate::start::Inner;
use crate::view::{RootSeen, View};
use crate::words::Kind;

type Explored = State<Arc<Inner>>;

/// All routes.
pub(crate) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/v1/cocoon/network/status", get(status::show))
        .route("/v1/cocoon/network/root", get(network::root))
        .route("/v1/cocoon/network/proposals", get(network::proposals))
        .route("/v1/cocoon/network/proxies", get(people::proxies))
        .route("/v1/cocoon/network/workers", get(people::workers))
        .route("/v1/cocoon/network/models", get(people::models))
        .route("/v1/cocoon/network/anchors", get(anchors::list))
        .route("/v1/cocoon/network/receipts", get(receipts::list))
        .route("/v1/cocoon/network/receipts/{id}", get(receipts::one))
        .route("/v1/cocoon/network/feed", get(feed::list))
        .with_state(inner)
}

/// The same as a server of its own.
pub(crate) fn whole(inner: Arc<Inner>) -> Router {
    let parts = |State(inner): Explored| async move {
        Json(json!({ "parts": ["network"], "simulated": inner.is_simulated() }))
    };
    Router::new()
        .route("/v1/cocoon/page", get(parts))
        .route("/health", get(status::health))
        .fallback(|uri: Uri| async move { refused(&ApiError::not_found(uri.path())) })
        .method_not_allowed_fallback(|| async { refused(&ApiError::method_not_allowed()) })
        .with_state(Arc::clone(&inner))
        .merge(router(inner))
}

/// A page of what was read, or why there is none.
async fn shown(inner: &Inner, make: impl FnOnce(&View, &RootSeen) -> Result<Value, ApiError>) -> Response {
    inner.ask().await;
    let view = inner.view.read();
    match &view.root {
        None => refused(&reading(&view)),
        Some(root) => answer(make(&view, root)),
    }
}

fn answer(made: Result<Value, ApiError>) -> Response {
    match made {
        Ok(value) => ([(header::CACHE_CONTROL, "no-store")], Json(value)).into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, error.to_json()).into_response();
    if let Some(seconds) = error.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Nothing was read yet.
fn reading(view: &View) -> ApiError {
    let why = view.chain.problem.as_deref().unwrap_or("it is being read");
    ApiError {
        status: 503,
        kind: "server_error",
        code: "reading",
        message: format!("The network has not been read yet: {why}."),
        param: None,
        retry_after: Some(1),
    }
}

/// The chain's time of what is shown, its age, and what keeps it from being newer.
fn as_of(inner: &Inner, view: &View) -> Value {
    let time = Some(view.time).filter(|time| *time != 0);
    let age = time.map(|time| inner.clock.0.now().saturating_sub(u64::from(time)));
    json!({ "time": time, "age_seconds": age, "problem": view.chain.problem })
}

/// An account with what it is.
fn account(view: &View, address: &cocoon_bindings::ton::Address) -> Value {
    let kind: Kind = view.contracts.kind(address);
    json!({ "kind": kind.word(), "address": address.to_string(), "name": kind.name() })
}

/// Prices of a million raw tokens of each class at a coefficient.
fn prices(root: &RootSeen, coefficient: u32) -> Value {
    let weights = root.multipliers();
    json!({
        "prompt": root.price(weights.prompt, coefficient),
        "cached": root.price(weights.cached, coefficient),
        "completion": root.price(weights.completion, coefficient),
        "reasoning": root.price(weights.reasoning, coefficient),
    })
}
