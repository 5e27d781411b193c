//! The part of a receipt's page that proves it to be in its proxy's published log.

use std::future::ready;
use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::PublicKey;
use cocoon_chain::ProxyAccount;
use cocoon_receipt::log::Checkpoint;
use cocoon_store::StoredReceipt;
use cocoon_tlog::{InclusionPage, InclusionProof};
use futures_util::future::Either;
use serde_json::{Value, json};

use super::App;
use crate::logs::Wanted;

/// Adds `inclusion` and `inclusion_unavailable`, one of which is null.
pub(super) async fn add(app: &Arc<App>, stored: &StoredReceipt, page: &mut Value) {
    let statement = &stored.receipt.receipt.statement;
    let wanted = Wanted {
        id: stored.receipt.id(),
        proxy: statement.proxy.clone(),
        finished_ms: statement.timing.finished_ms,
    };
    let proven = app.logs.prove(wanted, key(app, &statement.proxy)).await;
    let (inclusion, unavailable) = match proven {
        Ok(proof) => (describe(&proof), Value::Null),
        Err(reason) => (Value::Null, Value::from(reason.to_string())),
    };
    if let Value::Object(members) = page {
        members.insert("inclusion".to_owned(), inclusion);
        members.insert("inclusion_unavailable".to_owned(), unavailable);
    }
}

/// As `cocoon verify receipt` and `cocoon log verify --proof` read it; size and root are those of the checkpoint, for people.
fn describe(proof: &InclusionProof) -> Value {
    let mut shown = json!(InclusionPage::from(proof));
    let read = Checkpoint::named_origin(&proof.note).ok();
    let mut lines = proof.note.lines().skip(1);
    let size = lines.next().and_then(|size| size.parse::<u64>().ok());
    if let (Value::Object(members), Some(origin), Some(size)) = (&mut shown, read, size) {
        members.insert("log".to_owned(), origin.into());
        members.insert("size".to_owned(), size.into());
    }
    shown
}

/// The key of a proxy's contract where nobody needs to be asked: of one that is connected, or that the chain told before.
pub(super) fn known_key(app: &App, contract: &Address) -> Option<PublicKey> {
    let connections = app.upstream.borrow().connections.clone();
    let connected = connections.iter().find(|known| known.proxy.contract == *contract);
    let known = connected.map(|known| known.proxy.public_key);
    known.or_else(|| app.proxy_keys.get(contract))
}

/// The key of a proxy's contract: of one that is connected, whose contract follows from it, or by the chain.
fn key(app: &Arc<App>, contract: &Address) -> impl Future<Output = Result<PublicKey, String>> + Send + use<> {
    if let Some(key) = known_key(app, contract) {
        return Either::Left(ready(Ok(key)));
    }
    let (chain, keys, contract) = (
        Arc::clone(&app.context.chain),
        Arc::clone(&app.proxy_keys),
        contract.clone(),
    );
    Either::Right(async move {
        let account = ProxyAccount::fetch(chain.as_ref(), &contract).await;
        let key = account.map_err(|error| error.to_string())?.proxy_public_key;
        keys.put(contract, key);
        Ok(key)
    })
}
