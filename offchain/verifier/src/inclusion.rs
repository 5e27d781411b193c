//! That a receipt is in its proxy's published log.

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::ReceiptId;
use cocoon_receipt::log::{Checkpoint, verify_included};
use serde::Serialize;

use crate::check::Check;

const NAME: &str = "inclusion";

/// A proof that somebody brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Its place, from 0.
    pub index: u64,
    /// The checkpoint as a signed note.
    pub checkpoint: String,
    /// Hashes from the leaf's sibling up to the root's child.
    pub path: Vec<HashBytes>,
}

/// The head of a log, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCheckpoint {
    /// Name of the log.
    pub origin: String,
    /// Receipts in it.
    pub size: String,
    /// Root of the tree over them, hex.
    pub root: String,
}

impl From<&Checkpoint> for ShownCheckpoint {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            origin: checkpoint.origin.clone(),
            size: checkpoint.size.to_string(),
            root: hex::encode(checkpoint.root.0),
        }
    }
}

/// Checks the proof under the key of the proxy's contract, with which the log is signed too.
pub(crate) fn check(
    id: &ReceiptId,
    proof: Option<&Inclusion>,
    key: Option<&PublicKey>,
) -> (Check, Option<ShownCheckpoint>) {
    let (proof, key) = match (proof, key) {
        (None, _) => return (Check::unknown(NAME, "No proof is at hand that it was published."), None),
        (_, None) => return (Check::unknown(NAME, "The key of the log is not at hand."), None),
        (Some(proof), Some(key)) => (proof, key),
    };
    match verify_included(id, proof.index, &proof.path, &proof.checkpoint, key) {
        Ok(checkpoint) => {
            let says = format!(
                "It is number {} of the {} receipts in the proxy's signed log.",
                proof.index, checkpoint.size
            );
            (Check::proven(NAME, says), Some(ShownCheckpoint::from(&checkpoint)))
        }
        Err(error) => (Check::refuted(NAME, error.to_string()), None),
    }
}
