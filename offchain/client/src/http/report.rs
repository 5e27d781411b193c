//! `GET /jsonstats`, in the shape of the deployed client runner.

use std::sync::Arc;

use async_trait::async_trait;
use cocoon_bindings::ton::friendly;
use cocoon_chain::{RootView, SharedChain};
use cocoon_runner::report::{Exposition, Report, nanoton, root_config};
use serde_json::{Value, json};

use super::App;
use crate::account::Accounts;
use crate::closed::ClosedContract;
use crate::connection::ProxyConnection;

/// The pages of a client.
pub(super) struct Pages(pub(super) Arc<App>);

#[async_trait]
impl Report for Pages {
    fn role(&self) -> &'static str {
        "client"
    }

    async fn statistics(&self) -> Value {
        statistics(&self.0)
    }

    fn metrics(&self, page: &mut Exposition) {
        super::figures::write(&self.0, page);
    }

    fn chain(&self) -> Option<SharedChain> {
        Some(Arc::clone(&self.0.context.chain))
    }
}

fn statistics(app: &App) -> Value {
    let accounts = app.accounts.borrow().clone();
    let root = app.context.root();
    let upstream = app.upstream.borrow().clone();
    let counters = app.stats.snapshot();
    let now = app.context.clock.now_f64();
    let sending = u8::from(app.context.wallet.is_sending());
    json!({
        "status": {
            "wallet_balance": nanoton(accounts.wallet_balance),
            "ton_last_synced_at": accounts.synced_at.max(root.time),
            "enabled": !app.stop.is_cancelled(),
            "git_commit": env!("CARGO_PKG_VERSION"),
            "git_commit_data": "",
        },
        "stats": {
            "queries": counters.queries.json(now),
            "success": counters.success.json(now),
            "failed": counters.failed.json(now),
            "bytes_received": counters.bytes_received.json(now),
            "bytes_sent": counters.bytes_sent.json(now),
            "time": counters.time.json(now),
        },
        "wallet": {
            "address": friendly(app.context.wallet.address(), false, false),
            "balance": nanoton(accounts.wallet_balance),
            "seqno": accounts.wallet_seqno,
            "pending_transactions_cnt": sending,
            "active_transactions_cnt": sending,
        },
        "localconf": {
            "root_address": friendly(&root.address, true, false),
            "owner_address": app.owner,
            "check_proxy_hash": true,
        },
        "root_contract_config": root_config(&root),
        "proxy_connections": connections(&root, &upstream.connections),
        "proxies": upstream.by_contract().into_values().map(|connection| proxy(&connection, &accounts)).collect::<Vec<_>>(),
        "closed_contracts": accounts.closed.iter().map(closed).collect::<Vec<_>>(),
    })
}

/// All connections; while there is none, where one could be made.
pub(super) fn connections(root: &RootView, connections: &[Arc<ProxyConnection>]) -> Vec<Value> {
    if connections.is_empty() {
        let listed = root.data.proxies.values();
        return listed
            .map(|p| json!({ "address": p.clients, "is_ready": false }))
            .collect();
    }
    let row = |connection: &Arc<ProxyConnection>| {
        json!({
            "address": connection.address,
            "is_ready": !connection.is_closed(),
            "proxy_sc_address": friendly(&connection.proxy.contract, false, false),
            "protocol": connection.version.to_wire(),
            "running_requests": connection.running_requests(),
        })
    };
    connections.iter().map(row).collect()
}

fn closed(closed: &ClosedContract) -> Value {
    json!({
        "sc_address": friendly(&closed.contract, false, false),
        "charged_tokens": closed.charged,
        "receipt_tokens": closed.receipts,
        "unexplained_tokens": closed.unexplained(),
    })
}

fn proxy(connection: &ProxyConnection, accounts: &Accounts) -> Value {
    let payments = connection.payments();
    let client = accounts.clients.get(&connection.client_contract);
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
