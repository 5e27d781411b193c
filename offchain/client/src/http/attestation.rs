//! `GET /v1/cocoon/attestation`: what is known of the connected proxy, claim by claim; and
//! `GET /v1/cocoon/attestation/{hash}`: the same of a certificate that this client keeps, such as a worker's, which
//! receipts name by its SHA-256.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use cocoon_attest::Claims;
use cocoon_bindings::ton::HashBytes;
use cocoon_chain::RootView;
use cocoon_openai::ApiError;
use cocoon_ratls::{Peer, PeerPolicy, verify_certificate};
use cocoon_runner::off_thread;
use cocoon_verifier::evidence::Role;
use serde_json::{Value, json};

use super::App;
use super::reply::reply;
use super::verification;
use crate::connection::ProxyConnection;

const WARNING: &str = "SIMULATED TDX platform: nothing here is protected by hardware";

/// Shows the verdict on the proxy.
pub(super) async fn show(State(app): State<Arc<App>>) -> Response {
    match app.connection() {
        Ok(connection) => Json(describe(&app, &connection)).into_response(),
        Err(error) => reply(&error),
    }
}

/// Shows the verdict on a certificate, of now.
pub(super) async fn of_certificate(State(app): State<Arc<App>>, Path(hash): Path<String>) -> Response {
    let mut bytes = [0; 32];
    if hex::decode_to_slice(&hash, &mut bytes).is_err() {
        return reply(&ApiError::invalid_field("hash", "must be 64 hex digits"));
    }
    let store = Arc::clone(&app.context.store);
    let kept = off_thread(move || {
        let evidence = store.lock().unwrap_or_else(PoisonError::into_inner).evidence().clone();
        evidence.get(&HashBytes(bytes))
    });
    match kept.await {
        Ok(Ok(Some(der))) => Json(describe_certificate(&app, &hash, &der)).into_response(),
        Ok(Ok(None)) => reply(&ApiError::not_found("this certificate")),
        _ => {
            tracing::error!(hash, "a kept certificate could not be read");
            reply(&ApiError::internal("The certificate could not be read."))
        }
    }
}

fn describe(app: &App, connection: &ProxyConnection) -> Value {
    let peer = &connection.peer;
    let root = app.context.root();
    let is_listed = peer.image_hash.is_some_and(|image| root.allows_proxy_image(&image));
    let is_attested = peer.claims.is_some();
    let proven = |yes: bool| if yes { "proven" } else { "unknown" };
    json!({
        "verdict": verdict(peer, is_listed),
        "simulated": peer.simulated,
        "warning": peer.simulated.then_some(WARNING),
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
        "claims": peer.claims.as_ref().map(|claims| describe_claims(app, claims)),
        "network": describe_network(&root),
        // Behind a router the certificate is the router's to judge.
        "verification": is_attested.then(|| verification::of_certificate(app, &peer.certificate, Some(Role::Proxy))),
    })
}

fn describe_certificate(app: &App, hash: &str, der: &[u8]) -> Value {
    let (store, now) = (app.context.trust.store(), app.context.clock.now());
    let root = app.context.root();
    // Which role the image may take is said below.
    let peer = verify_certificate(der, &store, &PeerPolicy::attested(|_| true), now);
    let described = match &peer {
        Err(error) => json!({ "verdict": "refuted", "simulated": null, "refusal": error.to_string() }),
        Ok(peer) => {
            let allowed =
                |allows: fn(&RootView, &_) -> bool| peer.image_hash.is_some_and(|image| allows(&root, &image));
            let as_worker = allowed(RootView::allows_worker_image);
            let as_proxy = allowed(RootView::allows_proxy_image);
            json!({
                "verdict": verdict(peer, as_worker || as_proxy),
                "simulated": peer.simulated,
                "warning": peer.simulated.then_some(WARNING),
                "leaf_key": peer.leaf_key.to_string(),
                "image_hash": peer.image_hash.map(|image| image.to_string()),
                "listed_for_workers": as_worker,
                "listed_for_proxies": as_proxy,
                "claims": peer.claims.as_ref().map(|claims| describe_claims(app, claims)),
            })
        }
    };
    json!({
        "certificate_sha256": hash,
        "judged_at": now,
        "certificate": described,
        "network": describe_network(&root),
        "verification": verification::of_certificate(app, der, None),
    })
}

fn verdict(peer: &Peer, is_listed: bool) -> &'static str {
    match (peer.claims.is_some(), is_listed) {
        (true, true) if peer.simulated => "simulated",
        (true, true) => "proven",
        (true, false) => "refuted",
        (false, _) => "unknown",
    }
}

/// The claims one by one, each with its source and what this client's policy says of it at present.
fn describe_claims(app: &App, claims: &Claims) -> Value {
    let policy = app.context.trust.store().policy();
    let examined = policy.examine(claims.clone(), app.context.clock.now());
    let objections = examined.objections.iter().map(ToString::to_string);
    json!({
        "table": examined.table,
        "objections": objections.collect::<Vec<_>>(),
        "tcb_status": claims.tcb_status,
        "advisories": claims.advisories,
        "tcb_evaluation": claims.tcb_evaluation,
        "fmspc": claims.fmspc,
        "root_key_id": claims.root_key_id.to_string(),
        "expires_at": claims.expires_at,
    })
}

fn describe_network(root: &RootView) -> Value {
    json!({ "root": root.address.to_string(), "is_test": root.is_test(), "version": root.version })
}
