//! A receipt with its signatures, as it is stored, sent and audited.

use std::fmt;

use cocoon_bindings::ton::{Boc, Cell, HashBytes};
use cocoon_bindings::units::PublicKey;
use ed25519_dalek::{Signer, SigningKey};

use crate::built::BuiltReceipt;
use crate::cells::{Reader, build, decode_boc};
use crate::ed25519::verifies;
use crate::error::ReceiptError;
use crate::limits::FORMAT_VERSION;
use crate::receipt::{Hashes, Receipt, ReceiptId};

/// Constructor of `signed_receipt` in `contracts/receipt.tlb`.
pub(crate) const OPCODE: u32 = 0xc0c0_51ed;

/// An Ed25519 signature over a cell's hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Checks a worker's signature over the statement that has this hash.
    pub fn verify_statement(&self, statement: &HashBytes, leaf_key: &PublicKey) -> Result<(), ReceiptError> {
        if verifies(leaf_key, statement.as_slice(), &self.0) {
            Ok(())
        } else {
            Err(ReceiptError::WorkerSignature)
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}..)", hex::encode(&self.0[..4]))
    }
}

/// A receipt, the signature of the proxy's contract key over it, and the worker's signature over its statement.
///
/// The worker's signature is absent when the worker was lost or does not know receipts. It may be added later: it is not
/// part of what the proxy signs, and so not of the receipt's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    /// What is signed.
    pub receipt: Receipt,
    /// By the key that the proxy contract holds.
    pub proxy_signature: Signature,
    /// By the leaf key of the worker's certificate, over the statement.
    pub worker_signature: Option<Signature>,
}

impl SignedReceipt {
    /// Signs with the key of the proxy's contract.
    pub fn sign(receipt: Receipt, contract_key: &SigningKey) -> Self {
        let proxy_signature = Signature(contract_key.sign(receipt.id().0.as_slice()).to_bytes());
        Self {
            receipt,
            proxy_signature,
            worker_signature: None,
        }
    }

    /// The receipt's name.
    pub fn id(&self) -> ReceiptId {
        self.receipt.id()
    }

    /// Checks the proxy's signature.
    pub fn verify_proxy(&self, contract_key: &PublicKey) -> Result<(), ReceiptError> {
        self.verify_proxy_of(&self.id(), contract_key)
    }

    /// The same when the receipt's own name is at hand.
    pub(crate) fn verify_proxy_of(&self, id: &ReceiptId, contract_key: &PublicKey) -> Result<(), ReceiptError> {
        if verifies(contract_key, id.0.as_slice(), &self.proxy_signature.0) {
            Ok(())
        } else {
            Err(ReceiptError::ProxySignature)
        }
    }

    /// Checks the worker's signature if there is one; says whether there is.
    pub fn verify_worker(&self, leaf_key: &PublicKey) -> Result<bool, ReceiptError> {
        match &self.worker_signature {
            None => Ok(false),
            Some(signature) => self.receipt.statement.verify(signature, leaf_key).map(|()| true),
        }
    }

    /// As a bag of cells.
    pub fn to_boc(&self) -> Vec<u8> {
        Boc::encode(self.to_cell())
    }

    /// From a bag of cells: total, and nothing may be left over. Signatures are not checked.
    pub fn from_boc(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Self::from_cell(&decode_boc(bytes)?)
    }

    /// The same, and the hashes that are signed: reading computes them anyway.
    pub fn from_boc_hashed(bytes: &[u8]) -> Result<(Self, Hashes), ReceiptError> {
        let built = BuiltReceipt::from_boc(bytes)?;
        let hashes = built.hashes();
        Ok((built.into(), hashes))
    }

    /// As a cell.
    pub fn to_cell(&self) -> Cell {
        signed_cell(&self.proxy_signature, self.worker_signature, self.receipt.to_cell())
    }

    /// From a cell: total, and nothing may be left over.
    pub fn from_cell(cell: &Cell) -> Result<Self, ReceiptError> {
        signed_parts(cell).map(|(signed, _)| signed)
    }
}

/// The cell of a signed receipt around that of its receipt.
pub(crate) fn signed_cell(proxy: &Signature, worker: Option<Signature>, receipt: Cell) -> Cell {
    let worker = worker.map(|signature| build(|b| b.store_raw(&signature.0, 512)));
    build(|b| {
        b.store_u32(OPCODE)?;
        b.store_u8(FORMAT_VERSION)?;
        b.store_raw(&proxy.0, 512)?;
        b.store_bit(worker.is_some())?;
        b.store_reference(receipt)?;
        worker.map_or(Ok(()), |cell| b.store_reference(cell))
    })
}

/// A signed receipt, and the cell of its receipt.
pub(crate) fn signed_parts(cell: &Cell) -> Result<(SignedReceipt, Cell), ReceiptError> {
    let mut r = Reader::new("signed receipt", cell)?;
    r.header(OPCODE)?;
    let proxy_signature = Signature(r.signature()?);
    let has_worker = r.bit()?;
    let inner = r.reference()?;
    let receipt = Receipt::from_cell(&inner)?;
    let worker_signature = if has_worker {
        Some(worker_signature(&r.reference()?)?)
    } else {
        None
    };
    r.end()?;
    let signed = SignedReceipt {
        receipt,
        proxy_signature,
        worker_signature,
    };
    Ok((signed, inner))
}

fn worker_signature(cell: &Cell) -> Result<Signature, ReceiptError> {
    let mut r = Reader::new("worker signature", cell)?;
    let signature = Signature(r.signature()?);
    r.end()?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    proptest! {
        #[test]
        fn a_signed_receipt_survives_its_boc(receipt in samples::any_receipt(), with_worker: bool) {
            let mut signed = SignedReceipt::sign(receipt, &SigningKey::from_bytes(&[1; 32]));
            if with_worker {
                signed.worker_signature = Some(signed.receipt.statement.sign(&SigningKey::from_bytes(&[2; 32])));
            }
            let boc = signed.to_boc();
            prop_assert!(boc.len() <= crate::limits::MAX_RECEIPT_BYTES);
            let read = SignedReceipt::from_boc(&boc).unwrap();
            let hashes = signed.receipt.hashes();
            prop_assert_eq!(SignedReceipt::from_boc_hashed(&boc).unwrap(), (read.clone(), hashes));
            prop_assert_eq!(read.verify_proxy(&PublicKey::from(&SigningKey::from_bytes(&[1; 32]))), Ok(()));
            prop_assert_eq!(read.verify_worker(&PublicKey::from(&SigningKey::from_bytes(&[2; 32]))), Ok(with_worker));
            prop_assert_eq!(read, signed);
        }

        #[test]
        fn a_flipped_byte_never_verifies(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let signed = SignedReceipt::sign(samples::receipt(), &SigningKey::from_bytes(&[1; 32]));
            let mut boc = signed.to_boc();
            let at = at.index(boc.len());
            boc[at] ^= flip;
            if let Ok(other) = SignedReceipt::from_boc(&boc) {
                let verdict = other.verify_proxy(&PublicKey::from(&SigningKey::from_bytes(&[1; 32])));
                prop_assert!(verdict.is_err() || other == signed);
            }
        }
    }

    #[test]
    fn hashes_made_together_are_those_made_apart() {
        let receipt = samples::receipt();
        let hashes = receipt.hashes();
        assert_eq!(hashes.id, receipt.id());
        assert_eq!(hashes.statement, receipt.statement.hash());
        assert_eq!(*receipt.to_cell().repr_hash(), hashes.id.0);
    }

    #[test]
    fn the_workers_signature_does_not_change_the_id() {
        let mut signed = SignedReceipt::sign(samples::receipt(), &SigningKey::from_bytes(&[1; 32]));
        let id = signed.id();
        signed.worker_signature = Some(signed.receipt.statement.sign(&SigningKey::from_bytes(&[2; 32])));
        assert_eq!(signed.id(), id);
    }

    #[test]
    fn oversized_bytes_are_refused_before_parsing() {
        let bytes = vec![0; crate::limits::MAX_RECEIPT_BYTES + 1];
        assert!(matches!(
            SignedReceipt::from_boc(&bytes),
            Err(ReceiptError::TooLarge { .. })
        ));
    }
}
