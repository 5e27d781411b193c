//! The questions before a connection serves.

use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{CompareProof, Proof};
use cocoon_protocol::handshake::{ClientAuthorize, ClientConnecting};
use cocoon_protocol::limits::{AUTHORIZE_TIMEOUT, HANDSHAKE_TIMEOUT};
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::VersionRange;
use cocoon_protocol::{ErrorCode, Version};
use cocoon_ratls::SessionBinding;
use cocoon_receipt::ReceiptId;
use cocoon_runner::link::{CloseReason, LinkError, LinkHandle, prove_session};
use cocoon_runner::off_thread;
use cocoon_store::ClientStore;

use crate::context::Context;
use crate::contract::{self, ProxyIdentity};
use crate::error::ClientError;
use crate::payments::{Payments, VoucherRules};

pub(super) type Shaken = (ProxyIdentity, Address, Version, Payments);

pub(super) async fn shake_hands(
    link: &LinkHandle,
    session: Option<&SessionBinding>,
    context: &Context,
) -> Result<Shaken, ClientError> {
    let (connecting, question) =
        ClientConnecting::start(context.offer(context.trust.versions(VersionRange::OFFERED, session.is_some())));
    let answer = link.query(question, HANDSHAKE_TIMEOUT).await?;
    let step = connecting.connected(&answer)?;
    let connected = prove_session::<_, ClientError>(link, step, session, Role::Client).await?;
    let (identity, contract) = check_addresses(&connected, context)?;
    if let Some(funding) = context.funding.get().as_ref() {
        let hash = context.secret.hash();
        let root = context.root();
        contract::ensure_client_contract(&context.chain, &context.wallet, &root, &identity, funding, hash).await?;
    }
    let version = connected.proxy.version;
    let (authorizing, question) = connected.authorize(context.secret.bytes());
    let answered = link.query(question, AUTHORIZE_TIMEOUT);
    let answer = match authorizing.register_nonce {
        None => answered.await?,
        Some(nonce) => {
            tracing::info!(contract = %contract, "proving the ownership of the client contract through the chain");
            let registered = contract::register(&context.wallet, &contract, nonce.cast_unsigned());
            let (answer, ()) = tokio::try_join!(async { answered.await.map_err(ClientError::from) }, registered)?;
            answer
        }
    };
    let done = authorizing.finished(&answer)?;
    let rules = VoucherRules {
        proxy_key: identity.public_key,
        contract: contract.clone(),
    };
    let mut payments = Payments::default();
    payments.update(
        &rules,
        &done.signed_payment,
        Some((done.tokens_committed_to_db, done.max_tokens)),
    )?;
    if version.has_extensions() {
        show_proof(link, &context.store, &identity.contract, &contract).await?;
    }
    Ok((identity, contract, version, payments))
}

/// Shows the proxy the newest receipt that it gave us, before it gets work: one that does not know it has lost its books.
/// A receipt that did not verify is no proof.
async fn show_proof(
    link: &LinkHandle,
    store: &Arc<Mutex<ClientStore>>,
    proxy: &Address,
    client: &Address,
) -> Result<(), ClientError> {
    let (store, proxy, client) = (Arc::clone(store), proxy.clone(), client.clone());
    let newest = move || {
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let head = store.head(&proxy, &client)?;
        store.receipt(&ReceiptId(head.hash))
    };
    let stopped = |_| LinkError::Closed(CloseReason::Local);
    let newest = off_thread(newest).await.map_err(stopped)??;
    // Whatever else is wrong with it, the channel only ends at a receipt that the proxy signed.
    let Some(newest) = newest else {
        return Ok(());
    };
    let receipt = newest.receipt.to_boc().into();
    let question = encode(&CompareProof {
        proof: Proof::Receipt { receipt },
    });
    match link.query(question, HANDSHAKE_TIMEOUT).await {
        Ok(_) => Ok(()),
        // A proxy of an earlier build, that does not know the question.
        Err(LinkError::Refused { code, .. }) if code == ErrorCode::Plain.to_wire() => Ok(()),
        Err(LinkError::Refused { message, .. }) => Err(ClientError::ReceiptUnknown {
            receipt: newest.receipt.id(),
            message,
        }),
        Err(error) => Err(error.into()),
    }
}

/// Both contracts must follow from the proxy's key and owner and from our wallet.
fn check_addresses(connected: &ClientAuthorize, context: &Context) -> Result<(ProxyIdentity, Address), ClientError> {
    let root = context.root();
    let owner = parse_address(&connected.proxy.owner_address)?;
    let identity = ProxyIdentity::derive(&root, &owner, PublicKey::new(connected.proxy.public_key))?;
    let check = |what, text: &str, derived: &Address| match parse_address(text) {
        Ok(named) if named == *derived => Ok(()),
        Ok(named) => Err(ClientError::ForeignContract {
            what,
            named,
            derived: derived.clone(),
        }),
        Err(error) => Err(error.into()),
    };
    check(
        "its own contract",
        &connected.proxy.contract_address,
        &identity.contract,
    )?;
    let contract = identity.client_contract(&root, context.wallet.address())?.address()?;
    check("our contract", &connected.client_contract_address, &contract)?;
    Ok((identity, contract))
}
