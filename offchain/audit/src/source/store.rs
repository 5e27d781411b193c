//! The receipt log in a proxy's folder, also while the proxy runs.

use super::{Entry, Head, Piece, ReceiptSource};
use crate::error::AuditError;
use crate::limits::{BATCH, LATE_WINDOW};
use crate::verdict::{Difference, DifferenceKind};
use async_trait::async_trait;
use cocoon_receipt::{ReceiptId, SignedReceipt};
use cocoon_store::{LogReader, LogRecord, StoreError};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// Reads a store's log. A worker's signature stands there behind its receipt: receipts wait for theirs in a window, and one that
/// comes later is an entry of its own.
pub struct StoreSource {
    path: PathBuf,
    reader: LogReader,
    window: VecDeque<SignedReceipt>,
    /// Receipts of the window without a signature, by the number that they would have in the log.
    places: HashMap<ReceiptId, u64>,
    /// Signatures that came too late for the window, to be given in their place.
    late: Vec<Entry>,
    /// Number of the first receipt in the window.
    first: u64,
    is_read: bool,
    finding: Option<Difference>,
    skip: u64,
    bytes: u64,
}

impl StoreSource {
    /// Opens the log at a path.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Ok(Self {
            path: path.to_owned(),
            reader: LogReader::open(path)?,
            window: VecDeque::new(),
            places: HashMap::new(),
            late: Vec::new(),
            first: 0,
            is_read: false,
            finding: None,
            skip: 0,
            bytes,
        })
    }

    /// Reads on until the window is full, a piece of late signatures is, or the log ends.
    fn fill(&mut self) -> Result<(), AuditError> {
        while !self.is_read && self.window.len() < LATE_WINDOW + BATCH && self.late.len() < BATCH {
            match self.reader.next() {
                None => self.is_read = true,
                Some(Ok(entry)) => self.take(entry.record),
                Some(Err(error)) => {
                    self.is_read = true;
                    self.finding = Some(finding(&error).ok_or(error)?);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, record: LogRecord) {
        match record {
            LogRecord::Receipt(receipt) => {
                if receipt.worker_signature.is_none() {
                    let number = self.first + self.window.len() as u64;
                    self.places.insert(receipt.id(), number);
                }
                self.window.push_back(receipt);
            }
            LogRecord::WorkerSignature(id, signature) => {
                let place = self
                    .places
                    .remove(&id)
                    .and_then(|number| number.checked_sub(self.first));
                let place = place.and_then(|place| usize::try_from(place).ok());
                match place.and_then(|place| self.window.get_mut(place)) {
                    Some(receipt) => receipt.worker_signature = Some(signature),
                    None => self.late.push(Entry::LateSignature(id, signature)),
                }
            }
        }
    }

    fn piece(&mut self) -> Vec<Entry> {
        let ready = if self.is_read {
            self.window.len()
        } else {
            self.window.len().saturating_sub(LATE_WINDOW)
        };
        let receipts: Vec<SignedReceipt> = self.window.drain(..ready.min(BATCH)).collect();
        self.first += receipts.len() as u64;
        let mut piece = std::mem::take(&mut self.late);
        piece.reserve(receipts.len());
        for receipt in receipts {
            // Whose signature is not there now can only come late.
            if receipt.worker_signature.is_none() {
                self.places.remove(&receipt.id());
            }
            piece.push(Entry::Receipt(receipt));
        }
        piece
    }
}

#[async_trait]
impl ReceiptSource for StoreSource {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        loop {
            self.fill()?;
            let mut piece = self.piece();
            if piece.is_empty() {
                return Ok(match self.finding.take() {
                    Some(difference) => Piece::Difference(difference),
                    None => Piece::End,
                });
            }
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= skipped as u64;
            piece.drain(..skipped);
            if !piece.is_empty() {
                return Ok(Piece::Entries(piece));
            }
        }
    }

    async fn skip(&mut self, entries: u64) -> Result<(), AuditError> {
        self.skip = entries;
        Ok(())
    }

    fn len_hint(&self) -> Option<u64> {
        // By the size of what was read so far.
        let (records, offset) = (self.reader.records(), self.reader.offset());
        (records > 0 && offset > 0).then(|| {
            let estimate = u128::from(records) * u128::from(self.bytes.max(offset)) / u128::from(offset);
            u64::try_from(estimate).unwrap_or(u64::MAX)
        })
    }

    fn head(&self) -> Option<Head> {
        None
    }
}

impl std::fmt::Debug for StoreSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreSource({})", self.path.display())
    }
}

/// What the store found out by itself.
fn finding(error: &StoreError) -> Option<Difference> {
    let (StoreError::Damaged { receipt, .. } | StoreError::Inconsistent { receipt, .. }) = error else {
        return None;
    };
    Some(Difference {
        kind: DifferenceKind::Log,
        receipt: Some(receipt.clone()),
        contract: None,
        transaction: None,
        sentence: format!("Receipt {receipt}: {error}."),
    })
}
