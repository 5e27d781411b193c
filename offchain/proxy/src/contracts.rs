//! The contracts of clients and workers, read on a timer and told to the ledger.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::TokenCount;
use cocoon_chain::{ChainError, ClientAccount, WorkerAccount};
use cocoon_ledger::{Changes, ClientOnChain, ContractState, Ledger, LedgerError, WorkerOnChain};
use tokio::task::JoinSet;

use crate::error::ProxyError;
use crate::instance::Instance;
use crate::limits::{CONTRACTS_AT_ONCE, CONTRACTS_OF_ROUND};
use crate::state::Proxy;
use crate::timing::{Round, round};
use crate::writer::Durable;

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

/// Opens the client's channel if need be and takes note of its contract. An error is a rollback of the database. Whoever
/// is to be served waits until this is durable, and with it the channel, whoever opened it: the log alone cannot bring it back.
pub(crate) fn see_client(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
    seen: ClientOnChain,
) -> Result<Durable, ProxyError> {
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
    let ((), durable) = proxy.books.change(change, Vec::new())?;
    Ok(durable)
}

/// Opens the worker's channel if need be; see [`see_client`].
pub(crate) fn open_worker(
    proxy: &Proxy,
    instance: &Instance,
    owner: &Address,
    contract: &Address,
) -> Result<Durable, LedgerError> {
    let change = |ledger: &mut Ledger| {
        let opened = ledger.open_worker(contract, owner);
        let retired = retire_late(ledger, instance, contract);
        Ok(((), if retired.workers.is_empty() { opened } else { retired }))
    };
    let ((), durable) = proxy.books.change(change, Vec::new())?;
    Ok(durable)
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
            )
            .map(drop),
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
pub(crate) async fn refresh_all(proxy: &Arc<Proxy>) -> Result<(), ProxyError> {
    let (clients, workers) = known(proxy, |_| true);
    refresh(proxy, due(clients, workers)).await
}

/// Reads, on the timer, the contracts of whoever is connected or has something open.
pub(crate) async fn keep_current(proxy: Arc<Proxy>) {
    let pause = Duration::from_secs_f64(proxy.config.timers.contracts);
    let mut rounds = Rounds::default();
    loop {
        tokio::time::sleep(pause).await;
        let mut connected: HashSet<Address> = HashSet::new();
        connected.extend(proxy.clients.all().iter().map(|client| client.contract.clone()));
        connected.extend(proxy.workers.all().iter().map(|worker| worker.contract.clone()));
        let (clients, workers) = known(&proxy, |contract| connected.contains(contract));
        let due = rounds.next(clients, workers);
        match refresh(&proxy, due).await {
            Ok(()) => {}
            Err(error @ ProxyError::Chain(_)) => {
                tracing::warn!(%error, "contracts cannot be read, the last states stay");
            }
            Err(error) => return proxy.fail(error),
        }
    }
}

/// Reads the contracts of whoever is connected or has something open.
pub(crate) async fn refresh_current(proxy: &Arc<Proxy>) -> Result<(), ProxyError> {
    let mut connected: HashSet<Address> = HashSet::new();
    connected.extend(proxy.clients.all().iter().map(|client| client.contract.clone()));
    connected.extend(proxy.workers.all().iter().map(|worker| worker.contract.clone()));
    let (clients, workers) = known(proxy, |contract| connected.contains(contract));
    refresh(proxy, due(clients, workers)).await
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

/// A contract to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    Client(Address),
    Worker(Address),
}

impl Due {
    async fn read(self, proxy: &Proxy) -> Result<(), ProxyError> {
        match self {
            Self::Client(contract) => refresh_client(proxy, &contract).await,
            Self::Worker(contract) => refresh_worker(proxy, &contract).await,
        }
    }
}

fn due(clients: Vec<Address>, workers: Vec<Address>) -> Vec<Due> {
    let clients = clients.into_iter().map(Due::Client);
    clients.chain(workers.into_iter().map(Due::Worker)).collect()
}

/// Where the next round goes on.
#[derive(Debug, Default)]
struct Rounds {
    place: usize,
}

impl Rounds {
    /// The contracts of the next round: all of them when they are few, else the ones that follow the last round's. A contract
    /// that comes or goes meanwhile may move another one by a place, which then comes a round later.
    fn next(&mut self, clients: Vec<Address>, workers: Vec<Address>) -> Vec<Due> {
        let mut due = due(clients, workers);
        if due.len() <= CONTRACTS_OF_ROUND {
            return due;
        }
        let first = self.place % due.len();
        due.rotate_left(first);
        due.truncate(CONTRACTS_OF_ROUND);
        self.place = first + CONTRACTS_OF_ROUND;
        due
    }
}

/// Reads contracts, some at once, until one of them fails.
async fn refresh(proxy: &Arc<Proxy>, due: Vec<Due>) -> Result<(), ProxyError> {
    round(Round::Contracts, async {
        let mut reading = JoinSet::new();
        let mut due = due.into_iter();
        loop {
            while reading.len() < CONTRACTS_AT_ONCE
                && let Some(contract) = due.next()
            {
                let proxy = Arc::clone(proxy);
                reading.spawn(async move { contract.read(&proxy).await });
            }
            match reading.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return Err(error),
                // The runtime is ending.
                Some(Err(_)) | None => return Ok(()),
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    fn contracts(count: usize) -> Vec<Address> {
        let address = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Address::new(0, HashBytes(bytes))
        };
        (0..count).map(address).collect()
    }

    #[test]
    fn few_contracts_are_read_in_every_round() {
        let mut rounds = Rounds::default();
        let (clients, workers) = (contracts(CONTRACTS_OF_ROUND - 1), contracts(1));
        for _ in 0..3 {
            assert_eq!(rounds.next(clients.clone(), workers.clone()).len(), CONTRACTS_OF_ROUND);
        }
    }

    #[test]
    fn many_contracts_are_each_read_before_one_is_read_again() {
        let mut rounds = Rounds::default();
        let (clients, workers) = (contracts(3 * CONTRACTS_OF_ROUND), contracts(CONTRACTS_OF_ROUND));
        let all = due(clients.clone(), workers.clone());
        let mut read = Vec::new();
        for _ in 0..4 {
            read.extend(rounds.next(clients.clone(), workers.clone()));
        }
        assert_eq!(read, all);
        assert_eq!(rounds.next(clients, workers), all[..CONTRACTS_OF_ROUND]);
    }
}
