//! Up to 256 receipts as they stand in the files, and as they are read.

use std::collections::HashSet;

use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::tree::leaf_hash;
use cocoon_receipt::{ReceiptId, Signature, SignedReceipt};

use crate::error::TlogError;

/// A batch whose entries were proven. Decoding is left to whoever has cores for it.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Index of the first receipt.
    pub first: u64,
    /// Ids, proven against the checkpoint.
    pub ids: Vec<ReceiptId>,
    /// Bags of cells, one for each id.
    pub receipts: Vec<Bytes>,
    /// The workers' signatures, one place for each id.
    pub signatures: Vec<Option<Signature>>,
}

impl Batch {
    /// The receipts, each with the id that was proven, with their workers' signatures. No signature is checked.
    pub fn decode(&self) -> Result<Vec<SignedReceipt>, TlogError> {
        let items = (self.first..)
            .zip(&self.ids)
            .zip(self.receipts.iter().zip(&self.signatures));
        items
            .map(|((index, id), (bytes, signature))| {
                let mut receipt =
                    SignedReceipt::from_boc(bytes).map_err(|source| TlogError::Receipt { index, source })?;
                // A second signature inside would be one that nobody compares with the first.
                if receipt.id() != *id || receipt.worker_signature.is_some() {
                    return Err(TlogError::Name { index });
                }
                receipt.worker_signature = *signature;
                Ok(receipt)
            })
            .collect()
    }
}

/// Whether ids have the leaves of a tile, and none is there twice.
pub(super) fn check_entries(first: u64, ids: &[ReceiptId], leaves: &[HashBytes]) -> Result<(), TlogError> {
    let mut pairs = (first..).zip(ids).zip(leaves);
    match pairs.find(|((_, id), leaf)| leaf_hash(id.0.as_slice()) != **leaf) {
        Some(((index, _), _)) => Err(TlogError::Entry { index }),
        None if ids.len() != leaves.len() => Err(TlogError::Entry {
            index: first + ids.len().min(leaves.len()) as u64,
        }),
        None => check_repeated(first, ids),
    }
}

/// Whether each receipt of a batch is there once.
fn check_repeated(first: u64, ids: &[ReceiptId]) -> Result<(), TlogError> {
    let mut seen = HashSet::with_capacity(ids.len());
    let repeated = (first..).zip(ids).find(|(_, id)| !seen.insert(id.0));
    match repeated {
        Some((index, _)) => Err(TlogError::Repeated { index }),
        None => Ok(()),
    }
}
