//! `GET /v1/cocoon/receipts/{id}`: a kept receipt, by its own name or that of its request. Of a request whose receipt is still
//! to come it waits for it, a bounded time.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::HashBytes;
use cocoon_openai::ApiError;
use cocoon_receipt::{ChannelLink, ReceiptId};
use cocoon_runner::off_thread;
use cocoon_store::{ClientStore, StoreError, StoredReceipt};
use serde_json::{Value, json};

use super::reply::reply;
use super::{App, inclusion, verification};
use crate::limits::RECEIPT_WAIT;

/// Shows a receipt.
pub(super) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let mut hash = [0; 32];
    if hex::decode_to_slice(&id, &mut hash).is_err() {
        return reply(&ApiError::invalid_field("id", "must be 64 hex digits"));
    }
    let connections = app.upstream.borrow().connections.clone();
    let taken = async {
        for connection in &connections {
            connection.receipt_taken(&hash).await;
        }
    };
    // Without it the answer below says that there is none yet.
    let _ = tokio::time::timeout(RECEIPT_WAIT, taken).await;
    let store = Arc::clone(&app.context.store);
    let found = off_thread(move || find(&store.lock().unwrap_or_else(PoisonError::into_inner), HashBytes(hash)));
    match found.await {
        Ok(Ok(Some(stored))) => {
            let mut page = describe(&stored);
            inclusion::add(&app, &stored, &mut page).await;
            verification::add(&app, &stored, &mut page).await;
            Json(page).into_response()
        }
        Ok(Ok(None)) => reply(&ApiError::not_found("this receipt id")),
        _ => {
            tracing::error!(id, "a kept receipt could not be read");
            reply(&ApiError::internal("The receipt could not be read."))
        }
    }
}

fn find(store: &ClientStore, hash: HashBytes) -> Result<Option<StoredReceipt>, StoreError> {
    match store.receipt(&ReceiptId(hash))? {
        Some(stored) => Ok(Some(stored)),
        None => store.by_request(&hash),
    }
}

fn describe(stored: &StoredReceipt) -> Value {
    let receipt = &stored.receipt.receipt;
    let statement = &receipt.statement;
    json!({
        "id": stored.receipt.id().to_string(),
        "request_id": hex::encode(receipt.request_id.0),
        "verified": stored.fault.is_none(),
        "fault": stored.fault,
        "verified_at": stored.verified_at,
        "signed_by_worker": stored.receipt.worker_signature.is_some(),
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
        "channel": link(&receipt.channel),
        "worker_channel": link(&statement.channel),
        "request_hash": hex::encode(statement.request_hash.0),
        "response_hash": hex::encode(statement.response_hash.0),
        "request_salt": hex::encode(stored.request_salt),
        "response_salt": hex::encode(stored.response_salt),
        "sampling_hash": hex::encode(statement.sampling_hash.0),
        "seed": statement.seed.to_string(),
        "worker_evidence": hex::encode(statement.worker_evidence.0),
        "proxy_evidence": hex::encode(receipt.proxy_evidence.0),
        "started_ms": statement.timing.started_ms,
        "first_token_ms": statement.timing.first_token_ms,
        "finished_ms": statement.timing.finished_ms,
        "finish_reason": statement.finish.to_string(),
        "boc": STANDARD.encode(stored.receipt.to_boc()),
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
