//! What the chain says: contracts and everything that ever happened to them.

use crate::error::AuditError;
use crate::limits::MAX_HISTORY;
use crate::root::RootHistory;
use cocoon_bindings::ton::{Address, Load};
use cocoon_bindings::types::{ClientStep, WorkerStep};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{StateInit, client_state_init, proxy_state_init, worker_state_init};
use cocoon_chain::{
    AccountState, AccountStatus, ChainClient, ChainError, ClientAccount, ProxyAccount, Transaction, WorkerAccount,
    history,
};
use cocoon_receipt::SignedReceipt;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a contract came to be by this state init. No contract but the root can change its code.
pub(crate) fn is_of(init: &StateInit, address: &Address, account: &AccountState) -> bool {
    let code = account.code.as_ref();
    let has_code = code.is_some_and(|code| code.repr_hash() == init.code.repr_hash());
    has_code && init.address().is_ok_and(|expected| expected == *address)
}

/// A contract and its history, oldest transaction first, up to the moment of the state.
#[derive(Debug, Clone)]
pub struct ContractHistory<T> {
    /// The address.
    pub address: Address,
    /// The state.
    pub account: T,
    /// The transactions that led to it.
    pub transactions: Vec<Transaction>,
}

/// Everything that an audit asks of the chain about one proxy: each version of the terms made it another contract.
#[derive(Debug, Clone)]
pub struct ChainHistory {
    /// The contract that was asked for.
    pub proxy: ContractHistory<ProxyAccount>,
    /// The other contracts of its key, under other terms.
    pub others: BTreeMap<Address, ContractHistory<ProxyAccount>>,
    /// Client contracts: those of receipts and those that a proxy contract heard of. None if it is not there.
    pub clients: BTreeMap<Address, Option<ContractHistory<ClientAccount>>>,
    /// Worker contracts, likewise.
    pub workers: BTreeMap<Address, Option<ContractHistory<WorkerAccount>>>,
    /// Terms and lists of the root contract, at every time.
    pub root: RootHistory,
    /// Contracts that wrote to a proxy contract, as their addresses prove.
    pub(crate) heard: Named,
    /// Contracts that receipts name and that are others than clients or workers of this proxy.
    pub(crate) strangers: Named,
    /// Contracts of the proxy that were there once.
    pub(crate) gone: BTreeSet<Address>,
}

impl ChainHistory {
    /// Fetches all of it. `receipts` tell of contracts that no proxy contract has heard of yet; none need be given.
    pub async fn fetch(
        chain: &dyn ChainClient,
        proxy: &Address,
        receipts: &[SignedReceipt],
    ) -> Result<Self, AuditError> {
        let mut named = Named::default();
        receipts.iter().for_each(|signed| named.add(signed));
        Self::fetch_with(chain, proxy, &named).await
    }

    /// The same, with contracts that are known to be named.
    pub(crate) async fn fetch_with(
        chain: &dyn ChainClient,
        proxy: &Address,
        named: &Named,
    ) -> Result<Self, AuditError> {
        let mut history = Self::fetch_proxies(chain, proxy).await?;
        let mut heard = Named::default();
        for contract in history.contracts() {
            heard_of(contract, &mut heard)?;
        }
        let mut known = named.clone();
        known.merge(&heard);
        history.heard = heard;
        history.extend(chain, &known).await?;
        Ok(history)
    }

    /// Terms, lists and the contracts of the proxy; neither clients nor workers.
    pub(crate) async fn fetch_proxies(chain: &dyn ChainClient, proxy: &Address) -> Result<Self, AuditError> {
        let proxy = fetch_proxy(chain, proxy).await?;
        let root = RootHistory::fetch(chain, &proxy.account.root).await?;
        let (mut others, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for terms in root.terms.values() {
            let (owner, key) = (&proxy.account.owner, &proxy.account.proxy_public_key);
            // Without the code of a proxy contract there was none.
            let Ok(init) = proxy_state_init(owner, key, &root.address, &terms.params) else {
                continue;
            };
            let address = init.address()?;
            // Whether the one that was asked for has the address of its terms is for the comparison to say.
            if address == proxy.address || terms.params.params_version == proxy.account.params.params_version {
                continue;
            }
            if let Some(other) = there(fetch_proxy(chain, &address).await)? {
                others.insert(address, other);
            } else if was_there(chain, &address).await? {
                gone.insert(address);
            }
        }
        Ok(Self {
            proxy,
            others,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            root,
            heard: Named::default(),
            strangers: Named::default(),
            gone,
        })
    }

    /// All contracts of the proxy.
    pub fn contracts(&self) -> impl Iterator<Item = &ContractHistory<ProxyAccount>> {
        std::iter::once(&self.proxy).chain(self.others.values())
    }

    /// One of them.
    pub fn contract(&self, address: &Address) -> Option<&ContractHistory<ProxyAccount>> {
        if self.proxy.address == *address {
            Some(&self.proxy)
        } else {
            self.others.get(address)
        }
    }

    /// The key that all of them hold.
    pub fn key(&self) -> &PublicKey {
        &self.proxy.account.proxy_public_key
    }

    /// The chain's time when it was read, Unix seconds.
    pub fn time(&self) -> u32 {
        self.proxy.account.account.time
    }

    /// Whether the contracts of a receipt are among those fetched.
    pub fn covers(&self, signed: &SignedReceipt) -> bool {
        let receipt = &signed.receipt;
        self.clients.contains_key(&receipt.client) && self.workers.contains_key(&receipt.statement.worker)
    }

    /// Whether it knows terms, lists or contracts that an older one did not: what receipts newer than that may name.
    pub(crate) fn knows_more_than(&self, older: &Self) -> bool {
        fn has_more<T>(newer: &BTreeMap<Address, Option<T>>, older: &BTreeMap<Address, Option<T>>) -> bool {
            let is_new = |address: &Address| older.get(address).is_none_or(Option::is_none);
            newer
                .iter()
                .any(|(address, contract)| contract.is_some() && is_new(address))
        }
        self.root != older.root
            || self
                .contracts()
                .any(|contract| older.contract(&contract.address).is_none())
            || has_more(&self.clients, &older.clients)
            || has_more(&self.workers, &older.workers)
    }

    /// Fetches contracts that are not known yet. Returns whether something was settled with one of them: then receipts that
    /// were read before must be read again.
    pub(crate) async fn extend(&mut self, chain: &dyn ChainClient, named: &Named) -> Result<bool, AuditError> {
        let mut has_settled = false;
        for address in &named.clients {
            if self.clients.contains_key(address) {
                continue;
            }
            let account = match found(ClientAccount::fetch(chain, address).await)? {
                Found::Nothing => None,
                Found::Contract(account) if crate::client::is_of_proxy(address, &account, self) => Some(account),
                // Nobody needs its history, which may be of any length.
                Found::Contract(_) | Found::Other => {
                    self.strangers.clients.insert(address.clone());
                    None
                }
            };
            let fetched = match account {
                None => None,
                Some(account) => {
                    let transactions = up_to(chain, address, &account.account).await?;
                    Some(ContractHistory {
                        address: address.clone(),
                        account,
                        transactions,
                    })
                }
            };
            has_settled |= fetched
                .as_ref()
                .is_some_and(|contract| !crate::client::points(contract).is_empty());
            self.clients.insert(address.clone(), fetched);
        }
        for address in &named.workers {
            if self.workers.contains_key(address) {
                continue;
            }
            let account = match found(WorkerAccount::fetch(chain, address).await)? {
                Found::Nothing => None,
                Found::Contract(account) if crate::worker::is_of_proxy(address, &account, self) => Some(account),
                // Nobody needs its history, which may be of any length.
                Found::Contract(_) | Found::Other => {
                    self.strangers.workers.insert(address.clone());
                    None
                }
            };
            let fetched = match account {
                None => None,
                Some(account) => {
                    let transactions = up_to(chain, address, &account.account).await?;
                    Some(ContractHistory {
                        address: address.clone(),
                        account,
                        transactions,
                    })
                }
            };
            has_settled |= fetched
                .as_ref()
                .is_some_and(|contract| !crate::worker::points(contract).is_empty());
            self.workers.insert(address.clone(), fetched);
        }
        Ok(has_settled)
    }
}

/// Contracts that receipts name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) clients: BTreeSet<Address>,
    pub(crate) workers: BTreeSet<Address>,
}

impl Named {
    pub(crate) fn add(&mut self, signed: &SignedReceipt) {
        let receipt = &signed.receipt;
        self.clients.insert(receipt.client.clone());
        self.workers.insert(receipt.statement.worker.clone());
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len() + self.workers.len()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.clients.extend(other.clients.iter().cloned());
        self.workers.extend(other.workers.iter().cloned());
    }
}

async fn fetch_proxy(chain: &dyn ChainClient, address: &Address) -> Result<ContractHistory<ProxyAccount>, AuditError> {
    let account = ProxyAccount::fetch(chain, address).await?;
    let transactions = up_to(chain, address, &account.account).await?;
    Ok(ContractHistory {
        address: address.clone(),
        account,
        transactions,
    })
}

/// What is not there is a finding, not a failure.
fn there<T, E: Into<AuditError>>(fetched: Result<T, E>) -> Result<Option<T>, AuditError> {
    match fetched.map_err(Into::into) {
        Err(AuditError::Chain(ChainError::NotDeployed { .. })) => Ok(None),
        fetched => fetched.map(Some),
    }
}

/// What is at an address that should be of a certain contract.
enum Found<T> {
    Nothing,
    Other,
    Contract(T),
}

/// Anybody can write any address into a receipt: what is there is a finding, not a failure.
fn found<T>(fetched: Result<T, ChainError>) -> Result<Found<T>, AuditError> {
    match fetched {
        Ok(contract) => Ok(Found::Contract(contract)),
        Err(ChainError::NotDeployed { .. }) => Ok(Found::Nothing),
        Err(ChainError::Data { .. }) => Ok(Found::Other),
        Err(error) => Err(error.into()),
    }
}

/// Whether there ever was a contract at an address where there is none now.
async fn was_there(chain: &dyn ChainClient, address: &Address) -> Result<bool, AuditError> {
    let account = chain.account(address).await?;
    if account.last.is_none() {
        return Ok(false);
    }
    let transactions = up_to(chain, address, &account).await?;
    let was_active = |transaction: &Transaction| transaction.status_after == AccountStatus::Active;
    Ok(transactions.iter().any(was_active))
}

/// The history that led to this state: what came after is left for the next audit.
pub(crate) async fn up_to(
    chain: &dyn ChainClient,
    address: &Address,
    account: &AccountState,
) -> Result<Vec<Transaction>, AuditError> {
    let last = account.last.map_or(0, |last| last.lt);
    let mut transactions = history(chain, address, 0, MAX_HISTORY).await?;
    transactions.retain(|transaction| transaction.lt <= last);
    Ok(transactions)
}

/// Client and worker contracts that wrote to the proxy contract. Anyone may send such a message; only contracts of this
/// proxy have the addresses that follow from its terms.
fn heard_of(proxy: &ContractHistory<ProxyAccount>, heard: &mut Named) -> Result<(), AuditError> {
    let account = &proxy.account;
    let (key, params) = (&account.proxy_public_key, &account.params);
    for message in proxy
        .transactions
        .iter()
        .filter_map(|transaction| transaction.in_msg.as_ref())
    {
        let Some(source) = message.source.as_ref() else {
            continue;
        };
        if heard.clients.contains(source) || heard.workers.contains(source) {
            continue;
        }
        if let Ok(step) = ClientStep::load_from(&mut message.body()) {
            if client_state_init(&step.owner, &proxy.address, key, params)?.address()? == *source {
                heard.clients.insert(source.clone());
            }
        } else if let Ok(step) = WorkerStep::load_from(&mut message.body())
            && worker_state_init(&step.owner, &proxy.address, key, params)?.address()? == *source
        {
            heard.workers.insert(source.clone());
        }
    }
    Ok(())
}
