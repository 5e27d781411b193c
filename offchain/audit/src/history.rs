//! What the chain says: contracts and everything that ever happened to them.

use crate::error::AuditError;
use crate::images::ListedImages;
use cocoon_bindings::ton::{Address, Load};
use cocoon_bindings::types::{ClientStep, WorkerStep};
use cocoon_bindings::{client_state_init, worker_state_init};
use cocoon_chain::{
    AccountState, ChainClient, ChainError, ClientAccount, ProxyAccount, RootView, Transaction, WorkerAccount,
    transactions_after,
};
use cocoon_receipt::SignedReceipt;
use std::collections::{BTreeMap, BTreeSet};

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

/// Everything that an audit asks of the chain.
#[derive(Debug, Clone)]
pub struct ChainHistory {
    /// The proxy contract.
    pub proxy: ContractHistory<ProxyAccount>,
    /// Client contracts: those of receipts and those that the proxy contract heard of. None if it is not there.
    pub clients: BTreeMap<Address, Option<ContractHistory<ClientAccount>>>,
    /// Worker contracts, likewise.
    pub workers: BTreeMap<Address, Option<ContractHistory<WorkerAccount>>>,
    /// Images that the root contract ever listed.
    pub images: ListedImages,
    /// Whether the root contract says that this is a test network.
    pub test_network: bool,
}

impl ChainHistory {
    /// Fetches all of it.
    pub async fn fetch(
        chain: &dyn ChainClient,
        proxy: &Address,
        receipts: &[SignedReceipt],
    ) -> Result<Self, AuditError> {
        let account = ProxyAccount::fetch(chain, proxy).await?;
        let transactions = up_to(chain, proxy, &account.account).await?;
        let proxy = ContractHistory {
            address: proxy.clone(),
            account,
            transactions,
        };
        let root = RootView::fetch(chain, &proxy.account.root).await?;
        let root_history = transactions_after(chain, &root.address, 0).await?;

        let (mut clients, mut workers) = heard_of(&proxy)?;
        clients.extend(receipts.iter().map(|signed| signed.receipt.client.clone()));
        workers.extend(receipts.iter().map(|signed| signed.receipt.statement.worker.clone()));
        let mut history = Self {
            images: ListedImages::of(&root.data, &root_history),
            test_network: root.is_test(),
            proxy,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
        };
        for address in clients {
            let fetched = match there(ClientAccount::fetch(chain, &address).await)? {
                None => None,
                Some(account) => {
                    let transactions = up_to(chain, &address, &account.account).await?;
                    Some(ContractHistory {
                        address: address.clone(),
                        account,
                        transactions,
                    })
                }
            };
            history.clients.insert(address, fetched);
        }
        for address in workers {
            let fetched = match there(WorkerAccount::fetch(chain, &address).await)? {
                None => None,
                Some(account) => {
                    let transactions = up_to(chain, &address, &account.account).await?;
                    Some(ContractHistory {
                        address: address.clone(),
                        account,
                        transactions,
                    })
                }
            };
            history.workers.insert(address, fetched);
        }
        Ok(history)
    }

    /// Whether the contracts of a receipt are among those fetched.
    pub fn covers(&self, signed: &SignedReceipt) -> bool {
        let receipt = &signed.receipt;
        self.clients.contains_key(&receipt.client) && self.workers.contains_key(&receipt.statement.worker)
    }
}

/// What is not there is a finding, not a failure.
fn there<T>(fetched: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match fetched {
        Err(ChainError::NotDeployed { .. }) => Ok(None),
        fetched => fetched.map(Some),
    }
}

/// The history that led to this state: what came after is left for the next audit.
async fn up_to(
    chain: &dyn ChainClient,
    address: &Address,
    account: &AccountState,
) -> Result<Vec<Transaction>, AuditError> {
    let last = account.last.map_or(0, |last| last.lt);
    let mut transactions = transactions_after(chain, address, 0).await?;
    transactions.retain(|transaction| transaction.lt <= last);
    Ok(transactions)
}

/// Client and worker contracts that wrote to the proxy contract. Anyone may send such a message; only contracts of this
/// proxy have the addresses that follow from its terms.
fn heard_of(proxy: &ContractHistory<ProxyAccount>) -> Result<(BTreeSet<Address>, BTreeSet<Address>), AuditError> {
    let (mut clients, mut workers) = (BTreeSet::new(), BTreeSet::new());
    let account = &proxy.account;
    for message in proxy
        .transactions
        .iter()
        .filter_map(|transaction| transaction.in_msg.as_ref())
    {
        let Some(source) = message.source.as_ref() else {
            continue;
        };
        if let Ok(step) = ClientStep::load_from(&mut message.body()) {
            let (key, params) = (&account.proxy_public_key, &account.params);
            if client_state_init(&step.owner, &proxy.address, key, params)?.address()? == *source {
                clients.insert(source.clone());
            }
        } else if let Ok(step) = WorkerStep::load_from(&mut message.body()) {
            let (key, params) = (&account.proxy_public_key, &account.params);
            if worker_state_init(&step.owner, &proxy.address, key, params)?.address()? == *source {
                workers.insert(source.clone());
            }
        }
    }
    Ok((clients, workers))
}
