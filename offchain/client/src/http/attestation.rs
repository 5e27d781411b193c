//! `GET /v1/cocoon/attestation`: what is known of the connected proxy, claim by claim.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::reply::reply;
use crate::connection::ProxyConnection;

/// Shows the verdict.
pub(super) async fn show(State(app): State<Arc<App>>) -> Response {
    match app.connection() {
        Ok(connection) => Json(describe(&app, &connection)).into_response(),
        Err(error) => reply(&error),
    }
}

fn describe(app: &App, connection: &ProxyConnection) -> Value {
    let peer = &connection.peer;
    let root = app.context.root();
    let is_listed = peer.image_hash.is_some_and(|image| root.allows_proxy_image(&image));
    let is_attested = peer.claims.is_some();
    let verdict = match (is_attested, is_listed) {
        (true, true) if peer.simulated => "simulated",
        (true, true) => "proven",
        (true, false) => "refuted",
        (false, _) => "unknown",
    };
    let claims = peer.claims.as_ref().map(|claims| {
        json!({
            "tcb_status": format!("{:?}", claims.tcb_status),
            "advisories": claims.advisories,
            "tcb_evaluation": claims.tcb_evaluation,
            "fmspc": claims.fmspc,
            "root_key_id": claims.root_key_id.to_string(),
            "expires_at": claims.expires_at,
        })
    });
    let proven = |yes: bool| if yes { "proven" } else { "unknown" };
    json!({
        "verdict": verdict,
        "simulated": peer.simulated,
        "warning": peer.simulated.then_some("SIMULATED TDX platform: nothing here is protected by hardware"),
        "proxy": {
            "address": connection.address,
            "contract": connection.proxy.contract.to_string(),
            "public_key": connection.proxy.public_key.to_string(),
            "leaf_key": peer.leaf_key.to_string(),
            "image_hash": peer.image_hash.map(|image| image.to_string()),
            "certificate_sha256": hex::encode(peer.evidence_hash()),
            "protocol_version": connection.version.to_wire(),
        },
        "statements": {
            "quote_verifies": proven(is_attested),
            "key_is_bound_to_quote": proven(is_attested),
            "image_is_listed_by_root": if is_listed { "proven" } else { "refuted" },
            "contract_follows_from_key_and_owner": "proven",
        },
        "claims": claims,
        "network": { "root": root.address.to_string(), "is_test": root.is_test(), "version": root.version },
    })
}
