//! The log read against the rows: the same channels, to the last token.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_ledger::{Changes, Ledger, Position};
use cocoon_receipt::{ChannelHead, ChannelLink, Receipt};

use super::Durable;
use crate::error::StoreError;

/// Reads the log against the database.
pub(super) struct Recovery {
    pub(super) path: PathBuf,
    pub(super) ledger: Ledger,
    heads: HashMap<Address, ChannelHead>,
    /// Receipts that only the log has.
    pub(super) unwritten: Vec<(u64, Receipt)>,
    /// What they change.
    pub(super) changes: Vec<Changes>,
    pub(super) receipts: u64,
    pub(super) durable: Durable,
}

impl Recovery {
    /// Of the log at `path`, against the ledger of the rows.
    pub(super) fn new(path: PathBuf, ledger: Ledger) -> Self {
        Self {
            path,
            ledger,
            heads: HashMap::new(),
            unwritten: Vec::new(),
            changes: Vec::new(),
            receipts: 0,
            durable: Durable::default(),
        }
    }

    /// The next receipt of the log; one that the rows do not count is taken over.
    pub(super) fn take(&mut self, index: u64, is_unwritten: bool, receipt: &Receipt) -> Result<(), StoreError> {
        let (receipt_id, statement_hash) = (receipt.id(), receipt.statement.hash());
        let inconsistent = |path: &Path, reason: String| StoreError::Inconsistent {
            path: path.to_owned(),
            index,
            receipt: receipt_id.to_string(),
            reason,
        };
        let links = [
            (&receipt.client, &receipt.channel, receipt_id.0),
            (&receipt.statement.worker, &receipt.statement.channel, statement_hash),
        ];
        for (contract, link, hash) in links {
            let head = self.heads.entry(contract.clone()).or_insert(ChannelHead::GENESIS);
            *head = head
                .extend(link, hash)
                .map_err(|fault| inconsistent(&self.path, fault.to_string()))?;
        }
        self.receipts += 1;
        self.durable.push(receipt_id, receipt.statement.timing.finished_ms);
        if is_unwritten {
            let client = (&receipt.client, &position(&receipt.channel), receipt_id.0);
            let worker = (
                &receipt.statement.worker,
                &position(&receipt.statement.channel),
                statement_hash,
            );
            let changes = self.ledger.replay(client, worker);
            self.changes
                .push(changes.map_err(|error| inconsistent(&self.path, error.to_string()))?);
            self.unwritten.push((index, receipt.clone()));
        }
        Ok(())
    }

    /// The channels of the log must be those of the database.
    pub(super) fn compare(&self) -> Result<(), StoreError> {
        let clients = self
            .ledger
            .clients()
            .map(|(contract, channel)| (contract, &channel.account));
        let workers = self
            .ledger
            .workers()
            .map(|(contract, channel)| (contract, &channel.account));
        for (contract, account) in clients.chain(workers) {
            let head = self.heads.get(contract).copied().unwrap_or(ChannelHead::GENESIS);
            let (seqno, hash) = account.tail();
            if (seqno, hash, account.max().get()) != (head.seqno, head.hash, head.total) {
                return Err(StoreError::Inconsistent {
                    path: self.path.clone(),
                    index: self.receipts,
                    receipt: hash.to_string(),
                    reason: format!(
                        "the log ends the channel of {contract} at receipt {} with {} tokens, the database at {seqno} \
                         with {}",
                        head.seqno,
                        head.total,
                        account.max()
                    ),
                });
            }
        }
        Ok(())
    }
}

fn position(link: &ChannelLink) -> Position {
    Position {
        seqno: link.seqno,
        previous: link.previous,
        before: TokenCount::new(link.before),
        after: TokenCount::new(link.after),
    }
}
