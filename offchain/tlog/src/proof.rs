//! Inclusion proofs as one text that is checked without a network (C2SP tlog-proof): the receipt, its index, the path to the root,
//! and the checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::limits::MAX_PROOF_NODES;
use cocoon_receipt::log::{Checkpoint, IncludedError, verify_included};
use cocoon_receipt::{ReceiptId, SignedReceipt};

use crate::error::TlogError;
use crate::limits::MAX_PROOF_BYTES;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// That a receipt is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The receipt with its signatures, as a bag of cells; some proofs leave it out. Not covered by the proof itself.
    pub receipt: Option<Vec<u8>>,
    /// Its place, from 0.
    pub index: u64,
    /// Hashes from the leaf's sibling up to the root's child.
    pub path: Vec<HashBytes>,
    /// The checkpoint as a signed note.
    pub note: String,
}

impl InclusionProof {
    /// Checks that the receipt with this id is in the log that signs with `key`; returns the checkpoint.
    pub fn verify(&self, id: &ReceiptId, key: &PublicKey) -> Result<Checkpoint, TlogError> {
        verify_included(id, self.index, &self.path, &self.note, key).map_err(|error| match error {
            IncludedError::Checkpoint(error) => error.into(),
            _ => TlogError::NotIncluded,
        })
    }

    /// The receipt that the proof brings. Its signatures are not checked.
    pub fn receipt(&self) -> Result<Option<SignedReceipt>, TlogError> {
        let read = self.receipt.as_ref().map(|bytes| SignedReceipt::from_boc(bytes));
        read.transpose().map_err(|source| TlogError::Receipt {
            index: self.index,
            source,
        })
    }

    /// As text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(receipt) = &self.receipt {
            text.push_str(&format!("extra {}\n", STANDARD.encode(receipt)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash.0));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// From text: total, and only the one spelling that [`InclusionProof::to_text`] has.
    pub fn parse(text: &str) -> Result<Self, TlogError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(TlogError::Proof("it is too long"));
        }
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(TlogError::Proof("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(TlogError::Proof("it begins with another line"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| STANDARD.decode(&line["extra ".len()..]));
        let receipt = extra
            .transpose()
            .map_err(|_| TlogError::Proof("what it brings is not base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|index| index.parse().ok());
        let index = index.ok_or(TlogError::Proof("it has no index"))?;
        let path = read_hashes(lines, MAX_PROOF_NODES).ok_or(TlogError::Proof("its hashes are none"))?;
        let proof = Self {
            receipt,
            index,
            path,
            note: note.to_owned(),
        };
        if proof.to_text() == text {
            Ok(proof)
        } else {
            Err(TlogError::Proof("it is spelled in another way"))
        }
    }
}

/// Lines of one hash each, at most so many.
pub(crate) fn read_hashes<'a>(lines: impl Iterator<Item = &'a str>, most: usize) -> Option<Vec<HashBytes>> {
    let mut hashes = Vec::new();
    for line in lines {
        let hash: [u8; 32] = STANDARD.decode(line).ok()?.try_into().ok()?;
        if hashes.len() == most {
            return None;
        }
        hashes.push(HashBytes(hash));
    }
    Some(hashes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_proof_survives_its_text(
            receipt in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
            index: u64,
            path in prop::collection::vec(any::<[u8; 32]>(), 0..20),
        ) {
            let path = path.into_iter().map(HashBytes).collect();
            let note = "origin\n1\nroot\n\n— origin signature\n".to_owned();
            let proof = InclusionProof { receipt, index, path, note };
            let text = proof.to_text();
            prop_assert_eq!(InclusionProof::parse(&text).unwrap(), proof);
            prop_assert!(InclusionProof::parse(&text.replacen("index ", "index +", 1)).is_err());
        }

        #[test]
        fn any_text_is_a_proof_or_not_without_panic(text in "(c2sp.org/tlog-proof@v1\n)?(extra )?.{0,80}\n?(index 5)?\n\n.{0,40}") {
            if let Ok(proof) = InclusionProof::parse(&text) {
                prop_assert_eq!(proof.to_text(), text);
            }
        }
    }
}
