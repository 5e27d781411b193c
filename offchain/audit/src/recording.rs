//! The chain as it was read once: for an audit that goes on later, and for one without a network.

mod file;

pub(crate) use file::{ChainFile, RecordingFile, load, save};

use crate::limits::MAX_HISTORY;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_chain::{AccountState, ChainClient, ChainError, GetterResult, Transaction, TransactionId, history};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// States and histories of contracts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording {
    pub(crate) accounts: BTreeMap<Address, AccountState>,
    /// Oldest first.
    pub(crate) transactions: BTreeMap<Address, Vec<Transaction>>,
}

/// A chain that answers every question once and then remembers the answer; without a chain behind it, it knows only what was
/// recorded. It sends nothing and runs nothing.
#[derive(Debug)]
pub struct RecordedChain<'a> {
    live: Option<&'a dyn ChainClient>,
    recording: Mutex<Recording>,
}

impl<'a> RecordedChain<'a> {
    /// Records what is asked of a chain.
    pub fn new(live: &'a dyn ChainClient) -> Self {
        Self::with(Some(live), Recording::default())
    }

    pub(crate) fn with(live: Option<&'a dyn ChainClient>, recording: Recording) -> Self {
        Self {
            live,
            recording: Mutex::new(recording),
        }
    }

    /// What was recorded so far.
    pub(crate) fn recorded(&self) -> MutexGuard<'_, Recording> {
        // Nobody leaves it half written.
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers other answers; returns those that it remembered.
    pub(crate) fn exchange(&self, recording: Recording) -> Recording {
        std::mem::replace(&mut *self.recorded(), recording)
    }

    fn live(&self, what: &str, address: &Address) -> Result<&'a dyn ChainClient, ChainError> {
        self.live.ok_or_else(|| ChainError::Response {
            method: "recording",
            reason: format!("it does not hold the {what} of {address}"),
        })
    }
}

#[async_trait::async_trait]
impl ChainClient for RecordedChain<'_> {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        if let Some(account) = self.recorded().accounts.get(address) {
            return Ok(account.clone());
        }
        let account = self.live("state", address)?.account(address).await?;
        self.recorded().accounts.insert(address.clone(), account.clone());
        Ok(account)
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        _: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        Err(ChainError::Response {
            method: "recording",
            reason: format!("{method} of {address} cannot be run"),
        })
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        let is_known = self.recorded().transactions.contains_key(address);
        if !is_known {
            let live = self.live("history", address)?;
            let transactions = history(live, address, 0, MAX_HISTORY).await?;
            self.recorded().transactions.insert(address.clone(), transactions);
        }
        let recorded = self.recorded();
        let transactions = recorded
            .transactions
            .get(address)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let end = match from {
            None => transactions.len(),
            Some(from) => {
                let at = transactions.iter().position(|found| TransactionId::from(found) == from);
                at.map_or(0, |at| at + 1)
            }
        };
        let page = transactions.iter().take(end).rev().take(limit);
        Ok(page.cloned().collect())
    }

    async fn send_boc(&self, _: &Cell) -> Result<(), ChainError> {
        Err(ChainError::MessageRefused {
            exit_code: None,
            reason: "a recording takes no messages".to_owned(),
        })
    }

    async fn now(&self) -> Result<u32, ChainError> {
        let times = self.recorded().accounts.values().map(|account| account.time).max();
        Ok(times.unwrap_or_default())
    }
}
