//! Statements and receipts with their cells: whoever signs, sends and keeps one hashes it once.
//!
//! A decoder takes one layout only, so the cells that were read are those that writing it again would make.

use cocoon_bindings::ton::{Boc, Cell, HashBytes};
use cocoon_bindings::units::PublicKey;

use crate::cells::decode_boc;
use crate::channel::ChannelHead;
use crate::check::{ClientView, verify_named_for_client};
use crate::ed25519::ContractKey;
use crate::error::ReceiptError;
use crate::receipt::{Hashes, Receipt, ReceiptId};
use crate::signed::{Signature, SignedReceipt, signed_cell, signed_parts};
use crate::statement::WorkStatement;

/// A statement with its cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltStatement {
    statement: WorkStatement,
    cell: Cell,
}

impl BuiltStatement {
    /// From a bag of cells: total, and nothing may be left over.
    pub fn from_boc(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let cell = decode_boc(bytes)?;
        let statement = WorkStatement::from_cell(&cell)?;
        Ok(Self { statement, cell })
    }

    /// The statement.
    pub fn statement(&self) -> &WorkStatement {
        &self.statement
    }

    /// Hash that is signed and that the next statement of the channel names.
    pub fn hash(&self) -> HashBytes {
        *self.cell.repr_hash()
    }

    /// As a bag of cells.
    pub fn to_boc(&self) -> Vec<u8> {
        Boc::encode(&self.cell)
    }
}

impl From<WorkStatement> for BuiltStatement {
    fn from(statement: WorkStatement) -> Self {
        let cell = statement.to_cell();
        Self { statement, cell }
    }
}

/// A signed receipt with its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltReceipt {
    signed: SignedReceipt,
    /// Of the receipt, without the signatures.
    cell: Cell,
    statement: Cell,
}

impl BuiltReceipt {
    /// Signs with the key of the proxy's contract.
    pub fn sign(receipt: Receipt, key: &ContractKey) -> Self {
        let statement = receipt.statement.to_cell();
        let cell = receipt.cell_around(statement.clone());
        let proxy_signature = key.sign(cell.repr_hash().as_slice());
        let signed = SignedReceipt {
            receipt,
            proxy_signature,
            worker_signature: None,
        };
        Self {
            signed,
            cell,
            statement,
        }
    }

    /// From a bag of cells: total, and nothing may be left over. Signatures are not checked.
    pub fn from_boc(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let (signed, cell) = signed_parts(&decode_boc(bytes)?)?;
        let statement = cell.reference_cloned(0);
        let statement = statement.unwrap_or_else(|| signed.receipt.statement.to_cell());
        Ok(Self {
            signed,
            cell,
            statement,
        })
    }

    /// The receipt.
    pub fn signed(&self) -> &SignedReceipt {
        &self.signed
    }

    /// The receipt's name.
    pub fn id(&self) -> ReceiptId {
        ReceiptId(*self.cell.repr_hash())
    }

    /// What is signed about it.
    pub fn hashes(&self) -> Hashes {
        Hashes {
            id: self.id(),
            statement: *self.statement.repr_hash(),
        }
    }

    /// The statement as a bag of cells.
    pub fn statement_boc(&self) -> Vec<u8> {
        Boc::encode(&self.statement)
    }

    /// As a bag of cells.
    pub fn to_boc(&self) -> Vec<u8> {
        self.to_boc_with(self.signed.worker_signature)
    }

    /// As a bag of cells with this signature of the worker, which is not checked.
    pub fn to_boc_with(&self, worker: Option<Signature>) -> Vec<u8> {
        Boc::encode(signed_cell(&self.signed.proxy_signature, worker, self.cell.clone()))
    }

    /// Checks the worker's signature if there is one; says whether there is.
    pub fn verify_worker(&self, leaf_key: &PublicKey) -> Result<bool, ReceiptError> {
        match &self.signed.worker_signature {
            None => Ok(false),
            Some(signature) => signature
                .verify_statement(self.statement.repr_hash(), leaf_key)
                .map(|()| true),
        }
    }

    /// Checks the proxy's signature.
    pub fn verify_proxy(&self, contract_key: &PublicKey) -> Result<(), ReceiptError> {
        self.signed.verify_proxy_of(&self.id(), contract_key)
    }

    /// The same as [`crate::verify_for_client`].
    pub fn verify_for_client(&self, view: &ClientView<'_>) -> Result<(ChannelHead, u64), ReceiptError> {
        verify_named_for_client(&self.signed, &self.id(), view)
    }
}

impl From<SignedReceipt> for BuiltReceipt {
    fn from(signed: SignedReceipt) -> Self {
        let statement = signed.receipt.statement.to_cell();
        let cell = signed.receipt.cell_around(statement.clone());
        Self {
            signed,
            cell,
            statement,
        }
    }
}

impl From<BuiltReceipt> for SignedReceipt {
    fn from(built: BuiltReceipt) -> Self {
        built.signed
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    /// What was read with its cells is what would be built anew.
    fn is_as_built(read: &BuiltReceipt) {
        let anew = BuiltReceipt::from(read.signed().clone());
        assert_eq!(&anew, read);
        assert_eq!(anew.hashes(), read.hashes());
        assert_eq!(anew.to_boc(), read.to_boc());
        assert_eq!(anew.to_boc(), read.signed().to_boc());
    }

    proptest! {
        #[test]
        fn cells_that_were_read_are_those_that_are_written(receipt in samples::any_receipt(), with_worker: bool) {
            let mut built = BuiltReceipt::sign(receipt.clone(), &ContractKey::from(key()));
            let mut signed = SignedReceipt::sign(receipt, &key());
            if with_worker {
                let signature = signed.receipt.statement.sign(&SigningKey::from_bytes(&[2; 32]));
                signed.worker_signature = Some(signature);
                prop_assert_eq!(built.to_boc_with(Some(signature)), signed.to_boc());
                built.signed.worker_signature = Some(signature);
            }
            prop_assert_eq!(built.signed(), &signed);
            prop_assert_eq!(built.hashes(), signed.receipt.hashes());
            prop_assert_eq!(built.to_boc(), signed.to_boc());
            prop_assert_eq!(built.statement_boc(), signed.receipt.statement.to_boc());
            let worker = PublicKey::from(&SigningKey::from_bytes(&[2; 32]));
            prop_assert_eq!(built.verify_worker(&worker), Ok(with_worker));
            prop_assert_eq!(built.verify_proxy(&PublicKey::from(&key())), Ok(()));
            let read = BuiltReceipt::from_boc(&built.to_boc()).unwrap();
            prop_assert_eq!(&read, &built);
            is_as_built(&read);
        }

        #[test]
        fn whatever_is_read_would_be_written_with_the_same_cells(
            receipt in samples::any_receipt(), flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4)
        ) {
            let mut boc = SignedReceipt::sign(receipt.clone(), &key()).to_boc();
            let mut statement = receipt.statement.to_boc();
            for (at, flip) in flips {
                let (in_boc, in_statement) = (at.index(boc.len()), at.index(statement.len()));
                boc[in_boc] ^= flip;
                statement[in_statement] ^= flip;
            }
            if let Ok(read) = BuiltReceipt::from_boc(&boc) {
                is_as_built(&read);
            }
            if let Ok(read) = BuiltStatement::from_boc(&statement) {
                prop_assert_eq!(&BuiltStatement::from(read.statement().clone()), &read);
                prop_assert_eq!(read.hash(), read.statement().hash());
                prop_assert_eq!(read.to_boc(), read.statement().to_boc());
            }
        }
    }
}
