//! From the receipt log of this proxy into the published one, in the order of the former. Blocks on disks.

use std::collections::HashSet;
use std::path::PathBuf;

use cocoon_bindings::checkpoint::SignedCheckpoint;
use cocoon_bindings::ton::HashBytes;
use cocoon_ledger::LedgerError;
use cocoon_receipt::BuiltReceipt;
use cocoon_receipt::tree::{Frontier, leaf_hash};
use cocoon_store::{EvidenceFolder, LogReader, NewRecord, SharedDisk};
use cocoon_tlog::{DiskFolder, Mark, Publisher, TlogError};
use ed25519_dalek::SigningKey;

use crate::error::ProxyError;
use crate::limits::MAX_REMEMBERED_EVIDENCE;

/// What a feed is made of.
pub(super) struct Origin {
    pub(super) folder: PathBuf,
    pub(super) receipts: PathBuf,
    pub(super) disk: SharedDisk,
    pub(super) evidence: EvidenceFolder,
    pub(super) key: SigningKey,
}

/// The publisher, and how far it has read.
pub(super) struct Feed {
    publisher: Publisher,
    receipts: PathBuf,
    disk: SharedDisk,
    evidence: EvidenceFolder,
    /// Next record of the receipt log.
    next: Next,
    /// Certificates that are published, or are not here.
    seen_evidence: HashSet<HashBytes>,
    described: Option<(String, String)>,
}

/// A place in the receipt log.
#[derive(Clone, Copy, Default)]
struct Next {
    offset: u64,
    record: u64,
    /// Where the record of the newest receipt before it begins.
    last_offset: u64,
}

impl Feed {
    /// Takes up the published log at its last checkpoint. Where to go on in the receipt log says a mark, which is compared with the
    /// log, or reading it from its beginning.
    pub(super) fn open(origin: Origin) -> Result<Self, ProxyError> {
        let publisher = Publisher::open(DiskFolder::shared(origin.folder), origin.key)?;
        let mut feed = Self {
            publisher,
            receipts: origin.receipts,
            disk: origin.disk,
            evidence: origin.evidence,
            next: Next::default(),
            seen_evidence: HashSet::new(),
            described: None,
        };
        match feed.publisher.mark() {
            Some(mark) if feed.fits(&mark) => {
                feed.next = Next {
                    offset: mark.offset,
                    record: mark.record,
                    last_offset: mark.last_offset,
                };
            }
            _ => feed.find_place()?,
        }
        Ok(feed)
    }

    /// Receipts under the newest checkpoint.
    pub(super) fn published(&self) -> u64 {
        self.publisher.size()
    }

    /// Publishes records of challenges, whose receipts are published.
    pub(super) fn challenges(&mut self, records: &[Vec<u8>]) -> Result<(), TlogError> {
        self.publisher.add_challenges(records)
    }

    /// Names what is signed for the proxy contract; it comes under the checkpoints.
    pub(super) fn cover(&mut self, cell: Option<SignedCheckpoint>) {
        // While nothing may be signed, what was signed before stays.
        if let Some(cell) = cell {
            self.publisher.cover(vec![cell]);
        }
    }

    /// Puts the checkpoint with the signatures of witnesses in its place.
    pub(super) fn witnessed(&mut self, note: &str) -> Result<(), TlogError> {
        self.publisher.witnessed(note)
    }

    /// Whether the last receipt that was published stands where the mark says, and behind it only workers' signatures up to where
    /// the mark says that a record begins.
    fn fits(&self, mark: &Mark) -> bool {
        let Ok(reader) = LogReader::open_at(self.disk.as_ref(), &self.receipts, mark.last_offset, 0) else {
            return false;
        };
        let mut reader = reader.built();
        let Some(Ok(entry)) = reader.next() else { return false };
        let is_last = match entry.record {
            NewRecord::Receipt(receipt) => self.publisher.last().is_ok_and(|last| last == Some(receipt.id())),
            NewRecord::WorkerSignature(..) => false,
        };
        let mut end = entry.end;
        while end < mark.offset {
            match reader.next() {
                Some(Ok(entry)) if matches!(entry.record, NewRecord::WorkerSignature(..)) => end = entry.end,
                _ => return false,
            }
        }
        is_last && end == mark.offset
    }

    /// Whether the tree over all that is durable grew out of what is published. Writes nothing.
    pub(super) fn check(&self, tree: &Frontier) -> Result<(), ProxyError> {
        let mut tiles = self.publisher.tiles().clone();
        if tiles.size() < tree.size() {
            let reader = LogReader::open_at(self.disk.as_ref(), &self.receipts, self.next.offset, self.next.record)?;
            for entry in reader.built() {
                if let NewRecord::Receipt(receipt) = entry?.record {
                    tiles.push(leaf_hash(receipt.id().0.as_slice()));
                    if tiles.size() == tree.size() {
                        break;
                    }
                }
            }
        }
        if tiles.size() < tree.size() {
            // Nothing contradicts so far; all is compared before the next checkpoint is signed.
            tracing::warn!(
                read = tiles.size(),
                durable = tree.size(),
                "the receipt log could not be read to its end"
            );
            return Ok(());
        }
        if tiles.size() == tree.size() && tiles.root() == tree.root() {
            return Ok(());
        }
        let (published, size) = (self.publisher.size(), tree.size());
        Err(LedgerError::BehindPublished { published, size }.into())
    }

    /// Reads the receipts that are published from the beginning of the receipt log: they must be the same.
    fn find_place(&mut self) -> Result<(), ProxyError> {
        let size = self.publisher.size();
        let mut tree = Frontier::default();
        if size > 0 {
            for entry in LogReader::open_on(self.disk.as_ref(), &self.receipts)?.built() {
                let entry = entry?;
                match entry.record {
                    NewRecord::Receipt(receipt) => {
                        tree.push(leaf_hash(receipt.id().0.as_slice()));
                        self.next.last_offset = entry.offset;
                    }
                    NewRecord::WorkerSignature(id, signature) => self.publisher.add_signature(&id, signature)?,
                }
                (self.next.offset, self.next.record) = (entry.end, entry.index + 1);
                if tree.size() == size {
                    break;
                }
            }
        }
        self.compare(&tree)
    }

    /// What is published must be what this tree is over.
    fn compare(&self, tree: &Frontier) -> Result<(), ProxyError> {
        let (published, size) = (self.publisher.size(), tree.size());
        if published == size && self.publisher.root() == tree.root() {
            return Ok(());
        }
        Err(LedgerError::BehindPublished { published, size }.into())
    }

    /// Publishes the receipts of `tree`, the one over all that are durable; says whether there is a new checkpoint.
    pub(super) fn publish(&mut self, tree: &Frontier, addresses: (String, String)) -> Result<bool, ProxyError> {
        if self.publisher.size() > tree.size() {
            return self.compare(tree).map(|()| false);
        }
        if self.described.as_ref() != Some(&addresses) {
            self.publisher.describe(addresses.0.clone(), addresses.1.clone())?;
            self.described = Some(addresses);
        }
        let is_first = self.publisher.note().is_none();
        if tree.size() > 0 {
            self.read_to(tree.size())?;
        }
        if self.publisher.size() < tree.size() {
            tracing::warn!(
                read = self.publisher.size(),
                durable = tree.size(),
                "the receipt log could not be read to its end: published later"
            );
            return Ok(false);
        }
        self.compare(tree)?;
        if !is_first && !self.publisher.has_changes() {
            self.publisher.renew()?;
            return Ok(false);
        }
        let mark = (tree.size() > 0).then_some(Mark {
            size: tree.size(),
            offset: self.next.offset,
            record: self.next.record,
            last_offset: self.next.last_offset,
        });
        self.publisher.publish(mark)?;
        tracing::debug!(size = tree.size(), "a checkpoint of the log was published");
        Ok(true)
    }

    /// Takes over receipts up to `size`, and the signatures that stand behind them.
    fn read_to(&mut self, size: u64) -> Result<(), ProxyError> {
        let Next { offset, record, .. } = self.next;
        for entry in LogReader::open_at(self.disk.as_ref(), &self.receipts, offset, record)?.built() {
            let entry = entry?;
            match entry.record {
                NewRecord::Receipt(_) if self.publisher.size() == size => break,
                NewRecord::Receipt(receipt) => {
                    self.take_evidence(&receipt)?;
                    self.publisher.add_built(&receipt)?;
                    self.next.last_offset = entry.offset;
                }
                NewRecord::WorkerSignature(id, signature) => self.publisher.add_signature(&id, signature)?,
            }
            (self.next.offset, self.next.record) = (entry.end, entry.index + 1);
        }
        Ok(())
    }

    fn take_evidence(&mut self, built: &BuiltReceipt) -> Result<(), ProxyError> {
        let receipt = &built.signed().receipt;
        for hash in [receipt.proxy_evidence, receipt.statement.worker_evidence] {
            if self.seen_evidence.contains(&hash) {
                continue;
            }
            if self.seen_evidence.len() >= MAX_REMEMBERED_EVIDENCE {
                self.seen_evidence.clear();
            }
            self.seen_evidence.insert(hash);
            if self.publisher.has_evidence(&hash)? {
                continue;
            }
            match self.evidence.get(&hash)? {
                Some(certificate) => self.publisher.put_evidence(&certificate)?,
                None => tracing::warn!(%hash, "a receipt names a certificate that is not here"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
