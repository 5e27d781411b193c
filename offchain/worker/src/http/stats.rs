//! `GET /jsonstats`: the deployed shape, and besides it a section for each model.

use super::Pages;
use crate::balance::Balance;
use crate::counters::Counters;
use crate::worker::Worker;
use axum::Json;
use axum::extract::State;
use cocoon_bindings::ton::{Address, friendly};
use serde_json::{Value, json};

/// Shows the statistics. What the deployed shape has room for once is that of the first model; counts are those of all.
pub(super) async fn show(State(pages): State<Pages>) -> Json<Value> {
    let workers = &pages.workers;
    let first = pages.first();
    let root = first.root.borrow().clone();
    let is_test = root.is_test();
    let address = |address: &Address| friendly(address, true, is_test);
    let proxies: Vec<Value> = workers
        .iter()
        .flat_map(|worker| {
            worker
                .balances()
                .into_iter()
                .map(|balance| proxy(worker, &balance, &address))
        })
        .collect();
    let state = first.switch.state();
    let counters: Vec<&Counters> = workers.iter().map(|worker| &worker.counters).collect();
    Json(json!({
        "status": {
            "state": state.word(),
            "enabled": state.enabled,
            "actual_image_hash": pages.image_hash,
            "actual_model": first.model.as_str(),
            "model_manifest_hash": first.manifest_hash,
            "simulated_tdx": pages.simulated,
            "certificate_expires_at": pages.identities.peek().expires_at(),
            "ton_last_synced_at": root.time,
            "wallet_balance": pages.payouts.as_ref().and_then(|payouts| payouts.last_balance()).map(|b| b.get().to_string()),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "stats": Counters::sum_to_json(&counters),
        "wallet": pages.payouts.as_ref().map(|payouts| json!({ "address": address(payouts.address()) })),
        "localconfig": {
            "root_address": address(&root.address),
            "owner_address": address(&first.owner),
            "model": first.model.as_str(),
            "coefficient": first.coefficient().borrow().get(),
            "max_active_requests": first.max_active_requests,
            "check_proxy_hash": true,
        },
        "models": workers.iter().map(|worker| model(worker)).collect::<Vec<_>>(),
        "gpus": *pages.gpus,
        "running_requests": pages.running_requests(),
        "proxy_connections": pages.proxy_connections(),
        "root_contract_config": root_config(&root),
        "proxies": proxies,
    }))
}

fn model(worker: &Worker) -> Value {
    json!({
        "model": worker.model.as_str(),
        "manifest_hash": worker.manifest_hash,
        "state": worker.word(),
        "coefficient": worker.coefficient().borrow().get(),
        "max_active_requests": worker.max_active_requests,
        "running_requests": worker.active_requests(),
        "proxy_connections": worker.connections(),
        "stats": Counters::sum_to_json(&[&worker.counters]),
        "backend": worker.backend.describe(),
    })
}

fn proxy(worker: &Worker, balance: &Balance, address: &impl Fn(&Address) -> String) -> Value {
    let memory = balance.memory();
    let params_version = worker.root.borrow().params.params_version;
    json!({
        "sc_inited": true,
        "model": worker.model.base(),
        "proxy_sc_address": address(&balance.channel().proxy),
        "proxy_public_key": balance.channel().proxy_key.to_string(),
        "sc_address": address(&balance.channel().worker),
        "earned_tokens_committed_to_blockchain": memory.tokens_chain,
        "earned_tokens_committed_to_proxy_db": memory.tokens_db,
        "earned_tokens_max_known": memory.tokens_max,
        "signed_statements": memory.head.seqno,
        "signed_tokens": memory.head.total,
        "claimable_tokens": memory.claim.as_ref().map(|claim| claim.tokens),
        "params_version": params_version.get(),
    })
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
