//! A worker comes in: its image was checked by the connection; here its model, its contract and its memory.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::{Coefficient, TokenCount};
use cocoon_ledger::Comparison;
use cocoon_manifest::ModelName;
use cocoon_protocol::handshake::{ProxyWorkerHandshake, Refusal, WorkerStep};
use cocoon_protocol::limits::HANDSHAKE_TIMEOUT;
use cocoon_protocol::message::WorkerQuery;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::worker::CompareBalanceWithProxy;
use cocoon_protocol::{ErrorCode, Version};
use cocoon_ratls::SessionBinding;
use cocoon_runner::link::{LinkEvent, LinkHandle};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::contracts;
use crate::instance::Instance;
use crate::proof;
use crate::state::Proxy;

/// A worker that may serve.
pub(super) struct Greeted {
    pub(super) instance: Arc<Instance>,
    pub(super) owner: Address,
    pub(super) contract: Address,
    pub(super) model: ModelName,
    pub(super) coefficient: Coefficient,
    pub(super) slots: u32,
    pub(super) is_enabled: bool,
    pub(super) version: Version,
}

struct Hello {
    instance: Arc<Instance>,
    owner: Address,
    contract: Address,
    model: ModelName,
    coefficient: Coefficient,
    slots: u32,
}

/// Runs the handshake; `None` when it failed and the connection is to be closed.
pub(super) async fn run(
    proxy: &Arc<Proxy>,
    link: &LinkHandle,
    events: &mut mpsc::Receiver<LinkEvent>,
    session: Option<&SessionBinding>,
) -> Option<Greeted> {
    let mut handshake = ProxyWorkerHandshake::default();
    let mut hello = None;
    let mut is_enabled = false;
    while handshake.ready().is_none() {
        let (id, data) = match timeout(HANDSHAKE_TIMEOUT, events.recv()).await {
            Ok(Some(LinkEvent::Query { id, data })) => (id, data),
            // Nothing but questions is allowed before the connection serves.
            _ => return None,
        };
        let answer = match (WorkerQuery::decode(&data), &hello) {
            (Err(error), _) => Err(Refusal::new(ErrorCode::Parse, error.to_string())),
            (Ok(query), None) => match connect(proxy, &mut handshake, &query, session.is_some()).await {
                Ok((who, answer)) => {
                    hello = Some(who);
                    Ok(answer)
                }
                Err(refusal) => Err(refusal),
            },
            (Ok(query), Some(_)) if handshake.awaits_proof() => prove(&mut handshake, &query, session),
            (Ok(query), Some(hello)) => step(proxy, &mut handshake, &query, hello, &mut is_enabled),
        };
        match answer {
            Ok(answer) => link.answer(id, answer).await.ok()?,
            Err(refusal) => {
                tracing::info!(reason = %refusal.message, "worker refused");
                // It is closed next, whether it hears this or not.
                let _ = link.answer_error(id, refusal.code.to_wire(), refusal.message).await;
                return None;
            }
        }
    }
    let Hello {
        instance,
        owner,
        contract,
        model,
        coefficient,
        slots,
    } = hello?;
    Some(Greeted {
        instance,
        owner,
        contract,
        model,
        coefficient,
        slots,
        is_enabled,
        version: handshake.ready()?,
    })
}

async fn connect(
    proxy: &Proxy,
    handshake: &mut ProxyWorkerHandshake,
    query: &WorkerQuery,
    can_prove: bool,
) -> Result<(Hello, Bytes), Refusal> {
    if let Some(reason) = proxy.closed_because() {
        return Err(Refusal::new(ErrorCode::NotReady, reason));
    }
    let hello = handshake.connect(query, &proxy.rules(can_prove))?;
    let bad_address = |_| Refusal::new(ErrorCode::Plain, "Failed to parse account address");
    let owner = parse_address(&hello.owner_address).map_err(bad_address)?;
    let instance = proxy.on_chain();
    let state_init = instance.worker_state_init(&owner).map_err(bad_address)?;
    let contract = state_init.address().map_err(bad_address)?;
    let bad_model = |_| Refusal::new(ErrorCode::ProtocolViolation, "the model's name cannot be read");
    let model: ModelName = hello.model.parse().map_err(bad_model)?;
    if !proxy.root.borrow().allows_model(&model.model_hash()) {
        return Err(Refusal::new(
            ErrorCode::ProtocolViolation,
            "the root contract does not list this model",
        ));
    }
    let not_opened = || Refusal::new(ErrorCode::Failure, "the worker's channel cannot be opened");
    let opened = contracts::open_worker(proxy, &instance, &owner, &contract).map_err(|error| {
        tracing::error!(%error, "the worker's channel cannot be opened");
        not_opened()
    })?;
    if opened.await.is_err() {
        return Err(not_opened());
    }
    let text = instance.text(&contract);
    let answer = handshake.greet(instance.wire_params(), text)?;
    let (coefficient, slots) = (Coefficient::new(hello.coefficient), hello.slots);
    Ok((
        Hello {
            instance,
            owner,
            contract,
            model,
            coefficient,
            slots,
        },
        answer,
    ))
}

/// Takes the worker's proof of the session and answers with ours.
fn prove(
    handshake: &mut ProxyWorkerHandshake,
    query: &WorkerQuery,
    session: Option<&SessionBinding>,
) -> Result<Bytes, Refusal> {
    // The version that asks for proofs is only accepted where there is a session.
    let Some(session) = session else {
        return Err(Refusal::new(ErrorCode::Failure, "the session cannot be proven"));
    };
    let own = session.prove(Role::Proxy, Role::Worker);
    handshake.prove(query, &own, |proof| {
        session.is_proven_by(proof, Role::Proxy, Role::Worker)
    })
}

fn step(
    proxy: &Proxy,
    handshake: &mut ProxyWorkerHandshake,
    query: &WorkerQuery,
    hello: &Hello,
    is_enabled: &mut bool,
) -> Result<Bytes, Refusal> {
    let contract = &hello.contract;
    match handshake.next(query)? {
        WorkerStep::Compare(memory) => {
            let is_ahead = compare(proxy, contract, memory);
            let shown = proxy.vouchers.for_worker(contract);
            handshake.balances(shown.payment, shown.db_tokens, shown.max_tokens, is_ahead)
        }
        WorkerStep::ExtendedCompare { other, .. } => {
            proof::compare_bytes(proxy, &hello.instance, contract, &other)?;
            handshake.extended()
        }
        WorkerStep::Complete { is_disabled } => {
            *is_enabled = !is_disabled;
            handshake.completed()
        }
    }
}

/// Whether the worker remembers more than this proxy has. That may be an old database, or a worker that lies: it is
/// reported and counted, and stops the proxy only if the worker shows our signature for it next.
fn compare(proxy: &Proxy, contract: &Address, memory: CompareBalanceWithProxy) -> bool {
    let tokens = |number: i64| TokenCount::new(u64::try_from(number).unwrap_or(0));
    let (chain, db) = (
        tokens(memory.tokens_committed_to_blockchain),
        tokens(memory.tokens_committed_to_db),
    );
    let comparison = proxy
        .books
        .ledger()
        .compare(contract, chain, db, tokens(memory.max_tokens));
    match comparison {
        Comparison::Agrees => return false,
        Comparison::WorkerAhead => tracing::info!(%contract, "the worker remembers charges that were never durable"),
        Comparison::LedgerBehind => {
            proxy.stats.doubtful_worker();
            tracing::warn!(%contract, %chain, %db, "the worker claims totals that this database does not have");
        }
    }
    true
}
