//! `GET /jsonstats`, in the deployed form; what it has no room for comes besides it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_chain::SharedChain;
use cocoon_ledger::{ClientChannel, ContractState, WorkerChannel};
use cocoon_protocol::context::ContextLength;
use cocoon_runner::report::{Exposition, Report, nanoton, root_config};
use serde_json::{Value, json};

use crate::state::Proxy;
use crate::{outage, winding};

/// The pages of a proxy.
pub(super) struct Pages(pub(super) Arc<Proxy>);

#[async_trait]
impl Report for Pages {
    fn role(&self) -> &'static str {
        "proxy"
    }

    async fn statistics(&self) -> Value {
        statistics(&self.0)
    }

    fn metrics(&self, page: &mut Exposition) {
        super::figures::write(&self.0, page);
    }

    fn chain(&self) -> Option<SharedChain> {
        Some(Arc::clone(&self.0.chain))
    }
}

fn statistics(proxy: &Proxy) -> Value {
    let on_chain = proxy.on_chain();
    let root = Arc::clone(&proxy.root.borrow());
    let accounts = proxy.accounts.seen();
    let balance = nanoton(accounts.wallet.balance);
    let sending = u8::from(proxy.wallet.is_sending());
    let image_is_listed = proxy.image.is_some_and(|image| root.allows_proxy_image(&image));
    json!({
        "status": {
            "wallet_balance": balance,
            "actual_image_hash": image_is_listed,
            "ton_last_synced_at": root.time,
            "enabled": proxy.accepts(),
            "git_commit": env!("CARGO_PKG_VERSION"),
            "git_commit_data": "",
            "image_hash": proxy.image.map(|image| image.to_string()),
            "simulated": proxy.trust.is_simulated(),
        },
        "stats": proxy.stats.json(),
        "wallet": {
            "address": on_chain.text(proxy.wallet.address()),
            "balance": balance,
            "seqno": accounts.wallet.seqno,
            "pending_transactions_cnt": sending,
            "active_transactions_cnt": sending,
        },
        "localconfig": {
            "root_address": on_chain.text(&on_chain.root),
            "owner_address": on_chain.text(&on_chain.owner),
            "check_worker_hashes": true,
        },
        "smartcontract": {
            "address": on_chain.text(&on_chain.contract),
            "params_version": on_chain.params.params_version,
            "balance": nanoton(accounts.contract_balance),
            "ready_for_withdraw": nanoton(accounts.earned),
        },
        "chain": outage::json(proxy),
        "old_instances": winding::json(proxy),
        "root_contract_config": root_config(&root),
        "commits": {
            "seqno": proxy.books.ledger().commits().seqno(),
            "seen_on_chain": proxy.books.ledger().commits().landed_seqno(),
        },
        "workers": workers(proxy),
        "worker_connections": worker_connections(proxy),
        "waiting_queries": proxy.workers.waiting(),
        "clients": clients(proxy),
    })
}

fn workers(proxy: &Proxy) -> Vec<Value> {
    let on_chain = proxy.on_chain();
    let mut running: HashMap<Address, u32> = HashMap::new();
    for (worker, state) in proxy.workers.views() {
        let of_contract = running.entry(worker.contract.clone()).or_default();
        *of_contract = of_contract.saturating_add(state.running);
    }
    // Copied: no request waits for the books while a long page is written.
    let channels: Vec<_> = proxy.books.ledger().workers().map(owned).collect();
    let row = |(contract, channel): (Address, WorkerChannel)| {
        let paid = channel.on_chain.as_ref().map_or(TokenCount::ZERO, |seen| seen.tokens);
        json!({
            "owner_address": on_chain.text(&channel.owner),
            "sc_address": on_chain.text(&contract),
            "earned_tokens": channel.account.max(),
            "committed_tokens": channel.account.chain(),
            "unpayed_tokens": channel.account.max().saturating_sub(paid),
            "paying_now": false,
            "running_queries": running.get(&contract).copied().unwrap_or_default(),
        })
    };
    channels.into_iter().map(row).collect()
}

fn owned<C: Clone>((contract, channel): (&Address, &C)) -> (Address, C) {
    (contract.clone(), channel.clone())
}

pub(super) fn worker_connections(proxy: &Proxy) -> Vec<Value> {
    let on_chain = proxy.on_chain();
    let row = |(worker, state): &(Arc<crate::workers::WorkerPeer>, cocoon_market::WorkerView)| {
        let mut row = json!({
            "owner_address": on_chain.text(&worker.owner),
            "model": worker.model.as_str(),
            "worker_hash": worker.image,
            "coefficient": state.coefficient,
            "protocol": worker.version.to_wire(),
            "running_queries": state.running,
            "max_running_queries": state.slots,
            "context_length": worker.context().map(ContextLength::tokens),
            "finished_queries": state.finished,
            "succeeded_queries": state.succeeded,
            "average_seconds": state.average_seconds,
            "first_token_seconds": state.first_token_seconds,
            "failure_rate": state.failure_rate,
            "reputation": state.reputation,
            "held_back": state.is_held_back,
            "draining": state.is_draining,
            "enabled": state.is_enabled,
        });
        for (name, rate) in proxy.stats.served_by(worker.id) {
            row[name] = rate.into();
        }
        row
    };
    proxy.workers.views().iter().map(row).collect()
}

fn clients(proxy: &Proxy) -> Vec<Value> {
    let on_chain = proxy.on_chain();
    let channels: Vec<_> = proxy.books.ledger().clients().map(owned).collect();
    let row = |(contract, channel): (Address, ClientChannel)| {
        let seen = channel.on_chain.as_ref();
        let charged = seen.map_or(TokenCount::ZERO, |seen| seen.tokens_used);
        let state = seen.map(|seen| seen.state);
        json!({
            "owner_address": on_chain.text(&channel.owner),
            "sc_address": on_chain.text(&contract),
            "used_tokens": channel.account.max(),
            "committed_tokens": channel.account.chain(),
            "tokens_to_charge": channel.account.max().saturating_sub(charged),
            "available_tokens": channel.available(),
            "reserved_tokens": channel.reserved(),
            "running_queries": channel.running(),
            "closing": state == Some(ContractState::Closing),
            "closed": state == Some(ContractState::Closed),
        })
    };
    channels.into_iter().map(row).collect()
}
