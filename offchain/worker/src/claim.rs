//! What this worker may claim on chain when a proxy is silent: messages for the owner's wallet.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{from_cell, to_cell};
use cocoon_bindings::types::SettleClaim;
use cocoon_bindings::units::{Nanoton, PublicKey, QueryId};
use cocoon_bindings::worker::ClaimByStatement;
use cocoon_bindings::{BindingsError, ExportedMessage, StateInit, worker_state_init};
use cocoon_store::KeptClaim;
use serde::Serialize;

use crate::error::WorkerError;
use crate::worker::Worker;

/// Attached to each message for the contracts' work; what is left comes back.
const VALUE: Nanoton = Nanoton::new(500_000_000);

/// One claim as the control port shows it.
#[derive(Serialize)]
pub(crate) struct ShownClaim {
    proxy: String,
    worker: String,
    tokens: u64,
    statement_hash: String,
    /// First: begins the delay in which the proxy may settle by itself.
    claim: ExportedMessage,
    /// Then, after the delay.
    settle: ExportedMessage,
}

/// The claims against all proxies, those of the past included. Blocks on the disk.
pub(crate) fn claims(worker: &Worker) -> Result<Vec<ShownClaim>, WorkerError> {
    let kept = worker.store.claims()?;
    kept.iter().map(|kept| show(worker, kept)).collect()
}

fn show(worker: &Worker, KeptClaim { claim, statement }: &KeptClaim) -> Result<ShownClaim, WorkerError> {
    let root = worker.root.borrow().clone();
    let query_id = QueryId::new(rand::random());
    let send_excesses_to = worker.owner.clone();
    let signature = claim.signature.as_slice().try_into();
    let by_statement = ClaimByStatement {
        query_id,
        send_excesses_to: send_excesses_to.clone(),
        signature: signature.map_err(|_| WorkerError::Countersignature)?,
        statement: from_cell(&statement.to_cell()).map_err(BindingsError::layout("a statement"))?,
    };
    let settle = SettleClaim {
        query_id,
        send_excesses_to,
    };
    // A contract that is not deployed yet comes with the claim, if it is one of the terms of today.
    let key = PublicKey::new(claim.proxy_key.0);
    let init = worker_state_init(&worker.owner, &statement.proxy, &key, &root.params)?;
    let state_init = (init.address()? == statement.worker).then_some(init);
    let export = |body, state_init: Option<StateInit>| {
        let message = InternalMessage {
            to: statement.worker.clone(),
            value: VALUE,
            bounce: true,
            body,
            state_init,
        };
        ExportedMessage::new(&message, root.is_test())
    };
    let layout = BindingsError::layout("a claim");
    Ok(ShownClaim {
        proxy: statement.proxy.to_string(),
        worker: statement.worker.to_string(),
        tokens: claim.tokens,
        statement_hash: claim.statement.to_string(),
        claim: export(to_cell(&by_statement).map_err(&layout)?, state_init)?,
        settle: export(to_cell(&settle).map_err(&layout)?, None)?,
    })
}
