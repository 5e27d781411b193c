//! `/status`: how far the reader is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use cocoon_receipt::log::Checkpoint;
use serde_json::{Value, json};

use super::{Explored, answer, as_of};
use crate::limits::{MAX_ANCHORS, MAX_CONTRACTS, MAX_FEED, MAX_RECEIPTS};
use crate::view::LogSeen;

/// Also before the first look.
pub(super) async fn show(State(inner): Explored) -> Response {
    inner.ask().await;
    let view = inner.view.read();
    let simulated = view.root.as_ref().map(|root| root.snapshot.is_test);
    answer(Ok(json!({
        "simulated": simulated,
        "root": inner.settings.root.to_string(),
        "started_at": inner.started_at,
        "every_seconds": inner.settings.every.as_secs(),
        "as_of": as_of(&inner, &view),
        "chain": {
            "seqno": view.seqno,
            "time": Some(view.time).filter(|time| *time != 0),
            "problem": view.chain.problem,
            "unreachable_since": view.chain.since,
        },
        "logs": view.logs.iter().map(log).collect::<Vec<_>>(),
        "counts": {
            "contracts": view.contracts.len(),
            "receipts": view.receipts.len(),
            "transactions": view.feed.len(),
            "workers": view.sums.workers(),
            "models": view.sums.models.len(),
            "anchors": view.anchors.0.len(),
        },
        "limits": {
            "contracts": MAX_CONTRACTS,
            "receipts": MAX_RECEIPTS,
            "transactions": MAX_FEED,
            "anchors": MAX_ANCHORS,
        },
        "is_complete": view.root.is_some() && view.is_complete(),
    })))
}

/// `/health` of an explorer alone: 503 until the chain was read, and while it cannot be.
pub(super) async fn health(State(inner): Explored) -> Response {
    let view = inner.view.read();
    let is_ready = view.root.is_some() && view.chain.problem.is_none();
    let (status, word) = if is_ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "degraded")
    };
    (status, Json(json!({ "status": word, "problem": view.chain.problem }))).into_response()
}

fn log(log: &LogSeen) -> Value {
    json!({
        "url": log.url,
        "origin": log.key.as_ref().map(Checkpoint::origin_of),
        "key": log.key.as_ref().map(ToString::to_string),
        "proxy": log.proxy.as_ref().map(ToString::to_string),
        "is_key_on_chain": log.is_key_on_chain,
        "size": log.size,
        "read_from": log.read_from,
        "read": log.next,
        "left_out": log.left_out,
        "read_at": log.read_at,
        "problem": log.reach.problem,
        "unreachable_since": log.reach.since,
    })
}
