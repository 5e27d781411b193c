//! That a receipt is in a log: its place under a signed checkpoint.

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;

use super::{Checkpoint, CheckpointError};
use crate::receipt::ReceiptId;
use crate::tree::{leaf_hash, verify_inclusion};

/// Why a proof of inclusion proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncludedError {
    /// The checkpoint is none, or not signed by this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the receipt to the checkpoint's root.
    #[error("the proof does not lead to the root of the checkpoint")]
    Path,
}

/// Checks that the receipt `id` is entry `index` of the log that signs with `key`; returns the checkpoint. `path` has the hashes
/// from the leaf's sibling up to the root's child, `note` is the signed checkpoint.
pub fn verify_included(
    id: &ReceiptId,
    index: u64,
    path: &[HashBytes],
    note: &str,
    key: &PublicKey,
) -> Result<Checkpoint, IncludedError> {
    let checkpoint = Checkpoint::open(note, &Checkpoint::origin_of(key), key)?;
    let leaf = leaf_hash(id.0.as_slice());
    if verify_inclusion(&leaf, index, checkpoint.size, path, &checkpoint.root) {
        Ok(checkpoint)
    } else {
        Err(IncludedError::Path)
    }
}
