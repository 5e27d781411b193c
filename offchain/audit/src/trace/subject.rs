//! A receipt out of whatever somebody kept it in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_receipt::{ReceiptError, SignedReceipt};
use cocoon_tlog::{InclusionPage, InclusionProof, TlogError};
use serde::Deserialize;

/// The receipt that is traced, and the proof that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The receipt; nothing of it is believed yet.
    pub receipt: SignedReceipt,
    /// That it is in a log.
    pub proof: Option<InclusionProof>,
}

/// Why a file holds no receipt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// None of the forms that are known.
    #[error("it is no page of a receipt, no proof, no disclosed exchange and no bag of cells")]
    Form,
    /// The receipt in it is none.
    #[error("the receipt in it: {0}")]
    Receipt(#[from] ReceiptError),
    /// The proof in it is none.
    #[error(transparent)]
    Proof(#[from] TlogError),
    /// A proof that does not bring its receipt.
    #[error("the proof in it does not bring its receipt")]
    Bare,
}

impl SubjectError {
    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        "give the id of a receipt, or a file: the page of GET /v1/cocoon/receipts/{id}, what `cocoon log prove` wrote, a \
         disclosed exchange, or a signed receipt as a bag of cells"
    }
}

/// What is read of a client's page about a receipt, or of a disclosed exchange; the rest of it says the same in words.
#[derive(Deserialize)]
struct Page {
    boc: Option<String>,
    receipt: Option<String>,
    inclusion: Option<InclusionPage>,
}

impl Subject {
    /// A receipt without a proof.
    pub fn of(receipt: SignedReceipt) -> Self {
        Self { receipt, proof: None }
    }

    /// Out of a file: a client's page (JSON), a disclosed exchange (JSON), a tlog-proof, or a bag of cells (binary or base64).
    /// Total.
    pub fn parse(bytes: &[u8]) -> Result<Self, SubjectError> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Self::of(SignedReceipt::from_boc(bytes)?));
        };
        if text.starts_with("c2sp.org/tlog-proof@") {
            let proof = InclusionProof::parse(text)?;
            let receipt = proof.receipt()?.ok_or(SubjectError::Bare)?;
            let proof = Some(proof);
            return Ok(Self { receipt, proof });
        }
        let text = text.trim();
        if !text.starts_with('{') {
            let boc = STANDARD.decode(text).map_err(|_| SubjectError::Form)?;
            return Ok(Self::of(SignedReceipt::from_boc(&boc)?));
        }
        let page: Page = serde_json::from_str(text).map_err(|_| SubjectError::Form)?;
        let boc = page.boc.or(page.receipt).ok_or(SubjectError::Form)?;
        let boc = STANDARD.decode(boc).map_err(|_| SubjectError::Form)?;
        let receipt = SignedReceipt::from_boc(&boc)?;
        let proof = page.inclusion.map(|page| page.into_proof(Some(boc))).transpose()?;
        Ok(Self { receipt, proof })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_receipt_or_not_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Subject::parse(&bytes).is_err());
        }

        #[test]
        fn any_page_is_a_receipt_or_not_without_panic(boc in ".{0,40}", index: u64) {
            let page = serde_json::json!({"boc": boc, "inclusion": {"index": index, "checkpoint": boc, "proof": []}});
            prop_assert!(Subject::parse(page.to_string().as_bytes()).is_err());
        }
    }
}
