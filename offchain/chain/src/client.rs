//! The one way to the chain: a trait with a few questions, and what they answer with.

use std::sync::Arc;

use async_trait::async_trait;
use cocoon_bindings::GetMethod;
use cocoon_bindings::ton::{Address, Cell, HashBytes, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{AccountStatus, GetterResult, TransactionReport};

use crate::ChainError;
use crate::limits::{MAX_CATCH_UP, MAX_PAGE};
use crate::pool::EndpointReport;

/// Any backend.
pub type SharedChain = Arc<dyn ChainClient>;

/// One transaction, whatever backend it came from.
pub type Transaction = TransactionReport;

/// Names one transaction of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    /// Logical time.
    pub lt: u64,
    /// Hash.
    pub hash: HashBytes,
}

impl From<&Transaction> for TransactionId {
    fn from(transaction: &Transaction) -> Self {
        Self {
            lt: transaction.lt,
            hash: transaction.hash,
        }
    }
}

/// The state of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Address.
    pub address: Address,
    /// Balance; zero if the account does not exist.
    pub balance: Nanoton,
    /// Whether there is a contract.
    pub status: AccountStatus,
    /// Code, if active.
    pub code: Option<Cell>,
    /// Data, if active.
    pub data: Option<Cell>,
    /// Its last transaction.
    pub last: Option<TransactionId>,
    /// The chain's time of this state, seconds since 1970.
    pub time: u32,
}

impl AccountState {
    /// Whether there is a contract that runs.
    pub fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }
}

/// How far a server has followed the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of the last masterchain block that it has, if it tells.
    pub seqno: Option<u32>,
    /// The time of that block, seconds since 1970.
    pub time: u32,
}

/// Access to the chain.
#[async_trait]
pub trait ChainClient: Send + Sync + std::fmt::Debug {
    /// The state of an account; one that does not exist has status `NotExists` or `Uninit` and no balance.
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError>;

    /// Runs a get method. A failing method is a result with an exit code, not an error.
    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError>;

    /// Up to `limit` transactions, newest first, starting with `from` itself or with the last one.
    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError>;

    /// Sends an external message. Success says that the server took it, not that it was executed.
    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError>;

    /// The chain's time, seconds since 1970.
    async fn now(&self) -> Result<u32, ChainError>;

    /// How far the server is.
    async fn head(&self) -> Result<ChainHead, ChainError> {
        Ok(ChainHead {
            seqno: None,
            time: self.now().await?,
        })
    }

    /// Runs a get method, and tells the logical time of the account's last transaction in the state that it ran on, where the
    /// server says so.
    async fn run_get_method_dated(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        Ok((self.run_get_method(address, method, arguments).await?, None))
    }

    /// What the receiver of an external message would pay in its own transaction, as the chain stands; fees of what it sets
    /// off are not in it. An estimate: the state may change before the message arrives.
    async fn estimate_fee(&self, _message: &Cell) -> Result<Nanoton, ChainError> {
        Err(ChainError::NotOffered {
            what: "an estimate of fees",
        })
    }

    /// The servers behind it and how they do, for whoever watches; none for a chain in this process.
    fn endpoints(&self) -> Vec<EndpointReport> {
        Vec::new()
    }
}

/// Calls a get method that the contracts declare, and reads what it returns.
pub async fn call_get_method<G: GetMethod>(
    chain: &dyn ChainClient,
    address: &Address,
    method: &G,
) -> Result<G::Output, ChainError> {
    let result = chain.run_get_method(address, G::NAME, method.arguments()).await?;
    if !result.success() {
        let (method, address) = (G::NAME.to_owned(), address.clone());
        return Err(ChainError::GetMethod {
            method,
            address,
            exit_code: result.exit_code,
        });
    }
    let unreadable = |source| ChainError::Data {
        what: "result of a get method",
        address: address.clone(),
        source,
    };
    G::parse(&result.stack).map_err(unreadable)
}

/// Transactions of an account after logical time `after`, oldest first: all of them, however many pages it takes.
///
/// The chain of hashes is checked, so that a server cannot leave one out.
pub async fn transactions_after(
    chain: &dyn ChainClient,
    address: &Address,
    after: u64,
) -> Result<Vec<Transaction>, ChainError> {
    history(chain, address, after, MAX_CATCH_UP).await
}

/// The same with another bound on their number, for whoever reads histories for a living.
pub async fn history(
    chain: &dyn ChainClient,
    address: &Address,
    after: u64,
    limit: usize,
) -> Result<Vec<Transaction>, ChainError> {
    history_from(chain, address, None, after, limit).await
}

/// The history that led to a state of an account. A server that does not have its last transaction gives an error, never a
/// shorter history.
pub(crate) async fn history_to(
    chain: &dyn ChainClient,
    account: &AccountState,
    after: u64,
    limit: usize,
) -> Result<Vec<Transaction>, ChainError> {
    let Some(last) = account.last.filter(|last| last.lt > after) else {
        let reason = format!("{} has changed without a transaction after {after}", account.address);
        return Err(unlinked(reason));
    };
    history_from(chain, &account.address, Some(last), after, limit).await
}

fn unlinked(reason: String) -> ChainError {
    ChainError::Response {
        method: "getTransactions",
        reason,
    }
}

async fn history_from(
    chain: &dyn ChainClient,
    address: &Address,
    newest: Option<TransactionId>,
    after: u64,
    limit: usize,
) -> Result<Vec<Transaction>, ChainError> {
    let mut found: Vec<Transaction> = Vec::new();
    let mut from = newest;
    loop {
        let page = chain.transactions(address, MAX_PAGE, from).await?;
        if found.is_empty() && newest.is_some() && page.first().map(TransactionId::from) != newest {
            return Err(unlinked(format!(
                "the last transaction of {address} is not in its history"
            )));
        }
        // A page that starts at a given transaction repeats the last one of the page before.
        let fresh = page.into_iter().skip(usize::from(!found.is_empty()));
        let before = found.len();
        for transaction in fresh {
            let linked = found
                .last()
                .is_none_or(|newer| (newer.previous_lt, newer.previous_hash) == (transaction.lt, transaction.hash));
            if !linked {
                let reason = format!(
                    "transaction {} of {address} does not follow from the one before",
                    transaction.lt
                );
                return Err(unlinked(reason));
            }
            if transaction.lt <= after {
                found.reverse();
                return Ok(found);
            }
            found.push(transaction);
        }
        let Some(oldest) = found.last() else {
            return Ok(found);
        };
        if oldest.previous_lt <= after {
            found.reverse();
            return Ok(found);
        }
        if found.len() == before {
            let reason = format!("history of {address} ends at {} but goes on before it", oldest.lt);
            return Err(unlinked(reason));
        }
        if found.len() > limit {
            return Err(ChainError::HistoryTooLong {
                address: address.clone(),
                limit,
            });
        }
        from = Some(TransactionId::from(oldest));
    }
}
