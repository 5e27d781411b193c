//! `GET /v1/cocoon/claims`: what this client may claim on chain when a proxy is silent.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cocoon_bindings::client::ClaimByReceipt;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, from_cell, to_cell};
use cocoon_bindings::types::SettleClaim;
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::{BindingsError, ExportedMessage};
use cocoon_openai::ApiError;
use cocoon_runner::off_thread;
use cocoon_store::StoredReceipt;
use serde::Serialize;

use super::App;
use super::reply::reply;

/// Attached to each message for the contracts' work; what is left comes back.
const VALUE: Nanoton = Nanoton::new(500_000_000);

/// One claim.
#[derive(Serialize)]
struct ShownClaim {
    proxy: String,
    client: String,
    tokens: u64,
    receipt: String,
    /// First: begins the delay in which the proxy may settle by itself.
    claim: ExportedMessage,
    /// Then, after the delay.
    settle: ExportedMessage,
}

/// Shows the claim of the latest receipt of each channel, for the wallet that owns the client contract.
pub(super) async fn show(State(app): State<Arc<App>>) -> Response {
    let store = Arc::clone(&app.context.store);
    let latest = off_thread(move || {
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.latest_receipts()
    });
    let Ok(Ok(latest)) = latest.await else {
        tracing::error!("kept receipts could not be read");
        return reply(&ApiError::internal("The receipts could not be read."));
    };
    let (owner, is_test) = (app.context.wallet.address(), app.context.root().is_test());
    let claims: Result<Vec<_>, _> = latest.iter().map(|stored| claim(stored, owner, is_test)).collect();
    match claims {
        Ok(claims) => Json(claims).into_response(),
        Err(error) => {
            tracing::error!(%error, "a claim could not be made");
            reply(&ApiError::internal("The claims could not be made."))
        }
    }
}

fn claim(stored: &StoredReceipt, owner: &Address, is_test: bool) -> Result<ShownClaim, BindingsError> {
    let signed = &stored.receipt;
    let receipt = &signed.receipt;
    let query_id = QueryId::new(rand::random());
    let by_receipt = ClaimByReceipt {
        query_id,
        send_excesses_to: owner.clone(),
        signature: signed.proxy_signature.0,
        receipt: from_cell(&receipt.to_cell()).map_err(BindingsError::layout("a receipt"))?,
    };
    let settle = SettleClaim {
        query_id,
        send_excesses_to: owner.clone(),
    };
    let layout = BindingsError::layout("a claim");
    let export = |body| {
        let message = InternalMessage {
            to: receipt.client.clone(),
            value: VALUE,
            bounce: true,
            body,
            state_init: None,
        };
        ExportedMessage::new(&message, is_test)
    };
    Ok(ShownClaim {
        proxy: receipt.statement.proxy.to_string(),
        client: receipt.client.to_string(),
        tokens: receipt.channel.after,
        receipt: signed.id().to_string(),
        claim: export(to_cell(&by_receipt).map_err(&layout)?)?,
        settle: export(to_cell(&settle).map_err(&layout)?)?,
    })
}
