//! `/root` and `/proposals`.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::{Explored, as_of, prices, shown};

/// The root contract.
pub(super) async fn root(State(inner): Explored) -> Response {
    shown(&inner, |view, root| {
        Ok(json!({
            "as_of": as_of(&inner, view),
            "root": root.snapshot,
            "prices": prices(root, 1000),
            "governor": root.governor,
            "findings": root.findings,
        }))
    })
    .await
}

/// What is proposed.
pub(super) async fn proposals(State(inner): Explored) -> Response {
    shown(&inner, |view, root| {
        Ok(json!({
            "as_of": as_of(&inner, view),
            "governor": root.governor_address.as_ref().map(ToString::to_string),
            "proposals": root.proposals,
        }))
    })
    .await
}
