//! A client comes in: by the secret whose hash its contract holds, or by a message through the chain.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_chain::{ChainError, ClientAccount};
use cocoon_ledger::{ClientOnChain, ContractState};
use cocoon_protocol::client::ProxyConnectionAuth;
use cocoon_protocol::handshake::{AuthorizeStep, ProxyClientHandshake, Refusal};
use cocoon_protocol::limits::{AUTHORIZE_TIMEOUT, HANDSHAKE_TIMEOUT};
use cocoon_protocol::message::ClientQuery;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::{ErrorCode, Version};
use cocoon_ratls::SessionBinding;
use cocoon_runner::link::{LinkEvent, LinkHandle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::contracts;
use crate::instance::Instance;
use crate::state::Proxy;

/// A client that proved who it is.
pub(super) struct Greeted {
    pub(super) instance: Arc<Instance>,
    pub(super) contract: Address,
    pub(super) version: Version,
}

/// Runs the handshake; `None` when it failed and the connection is to be closed.
pub(super) async fn run(
    proxy: &Arc<Proxy>,
    link: &LinkHandle,
    events: &mut mpsc::Receiver<LinkEvent>,
    session: Option<&SessionBinding>,
) -> Option<Greeted> {
    let mut handshake = ProxyClientHandshake::default();
    let mut greeted: Option<Challenged> = None;
    while handshake.ready().is_none() {
        let (id, data) = next_question(events, greeted.is_some()).await?;
        let answer = match ClientQuery::decode(&data) {
            Err(error) => Err(Refusal::new(ErrorCode::Parse, error.to_string())),
            Ok(query) if greeted.is_none() => match connect(proxy, &mut handshake, &query, session.is_some()).await {
                Ok((who, answer)) => {
                    greeted = Some(who);
                    Ok(answer)
                }
                Err(refusal) => Err(refusal),
            },
            Ok(query) if handshake.awaits_proof() => prove(&mut handshake, &query, session),
            Ok(query) => {
                let challenged = greeted.as_mut()?;
                authorize(proxy, link, &mut handshake, &query, challenged).await
            }
        };
        match answer {
            Ok(answer) => link.answer(id, answer).await.ok()?,
            Err(refusal) => {
                tracing::info!(reason = %refusal.message, "client refused");
                // It is closed next, whether it hears this or not.
                let _ = link.answer_error(id, refusal.code.to_wire(), refusal.message).await;
                return None;
            }
        }
    }
    let Challenged { instance, contract, .. } = greeted?;
    Some(Greeted {
        instance,
        contract,
        version: handshake.ready()?,
    })
}

/// The next question. A client that was challenged may have to go to the chain before it answers.
async fn next_question(events: &mut mpsc::Receiver<LinkEvent>, is_challenged: bool) -> Option<(i64, Bytes)> {
    let limit = if is_challenged {
        AUTHORIZE_TIMEOUT
    } else {
        HANDSHAKE_TIMEOUT
    };
    match timeout(limit, events.recv()).await {
        Ok(Some(LinkEvent::Query { id, data })) => Some((id, data)),
        // Nothing but questions is allowed before the connection serves.
        _ => None,
    }
}

/// A client that was given its challenge.
struct Challenged {
    instance: Arc<Instance>,
    contract: Address,
    /// Resolves when the registration is seen on chain. Awaited from the challenge on: the client sends its registration
    /// and its question at the same time, and either may be first.
    registered: oneshot::Receiver<()>,
}

async fn connect(
    proxy: &Proxy,
    handshake: &mut ProxyClientHandshake,
    query: &ClientQuery,
    can_prove: bool,
) -> Result<(Challenged, Bytes), Refusal> {
    if let Some(reason) = proxy.closed_because() {
        return Err(Refusal::new(ErrorCode::NotReady, reason));
    }
    let hello = handshake.connect(query, &proxy.rules(can_prove))?;
    let bad_address = |_| Refusal::new(ErrorCode::Plain, "Failed to parse account address");
    let owner = parse_address(&hello.owner_address).map_err(bad_address)?;
    let instance = proxy.on_chain();
    let contract = instance.client_contract(&owner).map_err(bad_address)?;
    let secret_hash = know(proxy, &instance, &owner, &contract).await?;
    let nonce: i64 = rand::random();
    let registered = proxy.registrations.wait(contract.clone(), nonce.cast_unsigned());
    let auth = match secret_hash {
        Some(hash) => ProxyConnectionAuth::Short {
            secret_hash: hash.0,
            nonce,
        },
        None => ProxyConnectionAuth::Long { nonce },
    };
    let payment = proxy.vouchers.for_client(&contract).payment;
    let answer = handshake.challenge(instance.wire_params(), instance.text(&contract), auth, payment)?;
    let challenged = Challenged {
        instance,
        contract,
        registered,
    };
    Ok((challenged, answer))
}

/// Reads the client's contract; the hash of its secret if it has set one. A contract that is not there yet comes with the
/// registration.
async fn know(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
) -> Result<Option<HashBytes>, Refusal> {
    let account = match ClientAccount::fetch(proxy.chain.as_ref(), contract).await {
        Ok(account) => account,
        Err(ChainError::NotDeployed { .. }) => return Ok(None),
        Err(error) => {
            tracing::warn!(%contract, %error, "the client's contract cannot be read, its last state holds");
            return last_known(proxy, contract);
        }
    };
    let seen = contracts::client_state(&account);
    if seen.state != ContractState::Normal {
        return Err(Refusal::new(ErrorCode::NotReady, "client is closing"));
    }
    let secret_hash = seen.secret_hash;
    see(proxy, instance, owner, contract, seen).await?;
    Ok((secret_hash != HashBytes::ZERO).then_some(secret_hash))
}

/// Has the ledger know the client durably.
async fn see(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
    seen: ClientOnChain,
) -> Result<(), Refusal> {
    let stops = || Refusal::new(ErrorCode::NotReady, "the proxy stops");
    let opened = contracts::see_client(proxy, instance, owner, contract, seen).map_err(|error| {
        proxy.fail(error);
        stops()
    })?;
    if opened.await.is_ok() { Ok(()) } else { Err(stops()) }
}

/// While the chain is away, a client is known by what its contract said last; how much it may use is bounded by that.
fn last_known(proxy: &Proxy, contract: &Address) -> Result<Option<HashBytes>, Refusal> {
    let ledger = proxy.books.ledger();
    let seen = ledger.client(contract).and_then(|channel| channel.on_chain.as_ref());
    match seen {
        Some(seen) if seen.state == ContractState::Normal && seen.secret_hash != HashBytes::ZERO => {
            Ok(Some(seen.secret_hash))
        }
        _ => Err(Refusal::new(ErrorCode::NotReady, "the chain cannot be reached")),
    }
}

/// Takes the client's proof of the session and answers with ours.
fn prove(
    handshake: &mut ProxyClientHandshake,
    query: &ClientQuery,
    session: Option<&SessionBinding>,
) -> Result<Bytes, Refusal> {
    // The version that asks for proofs is only accepted where there is a session.
    let Some(session) = session else {
        return Err(Refusal::new(ErrorCode::Failure, "the session cannot be proven"));
    };
    let own = session.prove(Role::Proxy, Role::Client);
    handshake.prove(query, &own, |proof| {
        session.is_proven_by(proof, Role::Proxy, Role::Client)
    })
}

async fn authorize(
    proxy: &Proxy,
    link: &LinkHandle,
    handshake: &mut ProxyClientHandshake,
    query: &ClientQuery,
    challenged: &mut Challenged,
) -> Result<Bytes, Refusal> {
    let contract = &challenged.contract;
    if let AuthorizeStep::AwaitRegistration { .. } = handshake.authorize(query)? {
        let registered = &mut challenged.registered;
        tokio::select! {
            seen = timeout(AUTHORIZE_TIMEOUT, registered) => match seen {
                Ok(Ok(())) => handshake.registered()?,
                _ => return Err(Refusal::new(ErrorCode::Timeout, "the registration was not seen on chain")),
            },
            _ = link.closed() => return Err(Refusal::new(ErrorCode::Cancelled, "the client has gone")),
        }
        let account = ClientAccount::fetch(proxy.chain.as_ref(), contract).await;
        let account = account.map_err(|_| Refusal::new(ErrorCode::NotReady, "the client's contract cannot be read"))?;
        let owner = account.constants.owner.clone();
        let seen = contracts::client_state(&account);
        see(proxy, &challenged.instance, &owner, contract, seen).await?;
    }
    let shown = proxy.vouchers.for_client(contract);
    Ok(handshake.success(shown.payment, shown.db_tokens, shown.max_tokens))
}
