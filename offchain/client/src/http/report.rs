//! `GET /jsonstats`, in the shape of the deployed client runner.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cocoon_bindings::ton::{Cell, friendly};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::RootView;
use serde_json::{Map, Value, json};

use super::App;
use crate::account::Accounts;
use crate::connection::ProxyConnection;

/// Shows the statistics.
pub(super) async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let accounts = app.accounts.borrow().clone();
    let root = app.context.root();
    let upstream = app.upstream.borrow().clone();
    let counters = app.stats.snapshot();
    let now = app.context.clock.now_f64();
    let connection = upstream.connection.as_deref();
    Json(json!({
        "status": {
            "wallet_balance": nanoton(accounts.wallet_balance),
            "ton_last_synced_at": accounts.synced_at.max(root.time),
            "enabled": !app.stop.is_cancelled(),
            "git_commit": env!("CARGO_PKG_VERSION"),
            "git_commit_data": "",
        },
        "stats": {
            "queries": counters.queries.report(now),
            "success": counters.success.report(now),
            "failed": counters.failed.report(now),
            "bytes_received": counters.bytes_received.report(now),
            "bytes_sent": counters.bytes_sent.report(now),
            "time": counters.time.report(now),
        },
        "wallet": {
            "address": friendly(app.context.wallet.address(), false, false),
            "balance": nanoton(accounts.wallet_balance),
            "seqno": accounts.wallet_seqno,
            "pending_transactions_cnt": 0,
            "active_transactions_cnt": 0,
        },
        "localconf": {
            "root_address": friendly(&root.address, true, false),
            "owner_address": app.owner,
            "check_proxy_hash": true,
        },
        "root_contract_config": root_config(&root),
        "proxy_connections": connections(&root, connection),
        "proxies": connection.map(|connection| proxy(connection, &accounts)).into_iter().collect::<Vec<_>>(),
    }))
}

fn connections(root: &RootView, connection: Option<&ProxyConnection>) -> Vec<Value> {
    match connection {
        Some(connection) => vec![json!({
            "address": connection.address,
            "is_ready": !connection.is_closed(),
            "proxy_sc_address": friendly(&connection.proxy.contract, false, false),
            "running_requests": connection.running_requests(),
        })],
        None => root
            .data
            .proxies
            .values()
            .map(|p| json!({ "address": p.clients, "is_ready": false }))
            .collect(),
    }
}

fn proxy(connection: &ProxyConnection, accounts: &Accounts) -> Value {
    let payments = connection.payments();
    let client = accounts.client.as_ref();
    let charged = client.map_or(0, |account| account.tokens_used.get());
    let paid = client.and_then(|account| {
        let tokens = account.balance.checked_div(account.params.price_per_token)?;
        u64::try_from(tokens).ok()?.checked_add(charged)
    });
    json!({
        "proxy_sc_address": friendly(&connection.proxy.contract, false, false),
        "proxy_public_key": connection.proxy.public_key.to_string().to_uppercase(),
        "sc_address": friendly(&connection.client_contract, false, false),
        "state": client.map_or(0, |account| account.state as u8),
        "tokens_used_proxy_committed_to_blockchain": payments.signed,
        "tokens_used_proxy_committed_to_db": payments.committed_to_db,
        "tokens_used_proxy_max": payments.max,
        "tokens_charged": charged,
        "tokens_payed": paid.unwrap_or(charged),
    })
}

fn root_config(root: &RootView) -> Value {
    let params = &root.params;
    let data = &root.data;
    let upper = |hashes: Vec<String>| hashes.iter().map(|hash| hash.to_uppercase()).collect::<Vec<_>>();
    let proxies: Vec<Value> = data
        .proxies
        .iter()
        .map(|(seqno, p)| json!({ "seqno": seqno, "address_for_clients": p.clients, "address_for_workers": p.workers }))
        .collect();
    let mut config = Map::new();
    let mut put = |name: &str, value: Value| config.insert(name.to_owned(), value);
    put("owner_address", friendly(&root.owner, false, false).into());
    put(
        "proxy_hashes",
        upper(data.proxy_hashes.iter().map(ToString::to_string).collect()).into(),
    );
    put("registered_proxies", proxies.into());
    put("last_proxy_seqno", data.last_proxy_seqno.into());
    put(
        "worker_hashes",
        upper(data.worker_hashes.iter().map(ToString::to_string).collect()).into(),
    );
    put(
        "model_hashes",
        upper(data.model_hashes.iter().map(ToString::to_string).collect()).into(),
    );
    put("version", root.version.into());
    put("struct_version", params.struct_version.into());
    put("params_version", params.params_version.get().into());
    put("unique_id", params.unique_id.into());
    put("is_test", params.is_test.into());
    put("price_per_token", nanoton(params.price_per_token).into());
    put("worker_fee_per_token", nanoton(params.worker_fee_per_token).into());
    put("prompt_tokens_price_multiplier", params.multipliers.prompt.into());
    put("cached_tokens_price_multiplier", params.multipliers.cached.into());
    put(
        "completion_tokens_price_multiplier",
        params.multipliers.completion.into(),
    );
    put("reasoning_tokens_price_multiplier", params.multipliers.reasoning.into());
    put("proxy_delay_before_close", params.proxy_delay_before_close.into());
    put("client_delay_before_close", params.client_delay_before_close.into());
    put("proxy_min_stake", nanoton(params.min_proxy_stake).into());
    put("client_min_stake", nanoton(params.min_client_stake).into());
    put("proxy_code_hash", code_hash(params.proxy_code.as_ref()).into());
    put("worker_code_hash", code_hash(params.worker_code.as_ref()).into());
    put("client_code_hash", code_hash(params.client_code.as_ref()).into());
    config.into()
}

fn code_hash(code: Option<&Cell>) -> String {
    code.map(|code| hex::encode_upper(code.repr_hash().0))
        .unwrap_or_default()
}

/// Amounts are JSON numbers in the deployed shape; no real one exceeds them.
fn nanoton(amount: Nanoton) -> u64 {
    u64::try_from(amount.get()).unwrap_or(u64::MAX)
}
