//! A change of the network's parameters: the proxy opens the contract of the new ones, serves with it, and winds the old
//! one up.
//!
//! Every step can be repeated and is derived anew from the chain and the books, so that a crash between any two of them
//! only means that the next start goes on: the next contract is noted down before it is deployed; it serves when a state
//! commit has arrived there; then the old one takes no more requests, its connections close when they are idle, everything
//! is committed, charged, refunded and paid, and it is closed when the delay of its terms has passed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::{CloseProxyPayload, CloseProxySigned, CompleteClosePayload, CompleteCloseSigned};
use cocoon_bindings::ton::{Address, Cell, CellError, to_cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::{BindingsError, Params, QueryId};
use cocoon_chain::{ChainError, ProxyAccount};
use cocoon_ledger::Changes;
use ed25519_dalek::Signer;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::begin::deploy;
use crate::commit::Committer;
use crate::error::ProxyError;
use crate::instance::Instance;
use crate::limits::{CLOSING_COINS, CLOSING_RESEND, RELEASE_POLL, RELEASE_QUIET, VOUCHER_VALUE};
use crate::state::Proxy;

/// How far the old contracts have come, for the pages. Nothing of it is kept: the chain says it again after a start, and a
/// message that was under way then is sent a second time, which its contract refuses.
#[derive(Default)]
pub(crate) struct Progress(Mutex<HashMap<Address, Step>>);

/// The last look at an old contract.
#[derive(Debug, Clone, Copy)]
struct Step {
    state: Lifecycle,
    /// Unix seconds from when on it may be closed; 0 before its close was begun.
    close_at: u32,
    /// In which state the last message was sent, and when.
    sent: Option<(Lifecycle, Instant)>,
}

impl Step {
    /// Whether a message is under way whose effect was not seen yet.
    fn is_sending(&self) -> bool {
        self.sent
            .is_some_and(|(before, at)| before == self.state && at.elapsed() < CLOSING_RESEND)
    }
}

impl Progress {
    fn of(&self, contract: &Address) -> Option<Step> {
        self.steps().get(contract).copied()
    }

    /// Notes what was seen.
    fn see(&self, contract: &Address, state: Lifecycle, close_at: u32) -> Step {
        let mut steps = self.steps();
        let step = steps.entry(contract.clone()).or_insert(Step {
            state,
            close_at,
            sent: None,
        });
        (step.state, step.close_at) = (state, close_at);
        *step
    }

    /// A message was sent.
    fn sent(&self, contract: &Address) {
        if let Some(step) = self.steps().get_mut(contract) {
            step.sent = Some((step.state, Instant::now()));
        }
    }

    fn forget(&self, contract: &Address) {
        self.steps().remove(contract);
    }

    fn steps(&self) -> MutexGuard<'_, HashMap<Address, Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of the setting that holds the instances.
pub(crate) const INSTANCES: &str = "instances";

/// Makes the list of instances durable.
pub(crate) async fn remember(proxy: &Proxy) -> Result<(), ProxyError> {
    let state = vec![(INSTANCES, proxy.instances.stored()?)];
    let ((), durable) = proxy.books.change(|_| Ok(((), Changes::default())), state)?;
    durable.await.map_err(|_| writer_stopped())
}

/// Marks the channels of an old instance: from here on they take no request.
pub(crate) async fn retire(proxy: &Proxy, old: &Instance) -> Result<(), ProxyError> {
    let change = |ledger: &mut cocoon_ledger::Ledger| {
        let changes = ledger.retire(&old.contract, |contract, owner| old.has_member(contract, owner));
        Ok(((), changes))
    };
    let ((), durable) = proxy.books.change(change, Vec::new())?;
    durable.await.map_err(|_| writer_stopped())
}

/// Follows the parameters of the root contract until dropped.
pub(crate) async fn keep_up(proxy: Arc<Proxy>, committer: Arc<Committer>) {
    let mut root = proxy.root.clone();
    let pause = Duration::from_secs_f64(proxy.config.timers.root);
    loop {
        let params = root.borrow_and_update().params.clone();
        if params.params_version > proxy.on_chain().params.params_version {
            match open(&proxy, &committer, &params).await {
                Ok(()) => continue,
                Err(error @ (ProxyError::Chain(_) | ProxyError::FirstCommit { .. } | ProxyError::Contract { .. })) => {
                    tracing::warn!(%error, "the contract of the new parameters cannot be opened yet, the old one serves");
                }
                Err(error) => return proxy.fail(error),
            }
            tokio::time::sleep(pause).await;
        } else if root.changed().await.is_err() {
            return;
        }
    }
}

/// Opens the contract of these parameters and serves with it.
async fn open(proxy: &Arc<Proxy>, committer: &Committer, params: &Params) -> Result<(), ProxyError> {
    let current = proxy.on_chain();
    let next = Instance::derive(&current.root, &current.owner, current.public_key, params)?;
    let next = Arc::new(next);
    proxy.instances.open(Arc::clone(&next));
    remember(proxy).await?;
    deploy(proxy, &next, params).await?;
    committer.begin(&next.contract).await?;
    let Some(old) = proxy.instances.switch() else {
        return Ok(());
    };
    tracing::info!(
        params_version = params.params_version.get(), new = %next.contract, old = %old.contract,
        "the parameters changed: the new contract serves, the old one winds down"
    );
    release(proxy, &old);
    retire(proxy, &old).await
}

/// Closes the connections of an instance once its requests have ended: the peers come back and get the new contract.
fn release(proxy: &Arc<Proxy>, old: &Arc<Instance>) {
    let (proxy, old) = (Arc::clone(proxy), Arc::clone(old));
    let drain = Duration::from_secs_f64(proxy.config.timers.drain);
    proxy.shutdown.clone().spawn_until_stop(async move {
        let started = Instant::now();
        let mut quiet_since = Instant::now();
        while proxy.instances.of(&old.contract).is_some() {
            let mut workers = proxy.workers.all();
            workers.retain(|worker| worker.instance.contract == old.contract);
            workers.iter().for_each(|worker| proxy.workers.drain(worker));
            tokio::time::sleep(RELEASE_POLL).await;
            let mut clients = proxy.clients.all();
            clients.retain(|client| client.instance.contract == old.contract);
            if clients.iter().any(|client| client.is_busy()) {
                quiet_since = Instant::now();
            }
            // A little longer than the last request: what is signed for it is still on its way.
            if quiet_since.elapsed() < RELEASE_QUIET && started.elapsed() < drain {
                continue;
            }
            for client in clients {
                client.link.close().await;
            }
            for worker in workers {
                worker.link.close().await;
            }
        }
    });
}

/// Takes the old instances through their end until dropped.
pub(crate) async fn keep_winding(proxy: Arc<Proxy>) {
    let pause = Duration::from_secs_f64(proxy.config.timers.settlement);
    loop {
        tokio::time::sleep(pause).await;
        for old in proxy.instances.old() {
            match wind(&proxy, &old).await {
                Ok(()) => {}
                Err(ProxyError::Chain(error)) => tracing::warn!(%error, "an old contract cannot be wound up now"),
                Err(error) => return proxy.fail(error),
            }
        }
    }
}

/// One look at an old instance, and the message that is due, if any.
async fn wind(proxy: &Proxy, old: &Instance) -> Result<(), ProxyError> {
    let is_over = proxy.books.ledger().winding(&old.contract).is_over();
    let account = match ProxyAccount::fetch(proxy.chain.as_ref(), &old.contract).await {
        Ok(account) => account,
        // It was noted down and never deployed.
        Err(ChainError::NotDeployed { .. }) if is_over => return forget(proxy, old).await,
        Err(error) => return Err(error.into()),
    };
    let state = account.state;
    if state == Lifecycle::Closed {
        return forget(proxy, old).await;
    }
    if proxy.winding.see(&old.contract, state, account.unlock_ts).is_sending() {
        return Ok(());
    }
    let body = match state {
        Lifecycle::Normal => close(proxy, old)?,
        Lifecycle::Closing if is_over && account.account.time > account.unlock_ts && holds_nothing(&account) => {
            complete(proxy, old)?
        }
        _ => return Ok(()),
    };
    let message = InternalMessage {
        to: old.contract.clone(),
        value: VOUCHER_VALUE,
        bounce: true,
        body,
        state_init: None,
    };
    proxy.wallet.send(vec![message]).await?;
    proxy.winding.sent(&old.contract);
    tracing::info!(contract = %old.contract, ?state, "the close of an old contract goes on");
    Ok(())
}

/// Closing pays all coins to the owner. What clients have paid in lies there too, also of clients that this proxy has
/// never heard of: with them it stays open.
fn holds_nothing(account: &ProxyAccount) -> bool {
    let own = account.balance.checked_add(account.stake);
    let own = own.and_then(|own| own.checked_add(CLOSING_COINS));
    let is_own = own.is_some_and(|own| account.account.balance <= own);
    if !is_own {
        tracing::warn!("an old contract still holds coins of clients and stays open");
    }
    is_own
}

async fn forget(proxy: &Proxy, old: &Instance) -> Result<(), ProxyError> {
    proxy.instances.forget(&old.contract);
    proxy.winding.forget(&old.contract);
    tracing::info!(contract = %old.contract, "an old contract is closed");
    remember(proxy).await
}

fn close(proxy: &Proxy, old: &Instance) -> Result<Cell, ProxyError> {
    let layout = |source: CellError| BindingsError::layout("the close of a proxy")(source);
    let payload = CloseProxyPayload {
        query_id: QueryId::new(rand::random()),
        expected_my_address: old.contract.clone(),
    };
    let signature = sign(proxy, &to_cell(&payload).map_err(layout)?);
    let signed = CloseProxySigned {
        query_id: payload.query_id,
        send_excesses_to: proxy.wallet.address().clone(),
        signature,
        payload,
    };
    Ok(to_cell(&signed).map_err(layout)?)
}

fn complete(proxy: &Proxy, old: &Instance) -> Result<Cell, ProxyError> {
    let layout = |source: CellError| BindingsError::layout("the end of a proxy's close")(source);
    let payload = CompleteClosePayload {
        query_id: QueryId::new(rand::random()),
        expected_my_address: old.contract.clone(),
    };
    let signature = sign(proxy, &to_cell(&payload).map_err(layout)?);
    let signed = CompleteCloseSigned {
        query_id: payload.query_id,
        send_excesses_to: proxy.wallet.address().clone(),
        signature,
        payload,
    };
    Ok(to_cell(&signed).map_err(layout)?)
}

fn sign(proxy: &Proxy, payload: &Cell) -> [u8; 64] {
    proxy.books.key().sign(payload.repr_hash().as_slice()).to_bytes()
}

/// The old instances for the statistics.
pub(crate) fn json(proxy: &Proxy) -> Vec<Value> {
    let ledger = proxy.books.ledger();
    let row = |old: &Arc<Instance>| {
        let winding = ledger.winding(&old.contract);
        let step = proxy.winding.of(&old.contract);
        json!({
            "sc_address": old.text(&old.contract),
            "params_version": old.params.params_version,
            "state": step.map_or(Lifecycle::Normal, |step| step.state) as u8,
            "running_message": step.is_some_and(|step| step.is_sending()),
            "close_at": step.map_or(0, |step| step.close_at),
            "is_settled": winding.is_over(),
            "running_queries": winding.running,
            "open_clients": winding.clients,
            "open_workers": winding.workers,
        })
    };
    proxy.instances.old().iter().map(row).collect()
}

fn writer_stopped() -> ProxyError {
    ProxyError::WriterStopped {
        reason: "a write was not made durable".into(),
    }
}
