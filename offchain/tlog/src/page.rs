//! An inclusion proof as JSON: the member `inclusion` of a client's page about a receipt (docs/log.md).

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::limits::{MAX_NOTE_BYTES, MAX_PROOF_NODES};
use serde::{Deserialize, Serialize};

use crate::error::TlogError;
use crate::proof::InclusionProof;

/// That a receipt is in a log, beside the page that brings the receipt. Members that are not known are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionPage {
    /// Its place, from 0.
    pub index: u64,
    /// The checkpoint as a signed note.
    pub checkpoint: String,
    /// Hashes from the leaf's sibling up to the root's child.
    pub proof: Vec<HashBytes>,
}

impl From<&InclusionProof> for InclusionPage {
    fn from(proof: &InclusionProof) -> Self {
        Self {
            index: proof.index,
            checkpoint: proof.note.clone(),
            proof: proof.path.clone(),
        }
    }
}

impl InclusionPage {
    /// The proof, which brings `receipt` (a bag of cells) if one is given. Nothing is checked but sizes.
    pub fn into_proof(self, receipt: Option<Vec<u8>>) -> Result<InclusionProof, TlogError> {
        if self.proof.len() > MAX_PROOF_NODES || self.checkpoint.len() > MAX_NOTE_BYTES {
            return Err(TlogError::Proof("it is too long"));
        }
        Ok(InclusionProof {
            receipt,
            index: self.index,
            path: self.proof,
            note: self.checkpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_proof_survives_its_page(index: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..20)) {
            let proof = InclusionProof {
                receipt: Some(vec![1, 2]),
                index,
                path: path.into_iter().map(HashBytes).collect(),
                note: "origin\n1\nroot\n\n— origin signature\n".to_owned(),
            };
            let text = serde_json::to_string(&InclusionPage::from(&proof)).unwrap();
            let read: InclusionPage = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.into_proof(Some(vec![1, 2])).unwrap(), proof);
        }
    }

    #[test]
    fn a_page_longer_than_any_proof_is_refused() {
        let page = InclusionPage {
            index: 0,
            checkpoint: String::new(),
            proof: vec![HashBytes::ZERO; MAX_PROOF_NODES + 1],
        };
        assert!(matches!(page.into_proof(None), Err(TlogError::Proof(_))));
    }
}
