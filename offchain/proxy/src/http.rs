//! Statistics and administration over HTTP. For the operator, not for the public.

pub(crate) mod figures;
mod operated;
mod statistics;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_runner::admin::Operated;
use cocoon_runner::report;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::Proxy;
use crate::{outage, settlement};

/// The routes. Whatever changes something is a POST.
pub(crate) fn router(proxy: Arc<Proxy>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/request/disable", post(disable))
        .route("/request/enable", post(enable))
        .route("/request/charge", post(charge))
        .route("/request/payout", post(payout))
        .route("/request/withdraw", post(withdraw))
        .with_state(Arc::clone(&proxy))
        .merge(report::routes(Arc::new(statistics::Pages(proxy))))
}

/// What the administration socket works on.
pub(crate) fn operated(proxy: &Arc<Proxy>) -> Arc<dyn Operated> {
    Arc::new(statistics::Pages(Arc::clone(proxy)))
}

async fn health(State(proxy): State<Arc<Proxy>>) -> (StatusCode, Json<Value>) {
    let is_ready = proxy.accepts();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let state = match proxy.chain_age.mode() {
        _ if proxy.recovery.error().is_some() => "recovering",
        outage::Mode::Current if is_ready => "ready",
        outage::Mode::OnCredit if is_ready => "degraded",
        _ => "draining",
    };
    let is_outdated = proxy.root.borrow().params_version() != proxy.on_chain().params.params_version;
    (
        status,
        Json(json!({
            "status": state,
            "chain": outage::json(&proxy),
            "contradiction": proxy.recovery.error().map(|error| json!({ "error": error.to_string(), "hint": error.hint() })),
            "simulated": proxy.trust.is_simulated(),
            "outdated_params": is_outdated,
            "workers": proxy.workers.all().len(),
            "clients": proxy.clients.all().len(),
        })),
    )
}

async fn disable(State(proxy): State<Arc<Proxy>>) -> Json<Value> {
    proxy.is_enabled.store(false, Ordering::Relaxed);
    tracing::info!("disabled by the operator: no new requests");
    Json(json!({ "enabled": false }))
}

async fn enable(State(proxy): State<Arc<Proxy>>) -> Json<Value> {
    proxy.is_enabled.store(true, Ordering::Relaxed);
    tracing::info!("enabled by the operator");
    Json(json!({ "enabled": true }))
}

/// Whom an administrative request is about: the owner's address, as the deployed statistics list it.
#[derive(Deserialize)]
struct About {
    client: Option<String>,
    worker: Option<String>,
}

async fn charge(State(proxy): State<Arc<Proxy>>, Query(about): Query<About>) -> (StatusCode, Json<Value>) {
    let contract = contract_of(about.client, |owner| {
        let ledger = proxy.books.ledger();
        ledger
            .clients()
            .filter(|(_, channel)| channel.owner == *owner)
            .min_by_key(|(_, channel)| channel.retired().is_some())
            .map(|(contract, _)| contract.clone())
    });
    settle(&proxy, contract, true).await
}

async fn payout(State(proxy): State<Arc<Proxy>>, Query(about): Query<About>) -> (StatusCode, Json<Value>) {
    let contract = contract_of(about.worker, |owner| {
        let ledger = proxy.books.ledger();
        ledger
            .workers()
            .filter(|(_, channel)| channel.owner == *owner)
            .min_by_key(|(_, channel)| channel.retired().is_some())
            .map(|(contract, _)| contract.clone())
    });
    settle(&proxy, contract, false).await
}

async fn withdraw(State(proxy): State<Arc<Proxy>>) -> (StatusCode, Json<Value>) {
    match settlement::withdraw(&proxy).await {
        Ok(()) => (StatusCode::OK, Json(json!({ "submitted": true }))),
        Err(error) => (
            StatusCode::BAD_GATEWAY,
            Json(json!({ "error": error.to_string(), "hint": error.hint() })),
        ),
    }
}

fn contract_of(owner: Option<String>, find: impl Fn(&Address) -> Option<Address>) -> Option<Address> {
    find(&parse_address(&owner?).ok()?)
}

async fn settle(proxy: &Proxy, contract: Option<Address>, is_client: bool) -> (StatusCode, Json<Value>) {
    let Some(contract) = contract else {
        return (
            StatusCode::NOT_FOUND,
            Json(json!({
                "error": "nobody with this owner address is known",
                "hint": "give the address of the owner of a client or worker contract of this proxy; its statistics list them",
            })),
        );
    };
    match settlement::settle_now(proxy, &contract, is_client).await {
        Ok(is_submitted) => (StatusCode::OK, Json(json!({ "submitted": is_submitted }))),
        Err(error) => (
            StatusCode::BAD_GATEWAY,
            Json(json!({ "error": error.to_string(), "hint": error.hint() })),
        ),
    }
}
