//! The part that is signed, and how it is laid out in a message.

use super::VoucherOp;
use crate::codec::{put_ref, take_ref};
use crate::error::BindingsError;
use crate::ton::{Address, Cell, CellBuilder, CellError, CellSlice, Load, expect_end, load_address, store_address};
use crate::units::{PublicKey, QueryId, TokenCount};
use crate::worker::WorkerScore;
use ed25519_dalek::{Signer, SigningKey};

/// The signed part: `op queryId [newTokens] expectedMyAddress [^score]`.
pub(super) struct Payload {
    pub(super) opcode: u32,
    pub(super) query_id: QueryId,
    pub(super) tokens: Option<TokenCount>,
    pub(super) expected: Address,
    pub(super) score: Option<WorkerScore>,
}

impl Payload {
    pub(super) fn to_cell(&self) -> Result<Cell, CellError> {
        let mut builder = CellBuilder::new();
        builder.store_u32(self.opcode)?;
        builder.store_u64(self.query_id.get())?;
        if let Some(tokens) = self.tokens {
            builder.store_u64(tokens.get())?;
        }
        store_address(&self.expected, &mut builder)?;
        if let Some(score) = &self.score {
            put_ref(score, &mut builder)?;
        }
        builder.build()
    }

    pub(super) fn load(cell: &Cell, with_tokens: bool) -> Result<Self, CellError> {
        let mut slice = cell.as_ref().as_slice()?;
        let opcode = slice.load_u32()?;
        let mut payload = Self {
            opcode,
            query_id: QueryId::load_from(&mut slice)?,
            tokens: if with_tokens {
                Some(TokenCount::load_from(&mut slice)?)
            } else {
                None
            },
            expected: load_address(&mut slice)?,
            score: None,
        };
        if slice.size_refs() > 0 && VoucherOp::from_opcode(opcode).is_some_and(VoucherOp::takes_score) {
            payload.score = Some(take_ref(&mut slice)?);
        }
        expect_end(&slice)?;
        Ok(payload)
    }

    pub(super) fn sign(&self, key: &SigningKey) -> Result<[u8; 64], BindingsError> {
        let cell = self.to_cell().map_err(BindingsError::layout("a signed payload"))?;
        Ok(key.sign(cell.repr_hash().as_slice()).to_bytes())
    }

    pub(super) fn verify(&self, key: &PublicKey, signature: &[u8; 64]) -> Result<(), BindingsError> {
        let cell = self.to_cell().map_err(BindingsError::layout("a signed payload"))?;
        if key.verifies(cell.repr_hash().as_slice(), signature) {
            Ok(())
        } else {
            Err(BindingsError::Signature)
        }
    }
}

pub(super) fn store_signed(
    payload: &Payload,
    excesses: &Address,
    signature: &[u8; 64],
    builder: &mut CellBuilder,
) -> Result<(), CellError> {
    builder.store_u32(payload.opcode)?;
    builder.store_u64(payload.query_id.get())?;
    store_address(excesses, builder)?;
    builder.store_raw(signature, 512)?;
    builder.store_reference(payload.to_cell()?)
}

pub(super) fn load_signed(
    slice: &mut CellSlice<'_>,
    with_tokens: bool,
) -> Result<(Payload, Address, [u8; 64]), CellError> {
    let opcode = slice.load_u32()?;
    let query_id = QueryId::load_from(slice)?;
    let excesses = load_address(slice)?;
    let mut signature = [0u8; 64];
    slice.load_raw(&mut signature, 512)?;
    let payload = Payload::load(&slice.load_reference_cloned()?, with_tokens)?;
    if payload.opcode != opcode || payload.query_id != query_id {
        return Err(CellError::InvalidData);
    }
    Ok((payload, excesses, signature))
}
