//! The closing of a proxy contract, signed by the proxy.

use super::payload::{Payload, load_signed, store_signed};
use crate::error::BindingsError;
use crate::ton::{Address, Cell, CellBuilder, CellContext, CellError, CellSlice, Load, Store, from_cell, to_cell};
use crate::units::{PublicKey, QueryId};
use ed25519_dalek::SigningKey;

/// A step of a proxy contract's closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseOp {
    /// Announces it: the delay starts.
    Request,
    /// Completes it after the delay.
    Complete,
}

impl CloseOp {
    /// The message's opcode.
    pub const fn opcode(self) -> u32 {
        match self {
            Self::Request => 0x636a_4391,
            Self::Complete => 0xe511_abc7,
        }
    }

    /// The step with this opcode.
    pub const fn from_opcode(opcode: u32) -> Option<Self> {
        match opcode {
            0x636a_4391 => Some(Self::Request),
            0xe511_abc7 => Some(Self::Complete),
            _ => None,
        }
    }
}

/// A step of a proxy contract's closing, signed by the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedClose {
    op: CloseOp,
    query_id: QueryId,
    proxy: Address,
    excesses: Address,
    signature: [u8; 64],
}

impl SignedClose {
    /// Signs a step for the proxy contract `proxy`.
    pub fn sign(
        op: CloseOp,
        query_id: QueryId,
        proxy: &Address,
        excesses: &Address,
        key: &SigningKey,
    ) -> Result<Self, BindingsError> {
        let payload = Payload {
            opcode: op.opcode(),
            query_id,
            tokens: None,
            expected: proxy.clone(),
            score: None,
        };
        let signature = payload.sign(key)?;
        Ok(Self {
            op,
            query_id,
            proxy: proxy.clone(),
            excesses: excesses.clone(),
            signature,
        })
    }

    /// Which step it is.
    pub fn op(&self) -> CloseOp {
        self.op
    }

    /// Checks the proxy's signature and the contract that it is for.
    pub fn verify(&self, key: &PublicKey, proxy: &Address) -> Result<(), BindingsError> {
        if self.proxy != *proxy {
            return Err(BindingsError::OtherContract);
        }
        self.payload().verify(key, &self.signature)
    }

    /// The message body.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(self).map_err(BindingsError::layout("a proxy's closing"))
    }

    /// Reads a message body; what is left over is refused.
    pub fn from_cell(cell: &Cell) -> Result<Self, BindingsError> {
        from_cell(cell).map_err(BindingsError::layout("a proxy's closing"))
    }

    fn payload(&self) -> Payload {
        Payload {
            opcode: self.op.opcode(),
            query_id: self.query_id,
            tokens: None,
            expected: self.proxy.clone(),
            score: None,
        }
    }
}

impl Store for SignedClose {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        store_signed(&self.payload(), &self.excesses, &self.signature, builder)
    }
}

impl<'a> Load<'a> for SignedClose {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        let (payload, excesses, signature) = load_signed(slice, false)?;
        let op = CloseOp::from_opcode(payload.opcode).ok_or(CellError::InvalidTag)?;
        Ok(Self {
            op,
            query_id: payload.query_id,
            proxy: payload.expected,
            excesses,
            signature,
        })
    }
}
