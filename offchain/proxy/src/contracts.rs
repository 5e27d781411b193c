//! The contracts of clients and workers, read on a timer and told to the ledger.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::TokenCount;
use cocoon_chain::{ChainError, ClientAccount, WorkerAccount};
use cocoon_ledger::{Changes, ClientOnChain, ContractState, Ledger, LedgerError, WorkerOnChain};

use crate::error::ProxyError;
use crate::instance::Instance;
use crate::state::Proxy;

/// A client contract as the ledger takes it.
pub(crate) fn client_state(account: &ClientAccount) -> ClientOnChain {
    ClientOnChain {
        state: state(account.state),
        balance: account.balance,
        stake: account.stake,
        tokens_used: account.tokens_used,
        price: account.params.price_per_token,
        secret_hash: account.secret_hash,
    }
}

fn worker_state(account: &WorkerAccount) -> WorkerOnChain {
    WorkerOnChain {
        state: state(account.state),
        tokens: account.tokens,
        worker_fee: account.params.worker_fee_per_token,
    }
}

fn state(state: Lifecycle) -> ContractState {
    match state {
        Lifecycle::Normal => ContractState::Normal,
        Lifecycle::Closing => ContractState::Closing,
        Lifecycle::Closed => ContractState::Closed,
    }
}

/// Opens the client's channel if need be and takes note of its contract. An error is a rollback of the database.
pub(crate) fn see_client(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
    seen: ClientOnChain,
) -> Result<(), ProxyError> {
    let change = |ledger: &mut Ledger| {
        let opened = ledger.open_client(contract, owner);
        let changes = ledger.see_client(contract, seen)?;
        // Each of them holds the whole row: the last one counts.
        let retired = retire_late(ledger, instance, contract);
        let newest = [retired, changes, opened]
            .into_iter()
            .find(|row| !row.clients.is_empty());
        Ok(((), newest.unwrap_or_default()))
    };
    // Nothing is shown because of it, so nobody waits for the disk.
    proxy
        .books
        .change(change, Vec::new())
        .map(drop)
        .map_err(ProxyError::from)
}

/// Opens the worker's channel if need be.
pub(crate) fn open_worker(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
) -> Result<(), LedgerError> {
    let change = |ledger: &mut Ledger| {
        let opened = ledger.open_worker(contract, owner);
        let retired = retire_late(ledger, instance, contract);
        Ok(((), if retired.workers.is_empty() { opened } else { retired }))
    };
    proxy.books.change(change, Vec::new()).map(drop)
}

/// A channel that is opened while its instance is being wound up: its peer connected before.
fn retire_late(ledger: &mut Ledger, instance: &Instance, contract: &Address) -> Changes {
    if !instance.is_retired() {
        return Changes::default();
    }
    ledger.retire(&instance.contract, |known, _| known == contract)
}

/// Reads a client's contract and tells the ledger. A contract that is gone is left as it was last seen.
pub(crate) async fn refresh_client(proxy: &Proxy, contract: &Address) -> Result<(), ProxyError> {
    match ClientAccount::fetch(proxy.chain.as_ref(), contract).await {
        Ok(account) => match proxy.instances.of(&account.constants.proxy) {
            Some(instance) => see_client(
                proxy,
                &instance,
                &account.constants.owner,
                contract,
                client_state(&account),
            ),
            // Of an instance that is closed.
            None => Ok(()),
        },
        Err(ChainError::NotDeployed { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads a worker's contract and tells the ledger. One that is not deployed yet has been paid nothing.
pub(crate) async fn refresh_worker(proxy: &Proxy, contract: &Address) -> Result<(), ProxyError> {
    let seen = match WorkerAccount::fetch(proxy.chain.as_ref(), contract).await {
        Ok(account) => worker_state(&account),
        Err(ChainError::NotDeployed { .. }) => WorkerOnChain {
            state: ContractState::Normal,
            tokens: TokenCount::ZERO,
            worker_fee: worker_instance(proxy, contract).params.worker_fee_per_token,
        },
        Err(error) => return Err(error.into()),
    };
    let change = |ledger: &mut Ledger| Ok(((), ledger.see_worker(contract, seen)?));
    proxy
        .books
        .change(change, Vec::new())
        .map(drop)
        .map_err(ProxyError::from)
}

/// The instance of a worker that is known.
pub(crate) fn worker_instance(proxy: &Proxy, worker: &Address) -> Arc<Instance> {
    let retired = proxy
        .books
        .ledger()
        .worker(worker)
        .and_then(|channel| channel.retired().cloned());
    retired
        .and_then(|contract| proxy.instances.of(&contract))
        .unwrap_or_else(|| proxy.on_chain())
}

/// Reads every contract that the ledger knows: at start, before anything is served.
pub(crate) async fn refresh_all(proxy: &Proxy) -> Result<(), ProxyError> {
    let (clients, workers) = known(proxy, |_| true);
    refresh(proxy, clients, workers).await
}

/// Reads, on the timer, the contracts of whoever is connected or has something open.
pub(crate) async fn keep_current(proxy: Arc<Proxy>) {
    let pause = Duration::from_secs_f64(proxy.config.timers.contracts);
    loop {
        tokio::time::sleep(pause).await;
        let mut connected: HashSet<Address> = HashSet::new();
        connected.extend(proxy.clients.all().iter().map(|client| client.contract.clone()));
        connected.extend(proxy.workers.all().iter().map(|worker| worker.contract.clone()));
        let (clients, workers) = known(&proxy, |contract| connected.contains(contract));
        match refresh(&proxy, clients, workers).await {
            Ok(()) => {}
            Err(error @ ProxyError::Chain(_)) => {
                tracing::warn!(%error, "contracts cannot be read, the last states stay");
            }
            Err(error) => return proxy.fail(error),
        }
    }
}

/// Contracts that `is_connected`, that are closing, or whose total is not settled yet.
fn known(proxy: &Proxy, is_connected: impl Fn(&Address) -> bool) -> (Vec<Address>, Vec<Address>) {
    let ledger = proxy.books.ledger();
    let old: HashSet<Address> = proxy.instances.old().iter().map(|old| old.contract.clone()).collect();
    // Of an instance that is closed, nothing changes any more.
    let is_over = |retired: Option<&Address>| retired.is_some_and(|contract| !old.contains(contract));
    let clients = ledger.clients().filter(|(contract, channel)| {
        let is_open = channel.on_chain.as_ref().is_none_or(|seen| {
            let is_owing = channel.retired().is_some() || channel.account.max() > seen.tokens_used;
            seen.state == ContractState::Closing || seen.state == ContractState::Normal && is_owing
        });
        (is_open || is_connected(contract)) && !is_over(channel.retired())
    });
    let workers = ledger.workers().filter(|(contract, channel)| {
        let is_open = channel
            .on_chain
            .as_ref()
            .is_none_or(|seen| channel.account.max() > seen.tokens);
        (is_open || is_connected(contract)) && !is_over(channel.retired())
    });
    (
        clients.map(|(contract, _)| contract.clone()).collect(),
        workers.map(|(contract, _)| contract.clone()).collect(),
    )
}

async fn refresh(proxy: &Proxy, clients: Vec<Address>, workers: Vec<Address>) -> Result<(), ProxyError> {
    for contract in &clients {
        refresh_client(proxy, contract).await?;
    }
    for contract in &workers {
        refresh_worker(proxy, contract).await?;
    }
    Ok(())
}
