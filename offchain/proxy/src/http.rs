//! Statistics and administration over HTTP. For the operator, not for the public.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::TokenCount;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::Proxy;
use crate::{settlement, winding};

/// The routes. Whatever changes something is a POST.
pub(crate) fn router(proxy: Arc<Proxy>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/jsonstats", get(statistics))
        .route("/request/disable", post(disable))
        .route("/request/enable", post(enable))
        .route("/request/charge", post(charge))
        .route("/request/payout", post(payout))
        .route("/request/withdraw", post(withdraw))
        .with_state(proxy)
}

async fn health(State(proxy): State<Arc<Proxy>>) -> (StatusCode, Json<Value>) {
    let is_ready = proxy.accepts();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let state = if is_ready { "ready" } else { "draining" };
    let is_outdated = proxy.root.borrow().params_version() != proxy.on_chain().params.params_version;
    (
        status,
        Json(json!({
            "status": state,
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
            Json(json!({ "error": "nobody with this owner address is known" })),
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

async fn statistics(State(proxy): State<Arc<Proxy>>) -> Json<Value> {
    let on_chain = proxy.on_chain();
    let root = Arc::clone(&proxy.root.borrow());
    let wallet_balance = proxy
        .wallet
        .balance()
        .await
        .map(|balance| balance.get().to_string())
        .ok();
    Json(json!({
        "status": {
            "wallet_balance": wallet_balance,
            "ton_last_synced_at": root.time,
            "enabled": proxy.accepts(),
            "simulated": proxy.trust.is_simulated(),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "stats": proxy.stats.json(),
        "wallet": { "address": on_chain.text(proxy.wallet.address()), "balance": wallet_balance },
        "localconfig": {
            "root_address": on_chain.text(&on_chain.root),
            "owner_address": on_chain.text(&on_chain.owner),
            "check_worker_hashes": true,
        },
        "smartcontract": {
            "address": on_chain.text(&on_chain.contract),
            "params_version": on_chain.params.params_version,
        },
        "old_instances": winding::json(&proxy),
        "root_contract_config": {
            "owner_address": on_chain.text(&root.owner),
            "version": root.version,
            "struct_version": root.params.struct_version,
            "params_version": root.params.params_version,
            "unique_id": root.params.unique_id,
            "is_test": root.params.is_test,
            "price_per_token": root.params.price_per_token,
            "worker_fee_per_token": root.params.worker_fee_per_token,
            "prompt_tokens_price_multiplier": root.params.multipliers.prompt,
            "cached_tokens_price_multiplier": root.params.multipliers.cached,
            "completion_tokens_price_multiplier": root.params.multipliers.completion,
            "reasoning_tokens_price_multiplier": root.params.multipliers.reasoning,
        },
        "commits": {
            "seqno": proxy.books.ledger().commits().seqno(),
            "seen_on_chain": proxy.books.ledger().commits().landed_seqno(),
        },
        "workers": workers(&proxy),
        "worker_connections": worker_connections(&proxy),
        "clients": clients(&proxy),
    }))
}

fn workers(proxy: &Proxy) -> Vec<Value> {
    let connections = proxy.workers.all();
    let ledger = proxy.books.ledger();
    let row = |(contract, channel): (&Address, &cocoon_ledger::WorkerChannel)| {
        let paid = channel.on_chain.as_ref().map_or(TokenCount::ZERO, |seen| seen.tokens);
        let own = connections.iter().filter(|worker| worker.contract == *contract);
        let running: u32 = own.fold(0, |running, worker| running.saturating_add(worker.state().running));
        json!({
            "owner_address": proxy.on_chain().text(&channel.owner),
            "sc_address": proxy.on_chain().text(contract),
            "earned_tokens": channel.account.max(),
            "committed_tokens": channel.account.chain(),
            "unpayed_tokens": channel.account.max().saturating_sub(paid),
            "running_queries": running,
        })
    };
    ledger.workers().map(row).collect()
}

fn worker_connections(proxy: &Proxy) -> Vec<Value> {
    let now = proxy.uptime();
    let row = |worker: &Arc<crate::workers::WorkerPeer>| {
        let state = *worker.state();
        json!({
            "owner_address": proxy.on_chain().text(&worker.owner),
            "model": worker.model.as_str(),
            "worker_hash": worker.image,
            "coefficient": state.coefficient,
            "protocol": worker.version.to_wire(),
            "running_queries": state.running,
            "max_running_queries": worker.slots,
            "finished_queries": state.finished,
            "succeeded_queries": state.succeeded,
            "average_seconds": state.average.mean(now),
            "held_back": state.breaker.is_open(),
            "enabled": state.is_enabled,
        })
    };
    proxy.workers.all().iter().map(row).collect()
}

fn clients(proxy: &Proxy) -> Vec<Value> {
    let ledger = proxy.books.ledger();
    let row = |(contract, channel): (&Address, &cocoon_ledger::ClientChannel)| {
        let seen = channel.on_chain.as_ref();
        let charged = seen.map_or(TokenCount::ZERO, |seen| seen.tokens_used);
        let state = seen.map(|seen| seen.state);
        json!({
            "owner_address": proxy.on_chain().text(&channel.owner),
            "sc_address": proxy.on_chain().text(contract),
            "used_tokens": channel.account.max(),
            "committed_tokens": channel.account.chain(),
            "tokens_to_charge": channel.account.max().saturating_sub(charged),
            "available_tokens": channel.available(),
            "reserved_tokens": channel.reserved(),
            "running_queries": channel.running(),
            "closing": state == Some(cocoon_ledger::ContractState::Closing),
            "closed": state == Some(cocoon_ledger::ContractState::Closed),
        })
    };
    ledger.clients().map(row).collect()
}
