//! The chain's transactions, by account, by block, by message.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, HashBytes};

use crate::Emulator;
use crate::report::TransactionReport;

impl Emulator {
    /// Transactions of one account, oldest first.
    pub fn transactions(&self, address: &Address) -> Vec<Arc<TransactionReport>> {
        self.newest_first(address).rev().cloned().collect()
    }

    /// Up to `limit` transactions of one account, newest first, starting with the one at `from` (logical time and
    /// hash) or with the last one. Empty if there is no such transaction.
    pub fn transactions_from(
        &self,
        address: &Address,
        from: Option<(u64, HashBytes)>,
        limit: usize,
    ) -> Vec<Arc<TransactionReport>> {
        let newest = self.newest_first(address);
        match from {
            None => newest.take(limit).cloned().collect(),
            Some((lt, hash)) => {
                let start = newest.skip_while(|report| (report.lt, report.hash) != (lt, hash));
                start.take(limit).cloned().collect()
            }
        }
    }

    /// All transactions, oldest first.
    pub fn all_transactions(&self) -> &[Arc<TransactionReport>] {
        &self.state.transactions
    }

    /// Transactions of one block, oldest first.
    pub fn block_transactions(&self, block: u32) -> &[Arc<TransactionReport>] {
        let all = &self.state.transactions;
        let start = all.partition_point(|report| report.block() < block);
        let end = all.partition_point(|report| report.block() <= block);
        all.get(start..end).unwrap_or(&[])
    }

    /// When a block was made, seconds since 1970. The times of empty ones are not kept: the newest is as old as the chain, and
    /// others as what came before them.
    pub fn block_time(&self, block: u32) -> u32 {
        let all = &self.state.transactions;
        if block >= self.block() && self.block_transactions(block).is_empty() {
            return self.state.now;
        }
        let end = all.partition_point(|report| report.block() <= block);
        let last = all.get(end.saturating_sub(1));
        last.map_or(self.state.now, |report| report.now)
    }

    fn newest_first(&self, address: &Address) -> impl DoubleEndedIterator<Item = &Arc<TransactionReport>> {
        let places = self.state.by_account.get(address).map(Vec::as_slice).unwrap_or(&[]);
        places
            .iter()
            .rev()
            .filter_map(|place| self.state.transactions.get(*place))
    }
}
