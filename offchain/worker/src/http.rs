//! The control port: health, statistics, metrics, switches.

use crate::claim::{self, ShownClaim};
use crate::error::WorkerError;
use crate::limits::{MAX_COEFFICIENT, MAX_CONTROL_BYTES};
use crate::metrics;
use crate::payout::Payouts;
use crate::worker::Worker;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use cocoon_bindings::ton::{Address, friendly};
use cocoon_bindings::units::Coefficient;
use cocoon_ratls::IdentityKeeper;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the pages show.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) worker: Arc<Worker>,
    pub(crate) identities: Arc<IdentityKeeper>,
    pub(crate) image_hash: Option<String>,
    pub(crate) simulated: bool,
    pub(crate) manifest_hash: Option<String>,
    pub(crate) payouts: Option<Arc<Payouts>>,
}

pub(crate) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/jsonstats", get(stats))
        .route("/metrics", get(figures))
        .route("/claims", get(claims))
        .route("/request/enable", post(enable))
        .route("/request/disable", post(disable))
        .route("/request/change_coefficient", post(change_coefficient))
        .route("/request/payout", post(payout))
        .layer(DefaultBodyLimit::max(MAX_CONTROL_BYTES))
        .with_state(pages)
}

async fn health(State(pages): State<Pages>) -> (StatusCode, Json<Value>) {
    let worker = &pages.worker;
    let state = worker.switch.state();
    let connected = worker.connections() > 0;
    let word = if connected || state.is_disabled() {
        state.word()
    } else {
        "degraded"
    };
    let status = if word == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": word,
        "proxy_connections": worker.connections(),
        "running_requests": worker.active_requests(),
        "simulated_tdx": pages.simulated,
    });
    (status, Json(body))
}

async fn stats(State(pages): State<Pages>) -> Json<Value> {
    let Pages { worker, identities, .. } = &pages;
    let root = worker.root.borrow().clone();
    let is_test = root.is_test();
    let address = |address: &Address| friendly(address, true, is_test);
    let proxies: Vec<Value> = worker
        .balances()
        .iter()
        .map(|balance| {
            let memory = balance.memory();
            json!({
                "sc_inited": true,
                "proxy_sc_address": address(&balance.channel().proxy),
                "proxy_public_key": balance.channel().proxy_key.to_string(),
                "sc_address": address(&balance.channel().worker),
                "earned_tokens_committed_to_blockchain": memory.tokens_chain,
                "earned_tokens_committed_to_proxy_db": memory.tokens_db,
                "earned_tokens_max_known": memory.tokens_max,
                "signed_statements": memory.head.seqno,
                "signed_tokens": memory.head.total,
                "claimable_tokens": memory.claim.as_ref().map(|claim| claim.tokens),
                "params_version": root.params.params_version.get(),
            })
        })
        .collect();
    let state = worker.switch.state();
    Json(json!({
        "status": {
            "state": state.word(),
            "enabled": state.enabled,
            "actual_image_hash": pages.image_hash,
            "actual_model": worker.model.as_str(),
            "model_manifest_hash": pages.manifest_hash,
            "simulated_tdx": pages.simulated,
            "certificate_expires_at": identities.peek().expires_at(),
            "ton_last_synced_at": root.time,
            "wallet_balance": pages.payouts.as_ref().and_then(|payouts| payouts.last_balance()).map(|b| b.get().to_string()),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "stats": worker.counters.to_json(),
        "wallet": pages.payouts.as_ref().map(|payouts| json!({ "address": address(payouts.address()) })),
        "localconfig": {
            "root_address": address(&root.address),
            "owner_address": address(&worker.owner),
            "model": worker.model.as_str(),
            "coefficient": worker.coefficient().borrow().get(),
            "max_active_requests": worker.max_active_requests,
            "check_proxy_hash": true,
        },
        "backend": worker.backend.describe(),
        "running_requests": worker.active_requests(),
        "proxy_connections": worker.connections(),
        "root_contract_config": root_config(&root),
        "proxies": proxies,
    }))
}

async fn figures(State(pages): State<Pages>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], pages.worker.backend.metrics())
}

async fn claims(State(pages): State<Pages>) -> Result<Json<Vec<ShownClaim>>, (StatusCode, Json<Value>)> {
    let worker = pages.worker;
    let made = tokio::task::spawn_blocking(move || claim::claims(&worker)).await;
    match made {
        Ok(Ok(claims)) => Ok(Json(claims)),
        Ok(Err(error)) => Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
        Err(_) => Err(refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the claims could not be made",
        )),
    }
}

fn root_config(root: &cocoon_chain::RootView) -> Value {
    let (params, data) = (&root.params, &root.data);
    let proxies: Vec<Value> = data
        .proxies
        .iter()
        .map(|(seqno, endpoints)| {
            json!({
                "seqno": seqno,
                "address_for_clients": endpoints.clients,
                "address_for_workers": endpoints.workers,
            })
        })
        .collect();
    json!({
        "owner_address": friendly(&root.owner, true, params.is_test),
        "proxy_hashes": data.proxy_hashes,
        "registered_proxies": proxies,
        "last_proxy_seqno": data.last_proxy_seqno,
        "worker_hashes": data.worker_hashes,
        "model_hashes": data.model_hashes,
        "version": root.version,
        "struct_version": params.struct_version,
        "params_version": params.params_version.get(),
        "unique_id": params.unique_id,
        "is_test": params.is_test,
        "price_per_token": params.price_per_token,
        "worker_fee_per_token": params.worker_fee_per_token,
        "prompt_tokens_price_multiplier": params.multipliers.prompt,
        "cached_tokens_price_multiplier": params.multipliers.cached,
        "completion_tokens_price_multiplier": params.multipliers.completion,
        "reasoning_tokens_price_multiplier": params.multipliers.reasoning,
        "proxy_delay_before_close": params.proxy_delay_before_close,
        "client_delay_before_close": params.client_delay_before_close,
        "proxy_min_stake": params.min_proxy_stake,
        "client_min_stake": params.min_client_stake,
    })
}

async fn enable(State(pages): State<Pages>) -> Json<Value> {
    pages.worker.switch.change(|state| state.enabled = true);
    Json(json!({ "enabled": true }))
}

async fn disable(State(pages): State<Pages>) -> Json<Value> {
    pages.worker.switch.change(|state| state.enabled = false);
    Json(json!({ "enabled": false }))
}

#[derive(Deserialize)]
struct CoefficientQuery {
    coefficient: f64,
}

async fn change_coefficient(
    State(pages): State<Pages>,
    Query(query): Query<CoefficientQuery>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let thousandths = (query.coefficient * 1000.0).trunc();
    if !(0.0..=f64::from(MAX_COEFFICIENT)).contains(&thousandths) {
        return Err(refused(StatusCode::BAD_REQUEST, "coefficient must be from 0 to 999999"));
    }
    let coefficient = Coefficient::new(thousandths as u32);
    pages.worker.coefficient().send_replace(coefficient);
    Ok(Json(json!({ "coefficient": coefficient.get() })))
}

async fn payout(State(pages): State<Pages>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let Some(payouts) = &pages.payouts else {
        return Err(refused(
            StatusCode::CONFLICT,
            "this worker has no [payout] in its configuration",
        ));
    };
    match payouts.look(&pages.worker, true).await {
        Ok(sent) => Ok(Json(json!({ "vouchers_submitted": sent }))),
        Err(error) => Err(refused(StatusCode::BAD_GATEWAY, &WorkerError::to_string(&error))),
    }
}

fn refused(status: StatusCode, message: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": { "message": message } })))
}
