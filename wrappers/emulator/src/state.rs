//! The chain itself: accounts, messages under way, transactions, time. Plain data, cheap to copy.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cocoon_bindings::ton::{Address, Cell, HashBytes};
use tycho_types::cell::Lazy;
use tycho_types::models::{OptionalAccount, ShardAccount};

use crate::EmulatorError;
use crate::limits::BLOCK_LT;
use crate::report::TransactionReport;

/// The block that holds a logical time.
pub fn block_of(lt: u64) -> u32 {
    u32::try_from(lt / BLOCK_LT).unwrap_or(u32::MAX)
}

/// Everything that a snapshot keeps.
#[derive(Debug, Clone)]
pub(crate) struct ChainState {
    /// Seconds since 1970.
    pub(crate) now: u32,
    /// Logical time at which the next transaction starts at the earliest.
    pub(crate) lt: u64,
    /// Coins that came into being: by the faucet and by messages from nowhere.
    pub(crate) minted: u128,
    /// Coins that went to validators.
    pub(crate) collected: u128,
    pub(crate) accounts: BTreeMap<Address, ShardAccount>,
    /// Internal messages under way, oldest first.
    pub(crate) queue: VecDeque<Cell>,
    /// All transactions, oldest first.
    pub(crate) transactions: Vec<Arc<TransactionReport>>,
    /// Places in `transactions`, by account, oldest first.
    pub(crate) by_account: BTreeMap<Address, Vec<usize>>,
}

impl ChainState {
    /// An empty chain.
    pub(crate) fn new(now: u32) -> Self {
        Self {
            now,
            lt: BLOCK_LT,
            minted: 0,
            collected: 0,
            accounts: BTreeMap::new(),
            queue: VecDeque::new(),
            transactions: Vec::new(),
            by_account: BTreeMap::new(),
        }
    }

    /// The account, empty if nobody ever wrote to it.
    pub(crate) fn account(&self, address: &Address) -> Result<ShardAccount, EmulatorError> {
        match self.accounts.get(address) {
            Some(account) => Ok(account.clone()),
            None => Ok(ShardAccount {
                account: Lazy::new(&OptionalAccount::EMPTY).map_err(EmulatorError::cell("empty account"))?,
                last_trans_hash: HashBytes::ZERO,
                last_trans_lt: 0,
            }),
        }
    }

    /// Starts the next block.
    pub(crate) fn start_block(&mut self) {
        self.lt = (self.lt / BLOCK_LT).saturating_add(1).saturating_mul(BLOCK_LT);
    }

    /// Adds a transaction to the history.
    pub(crate) fn record(&mut self, report: Arc<TransactionReport>) {
        self.by_account
            .entry(report.address.clone())
            .or_default()
            .push(self.transactions.len());
        self.transactions.push(report);
    }
}
