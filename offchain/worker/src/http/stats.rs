//! `GET /jsonstats`: the deployed shape, and besides it a section for each model.

use super::Pages;
use crate::balance::Balance;
use crate::counters::Counters;
use crate::metrics::{self, Figures, OfAll};
use crate::payout::Seen;
use crate::worker::Worker;
use async_trait::async_trait;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_chain::SharedChain;
use cocoon_protocol::context::ContextLength;
use cocoon_runner::report::{Exposition, Report, nanoton, root_config};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[async_trait]
impl Report for Pages {
    fn role(&self) -> &'static str {
        "worker"
    }

    async fn statistics(&self) -> Value {
        statistics(self)
    }

    fn metrics(&self, page: &mut Exposition) {
        let models: Vec<Figures<'_>> = self.workers.iter().map(|worker| Figures::of(worker)).collect();
        let seen_at = u64::from(self.first().root.borrow().time);
        let chain_age = self.clock.now().saturating_sub(seen_at);
        let of_all = OfAll {
            unsettled_tokens: unsettled(self),
            chain_age_seconds: chain_age,
            certificate_left_seconds: self.identities.peek().expires_at().saturating_sub(self.clock.now()),
        };
        metrics::write(page, &models, &of_all);
    }

    fn chain(&self) -> Option<SharedChain> {
        Some(Arc::clone(&self.chain))
    }
}

/// Tokens that proxies count for this worker beyond what its contracts are known to have been paid.
fn unsettled(pages: &Pages) -> u64 {
    let paid = seen(pages).paid;
    // Models that work for one proxy share the contract there.
    let mut earned: BTreeMap<Address, u64> = BTreeMap::new();
    for balance in pages.workers.iter().flat_map(|worker| worker.balances()) {
        let most = earned.entry(balance.channel().worker.clone()).or_default();
        *most = (*most).max(balance.memory().tokens_max);
    }
    let owed = |(contract, tokens): (&Address, &u64)| {
        let paid = paid.get(contract).map_or(0, |paid| paid.get());
        tokens.saturating_sub(paid)
    };
    earned.iter().map(owed).fold(0, u64::saturating_add)
}

fn seen(pages: &Pages) -> Seen {
    pages.payouts.as_ref().map(|payouts| payouts.seen()).unwrap_or_default()
}

/// What the deployed shape has room for once is that of the first model; counts are those of all.
fn statistics(pages: &Pages) -> Value {
    let workers = &pages.workers;
    let first = pages.first();
    let root = first.root.borrow().clone();
    let is_test = root.is_test();
    let address = |address: &Address| friendly(address, true, is_test);
    let seen = seen(pages);
    let balance = nanoton(seen.wallet.balance);
    let payouts = pages.payouts.as_ref();
    let is_sending = payouts.is_some_and(|payouts| payouts.is_sending());
    let proxies: Vec<Value> = workers
        .iter()
        .flat_map(|worker| {
            worker
                .balances()
                .into_iter()
                .map(|balance| proxy(worker, &balance, &seen, is_sending, &address))
        })
        .collect();
    let closed = seen.closed.iter().map(|(contract, closed)| {
        json!({
            "sc_address": address(contract),
            "paid_tokens": closed.paid,
            "signed_tokens": closed.signed,
            "unpaid_tokens": closed.unpaid(),
        })
    });
    let closed: Vec<Value> = closed.collect();
    let state = first.switch.state();
    let counters: Vec<&Counters> = workers.iter().map(|worker| &worker.counters).collect();
    json!({
        "status": {
            "wallet_balance": balance,
            "actual_image_hash": pages.image.is_some_and(|image| root.allows_worker_image(&image)),
            "actual_model": root.allows_model(&first.model.model_hash()),
            "ton_last_synced_at": root.time,
            "enabled": state.enabled,
            "git_commit": env!("CARGO_PKG_VERSION"),
            "git_commit_data": "",
            "state": state.word(),
            "image_hash": pages.image.map(|image| image.to_string()),
            "model_manifest_hash": first.manifest_hash,
            "simulated_tdx": pages.simulated,
            "certificate_expires_at": pages.identities.peek().expires_at(),
        },
        "stats": Counters::sum_to_json(&counters),
        "wallet": {
            "address": payouts.map(|payouts| address(payouts.address())).unwrap_or_default(),
            "balance": balance,
            "seqno": seen.wallet.seqno,
            "pending_transactions_cnt": u8::from(is_sending),
            "active_transactions_cnt": u8::from(is_sending),
        },
        "localconfig": {
            "root_address": address(&root.address),
            "owner_address": address(&first.owner),
            "model": first.model.as_str(),
            "coefficient": first.coefficient().borrow().get(),
            "check_proxy_hash": true,
            "max_active_requests": first.max_active_requests,
        },
        "root_contract_config": root_config(&root),
        "proxies": proxies,
        "closed_contracts": closed,
        "models": workers.iter().map(|worker| model(worker)).collect::<Vec<_>>(),
        "gpus": *pages.gpus,
        "running_requests": pages.running_requests(),
        "proxy_connections": pages.proxy_connections(),
    })
}

fn model(worker: &Worker) -> Value {
    json!({
        "model": worker.model.as_str(),
        "manifest_hash": worker.manifest_hash,
        "state": worker.word(),
        "coefficient": worker.coefficient().borrow().get(),
        "pricing": worker.pricing.config(),
        "load": worker.pricing.load(),
        "max_active_requests": worker.max_active_requests,
        "context_length": worker.context.map(ContextLength::tokens),
        "running_requests": worker.active_requests(),
        "proxy_connections": worker.connections(),
        "stats": Counters::sum_to_json(&[&worker.counters]),
        "backend": worker.backend.describe(),
    })
}

fn proxy(
    worker: &Worker,
    balance: &Balance,
    seen: &Seen,
    is_sending: bool,
    address: &impl Fn(&Address) -> String,
) -> Value {
    let memory = balance.memory();
    let paid = seen.paid.get(&balance.channel().worker).map_or(0, |paid| paid.get());
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
        "cached_out_tokens": paid,
        "expected_cached_out_tokens": paid,
        "running_request": is_sending,
        "signed_statements": memory.head.seqno,
        "signed_tokens": memory.head.total,
        "claimable_tokens": memory.claim.as_ref().map(|claim| claim.tokens),
        "params_version": params_version.get(),
    })
}
