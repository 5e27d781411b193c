//! `/proxies`, `/workers` and `/models`.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use cocoon_bindings::ton::Address;
use cocoon_owner::governance::ListedHash;
use cocoon_owner::{date, lifecycle};
use cocoon_receipt::reputation::{Reputation, day_of};
use serde_json::{Value, json};

use super::{Explored, as_of, prices, shown};
use crate::contracts::{Held, ProxyHeld, proxy_tail, worker_tail};
use crate::sums::{Coefficients, ModelSum, WorkerSum};
use crate::view::{LogSeen, RootSeen, View};
use crate::words::Kind;

/// Proxies: places that are listed, and contracts that are known.
pub(super) async fn proxies(State(inner): Explored) -> Response {
    shown(&inner, |view, root| {
        let known = view.contracts.of(Kind::Proxy);
        let rows = known.filter_map(|(address, contract)| match &contract.held {
            Held::Proxy(held) => Some(proxy(view, address, held)),
            _ => None,
        });
        Ok(json!({
            "as_of": as_of(&inner, view),
            "listed": root.snapshot.proxies,
            "contracts": rows.collect::<Vec<_>>(),
            "strangers": view.logs.iter().flat_map(strangers).collect::<Vec<_>>(),
        }))
    })
    .await
}

/// Contracts that a log names and that are no proxy contracts of this network.
fn strangers(log: &LogSeen) -> impl Iterator<Item = Value> {
    let row = |(contract, reason): (&Address, &String)| json!({ "contract": contract.to_string(), "reason": reason, "log": log.url });
    log.strangers.iter().map(row)
}

fn proxy(view: &View, address: &Address, held: &ProxyHeld) -> Value {
    let account = &held.account;
    let tail = proxy_tail(account);
    let anchor = tail.as_ref().filter(|tail| tail.is_anchored).map(
        |tail| json!({ "seqno": tail.seqno, "size": tail.size, "root": tail.root_hash.to_string(), "time": tail.time }),
    );
    let sum = view.sums.proxies.get(address).cloned().unwrap_or_default();
    let children = |kind: Kind| {
        let is_ours = |held: &Held| match held {
            Held::Client(client) => client.constants.proxy == *address,
            Held::Worker(worker) => worker.proxy == *address,
            Held::Proxy(_) | Held::Nothing => false,
        };
        view.contracts
            .of(kind)
            .filter(|(_, contract)| is_ours(&contract.held))
            .count()
    };
    json!({
        "contract": address.to_string(),
        "key": account.proxy_public_key.to_string(),
        "owner": account.owner.to_string(),
        "state": lifecycle(account.state),
        "is_of_root": held.is_of_root,
        "earned": account.balance,
        "stake": account.stake,
        "coins": account.account.balance,
        "params_version": account.params.params_version,
        "unlocks_at": Some(account.unlock_ts).filter(|time| *time != 0),
        "is_slashed": tail.as_ref().is_some_and(|tail| tail.is_slashed),
        "anchor": anchor,
        "receipts": sum.receipts,
        "tokens": sum.tokens,
        "workers": children(Kind::Worker),
        "clients": children(Kind::Client),
        "log": held.log,
    })
}

/// Worker contracts: of receipts, and those that wrote to a proxy contract.
pub(super) async fn workers(State(inner): Explored) -> Response {
    shown(&inner, |view, _| {
        let day = day_of(u64::from(view.time).saturating_mul(1000));
        let known = view.contracts.of(Kind::Worker).map(|(address, _)| address);
        let all: BTreeSet<&Address> = known
            .chain(view.sums.workers.keys().map(|(address, _)| address))
            .collect();
        let rows = all
            .into_iter()
            .map(|address| worker(view, address, day))
            .collect::<Vec<_>>();
        let told = date(view.time);
        Ok(json!({
            "as_of": as_of(&inner, view),
            "day": told.split(' ').next(),
            "workers": rows,
        }))
    })
    .await
}

fn worker(view: &View, address: &Address, day: u64) -> Value {
    let held = view.contracts.get(address).map(|contract| &contract.held);
    let account = match held {
        Some(Held::Worker(worker)) => Some(worker.as_ref()),
        _ => None,
    };
    let empty = WorkerSum::default();
    let sum = match account {
        // Any log may name it: that of its own proxy contract tells what it did.
        Some(account) => log_of(view, &account.proxy).and_then(|log| view.sums.worker(address, Some(log))),
        None => view.sums.worker(address, None),
    };
    let sum = sum.unwrap_or(&empty);
    let proxy = account
        .map(|account| account.proxy.clone())
        .or_else(|| sum.proxy.clone());
    let score = account.and_then(worker_tail).map(|tail| tail.score);
    let (waited, of) = sum.first_token_ms;
    let reputation = sum.reputation(day).map(Reputation::get);
    json!({
        "contract": address.to_string(),
        "proxy": proxy.map(|proxy| proxy.to_string()),
        "owner": account.map(|account| account.owner.to_string()),
        "state": account.map_or("absent", |account| lifecycle(account.state)),
        "tokens_paid": account.map(|account| account.tokens),
        "score": score.map(|score| json!({
            "requests": score.requests,
            "failures": score.failures,
            "tokens": score.tokens,
        })),
        "receipts": sum.receipts,
        "tokens": sum.tokens,
        "signed": sum.signed,
        "failed": sum.failed,
        "models": sum.models.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "coefficient": coefficients(sum.coefficients.as_ref()),
        "first_token_ms": waited.checked_div(of).map(|average| json!({ "average": average, "of": of })),
        "first_seen_ms": sum.seen_ms.map(|(first, _)| first),
        "last_seen_ms": sum.seen_ms.map(|(_, last)| last),
        "reputation": reputation,
    })
}

/// The log of a proxy contract, by its place among those that are read.
fn log_of(view: &View, proxy: &Address) -> Option<usize> {
    let Some(Held::Proxy(held)) = view.contracts.get(proxy).map(|contract| &contract.held) else {
        return None;
    };
    let key = Some(held.account.proxy_public_key);
    view.logs.iter().position(|log| log.is_key_on_chain && log.key == key)
}

fn coefficients(seen: Option<&Coefficients>) -> Value {
    seen.map_or(
        Value::Null,
        |seen| json!({ "least": seen.least, "most": seen.most, "last": seen.last }),
    )
}

/// Models: those that the root contract lists, and those of receipts.
pub(super) async fn models(State(inner): Explored) -> Response {
    shown(&inner, |view, root| {
        let workers = view.sums.workers_of_models();
        let seen = view.sums.models.iter().map(|(hash, sum)| {
            let workers = workers.get(hash).copied().unwrap_or_default();
            (hash.to_string(), (sum, workers))
        });
        let seen: BTreeMap<String, (&ModelSum, usize)> = seen.collect();
        let named: BTreeSet<&str> = root.snapshot.models.iter().map(|listed| listed.hash.as_str()).collect();
        let listed = root.snapshot.models.iter();
        let listed = listed.map(|listed| model(root, &listed.hash, Some(listed), seen.get(&listed.hash)));
        let others = seen.iter().filter(|(hash, _)| !named.contains(hash.as_str()));
        let others = others.map(|(hash, seen)| model(root, hash, None, Some(seen)));
        Ok(json!({ "as_of": as_of(&inner, view), "models": listed.chain(others).collect::<Vec<_>>() }))
    })
    .await
}

/// A model with what receipts say of it, and how many workers ran it.
fn model(root: &RootSeen, hash: &str, listed: Option<&ListedHash>, seen: Option<&(&ModelSum, usize)>) -> Value {
    let (sum, workers) = (seen.map(|(sum, _)| *sum), seen.map_or(0, |(_, workers)| *workers));
    let seen = sum.and_then(|sum| sum.coefficients);
    json!({
        "hash": hash,
        "label": listed.and_then(|listed| listed.label.clone()),
        "is_listed": listed.is_some(),
        "is_valid": listed.is_some_and(|listed| listed.is_valid),
        "not_before": listed.and_then(|listed| listed.not_before),
        "retire_after": listed.and_then(|listed| listed.retire_after),
        "manifest_hash": listed.and_then(|listed| listed.manifest_hash.clone()),
        "workers": workers,
        "receipts": sum.map_or(0, |sum| sum.receipts),
        "tokens": sum.map_or(0, |sum| sum.tokens),
        "coefficient": coefficients(seen.as_ref()),
        "prices": seen.map(|seen| prices(root, seen.last)),
        "last_seen_ms": sum.map(|sum| sum.last_seen_ms),
    })
}
