//! Where receipts come from, piece by piece.

mod store;

pub use store::StoreSource;

use crate::challenges::ChallengeTotals;
use crate::error::AuditError;
use crate::limits::BATCH;
use crate::verdict::Difference;
use async_trait::async_trait;
use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{ReceiptId, Signature, SignedReceipt};

/// One entry of a log.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly every entry is a receipt")]
pub enum Entry {
    /// A receipt that was read already.
    Receipt(SignedReceipt),
    /// A receipt as it stands in a published log.
    Boc {
        /// The id that its log gives it.
        id: ReceiptId,
        /// The signed receipt as a bag of cells.
        boc: Bytes,
        /// The worker's signature, which stands beside it.
        signature: Option<Signature>,
    },
    /// The worker's signature for a receipt further up.
    LateSignature(ReceiptId, Signature),
}

/// What a source gives next.
#[derive(Debug)]
pub enum Piece {
    /// Entries in the order of the log.
    Entries(Vec<Entry>),
    /// What the source found out by itself: there is nothing behind it.
    Difference(Difference),
    /// All was read.
    End,
}

/// How long a log is, and its root, where the source knows it by more than the receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Receipts.
    pub size: u64,
    /// Root of the tree over their ids.
    pub root: HashBytes,
}

/// Receipts in the order of their log.
#[async_trait]
pub trait ReceiptSource: Send {
    /// The next piece, at most a few thousand entries.
    async fn next(&mut self) -> Result<Piece, AuditError>;

    /// Leaves out so many entries from the beginning; called before the first piece is taken.
    async fn skip(&mut self, entries: u64) -> Result<(), AuditError>;

    /// About how many entries there are in all, to show how far an audit is.
    fn len_hint(&self) -> Option<u64>;

    /// What the log itself says to be its end; `None` when it says nothing.
    fn head(&self) -> Option<Head>;

    /// What the log says of requests that two workers answered; `None` when it says nothing.
    fn challenges(&self) -> Option<ChallengeTotals> {
        None
    }
}

/// Receipts in memory.
#[derive(Debug)]
pub struct MemorySource<'a> {
    receipts: &'a [SignedReceipt],
    at: usize,
}

impl<'a> MemorySource<'a> {
    /// These receipts.
    pub fn new(receipts: &'a [SignedReceipt]) -> Self {
        Self { receipts, at: 0 }
    }

    /// The next ones; none at the end.
    pub fn take(&mut self) -> Vec<Entry> {
        let rest = self.receipts.get(self.at..).unwrap_or_default();
        let piece: Vec<Entry> = rest.iter().take(BATCH).cloned().map(Entry::Receipt).collect();
        self.at += piece.len();
        piece
    }
}

#[async_trait]
impl ReceiptSource for MemorySource<'_> {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        let piece = self.take();
        Ok(if piece.is_empty() {
            Piece::End
        } else {
            Piece::Entries(piece)
        })
    }

    async fn skip(&mut self, entries: u64) -> Result<(), AuditError> {
        self.at = usize::try_from(entries).unwrap_or(usize::MAX).min(self.receipts.len());
        Ok(())
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.receipts.len() as u64)
    }

    fn head(&self) -> Option<Head> {
        None
    }
}
