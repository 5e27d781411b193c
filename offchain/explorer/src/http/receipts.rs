//! `/receipts`: search, and one receipt with the proof of its place.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::units::Nanoton;
use cocoon_openai::ApiError;
use cocoon_receipt::ChannelLink;
use cocoon_tlog::{InclusionPage, PublishedLog};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{Question, address, hash, hash_of, limit, place, question, write};
use super::{Explored, answer, as_of, reading, refused, shown};
use crate::contracts::Held;
use crate::limits::PROOF_WAIT;
use crate::receipts::{Proven, Wanted};
use crate::start::Inner;
use crate::view::View;

#[derive(Deserialize)]
pub(super) struct Asked {
    proxy: Option<String>,
    worker: Option<String>,
    client: Option<String>,
    model: Option<String>,
    since_ms: Option<u64>,
    until_ms: Option<u64>,
    limit: Option<usize>,
    before: Option<String>,
}

/// Newest first.
pub(super) async fn list(State(inner): Explored, asked: Question<Asked>) -> Response {
    shown(&inner, |view, _| {
        let asked = question(asked)?;
        let (limit, before) = (limit(asked.limit)?, place(asked.before.as_deref())?);
        let wanted = Wanted {
            proxy: address("proxy", asked.proxy.as_deref())?,
            worker: address("worker", asked.worker.as_deref())?,
            client: address("client", asked.client.as_deref())?,
            model: hash("model", asked.model.as_deref())?,
            since_ms: asked.since_ms,
            until_ms: asked.until_ms,
        };
        let mut rows: Vec<_> = view.receipts.search(&wanted, before).take(limit + 1).collect();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|proven| write(proven.place()));
        Ok(json!({
            "as_of": as_of(&inner, view),
            "receipts": rows.into_iter().map(|proven| row(view, proven)).collect::<Vec<_>>(),
            "next": next,
            "window": { "receipts": view.receipts.len(), "is_complete": view.has_all_receipts() },
        }))
    })
    .await
}

/// What was charged, at the price of the proxy contract's terms; none while those are not known.
fn cost(view: &View, proven: &Proven) -> Option<Nanoton> {
    let receipt = &proven.signed.receipt;
    let contract = view.contracts.get(&receipt.statement.proxy)?;
    let Held::Proxy(held) = &contract.held else { return None };
    held.account.params.price_per_token.checked_mul(receipt.charged())
}

fn row(view: &View, proven: &Proven) -> Value {
    let receipt = &proven.signed.receipt;
    let statement = &receipt.statement;
    json!({
        "id": proven.id.to_string(),
        "index": proven.index,
        "proxy": statement.proxy.to_string(),
        "worker": statement.worker.to_string(),
        "client": receipt.client.to_string(),
        "model_hash": statement.model.to_string(),
        "tokens_used": statement.used,
        "tokens_charged": receipt.charged(),
        "cost": cost(view, proven),
        "coefficient": statement.coefficient.get(),
        "finish_reason": statement.finish.word(),
        "started_ms": statement.timing.started_ms,
        "first_token_ms": statement.timing.first_token_ms,
        "finished_ms": statement.timing.finished_ms,
        "signed_by_worker": proven.signed.worker_signature.is_some(),
        // Nothing else is kept.
        "verified": true,
    })
}

/// One receipt.
pub(super) async fn one(State(inner): Explored, Path(id): Path<String>) -> Response {
    let Some(hash) = hash_of(&id) else {
        return refused(&ApiError::invalid_field("id", "must be 64 hex digits"));
    };
    inner.ask().await;
    let found = {
        let view = inner.view.read();
        if view.root.is_none() {
            return refused(&reading(&view));
        }
        view.receipts.get(&hash).map(|proven| {
            let log = view.logs.get(proven.log);
            let opened = log.and_then(|log| log.log.clone());
            (proven.clone(), opened, page(&view, proven))
        })
    };
    let Some((proven, log, mut page)) = found else {
        return refused(&unknown());
    };
    let (inclusion, unavailable) = match prove(&inner, log, &proven).await {
        Ok(inclusion) => (inclusion, Value::Null),
        Err(reason) => (Value::Null, Value::from(reason)),
    };
    if let Value::Object(members) = &mut page {
        members.insert("inclusion".to_owned(), inclusion);
        members.insert("inclusion_unavailable".to_owned(), unavailable);
    }
    answer(Ok(page))
}

fn unknown() -> ApiError {
    ApiError {
        status: 404,
        kind: "invalid_request_error",
        code: "unknown_receipt",
        message: "This receipt is not among those that were read: `cocoon log prove --receipt ID` looks everywhere."
            .to_owned(),
        param: Some("id".to_owned()),
        retry_after: None,
    }
}

fn page(view: &View, proven: &Proven) -> Value {
    let receipt = &proven.signed.receipt;
    let statement = &receipt.statement;
    let log = view.logs.get(proven.log);
    json!({
        "id": proven.id.to_string(),
        "request_id": hex::encode(receipt.request_id.0),
        "root": statement.root.to_string(),
        "params_version": statement.params_version.get(),
        "proxy": statement.proxy.to_string(),
        "worker": statement.worker.to_string(),
        "client": receipt.client.to_string(),
        "model_hash": statement.model.to_string(),
        "coefficient": statement.coefficient.get(),
        "counts": statement.counts,
        "tokens_used": statement.used,
        "tokens_charged": receipt.charged(),
        "cost": cost(view, proven),
        "channel": link(&receipt.channel),
        "worker_channel": link(&statement.channel),
        "request_hash": hex::encode(statement.request_hash.0),
        "response_hash": hex::encode(statement.response_hash.0),
        "sampling_hash": hex::encode(statement.sampling_hash.0),
        "seed": statement.seed.to_string(),
        "worker_evidence": hex::encode(statement.worker_evidence.0),
        "proxy_evidence": hex::encode(receipt.proxy_evidence.0),
        "started_ms": statement.timing.started_ms,
        "first_token_ms": statement.timing.first_token_ms,
        "finished_ms": statement.timing.finished_ms,
        "finish_reason": statement.finish.word(),
        "signed_by_worker": proven.signed.worker_signature.is_some(),
        "verified": true,
        "checked": ["log", "proxy_signature", "arithmetic"],
        "proxy_key": log.and_then(|log| log.key).map(|key| key.to_string()),
        "log": log.map(|log| log.url.clone()),
        "boc": STANDARD.encode(proven.signed.to_boc()),
    })
}

fn link(link: &ChannelLink) -> Value {
    json!({
        "seqno": link.seqno,
        "previous": hex::encode(link.previous.0),
        "before": link.before,
        "after": link.after,
    })
}

/// The proof of its place, checked as whoever gets it will; or why there is none.
async fn prove(inner: &Inner, log: Option<Arc<PublishedLog>>, proven: &Proven) -> Result<Value, String> {
    let log = log.ok_or("the log is not at hand")?;
    let Ok(_turn) = inner.proofs.try_acquire() else {
        return Err("too many proofs are being made; ask again".to_owned());
    };
    let proof = tokio::time::timeout(PROOF_WAIT, log.prove(proven.index)).await;
    let proof = proof.map_err(|_| "the log was not read in time; ask again")?;
    let proof = proof.map_err(|error| format!("the log cannot be read: {error}"))?;
    let checkpoint = proof.verify(&proven.id, log.key());
    let checkpoint = checkpoint.map_err(|error| format!("the log is refused: {error}"))?;
    let mut shown = json!(InclusionPage::from(&proof));
    if let Value::Object(members) = &mut shown {
        members.insert("log".to_owned(), checkpoint.origin.into());
        members.insert("size".to_owned(), checkpoint.size.into());
    }
    Ok(shown)
}
