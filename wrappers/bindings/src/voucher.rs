//! Messages that a proxy signs: vouchers (cumulative token counts bound to one contract) and its own closing.
//!
//! Anyone may submit a signed message, and where the excesses go is not signed: whoever submits it puts himself there.

mod close;
mod payload;
mod score;

pub use close::{CloseOp, SignedClose};
pub use score::LATENCY_BOUNDS_MS;

use crate::error::BindingsError;
use crate::ton::{Address, Cell, CellBuilder, CellContext, CellError, CellSlice, Load, Store, from_cell, to_cell};
use crate::units::{PublicKey, QueryId, TokenCount};
use crate::worker::WorkerScore;
use ed25519_dalek::SigningKey;
use payload::{Payload, load_signed, store_signed};
use std::fmt;

/// What a voucher is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoucherOp {
    /// Charges a client for its tokens.
    ClientCharge,
    /// Pays a worker for its tokens.
    WorkerPayout,
    /// Charges a client for the last time, refunds the rest and closes.
    ClientRefund,
    /// Pays a worker for the last time and closes.
    WorkerLastPayout,
}

impl VoucherOp {
    /// The message's opcode.
    pub const fn opcode(self) -> u32 {
        match self {
            Self::ClientCharge => 0xbb63_ff93,
            Self::WorkerPayout => 0xa040_ad28,
            Self::ClientRefund => 0xefd7_11e1,
            Self::WorkerLastPayout => 0xf5f2_6a36,
        }
    }

    /// The voucher with this opcode.
    pub const fn from_opcode(opcode: u32) -> Option<Self> {
        match opcode {
            0xbb63_ff93 => Some(Self::ClientCharge),
            0xa040_ad28 => Some(Self::WorkerPayout),
            0xefd7_11e1 => Some(Self::ClientRefund),
            0xf5f2_6a36 => Some(Self::WorkerLastPayout),
            _ => None,
        }
    }

    /// Whether the voucher may carry a worker's score.
    pub const fn takes_score(self) -> bool {
        matches!(self, Self::WorkerPayout | Self::WorkerLastPayout)
    }
}

/// A cumulative token count for one contract, signed by its proxy. A later one supersedes it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedVoucher {
    op: VoucherOp,
    query_id: QueryId,
    tokens: TokenCount,
    expected: Address,
    excesses: Address,
    score: Option<WorkerScore>,
    signature: [u8; 64],
}

impl SignedVoucher {
    /// Signs a voucher for the contract `expected`.
    pub fn sign(
        op: VoucherOp,
        query_id: QueryId,
        tokens: TokenCount,
        expected: &Address,
        excesses: &Address,
        key: &SigningKey,
    ) -> Result<Self, BindingsError> {
        Self {
            op,
            query_id,
            tokens,
            expected: expected.clone(),
            excesses: excesses.clone(),
            score: None,
            signature: [0; 64],
        }
        .signed(key)
    }

    /// Signs a worker's voucher that also carries what the proxy has seen of the worker. A voucher for a client has no
    /// place for it.
    pub fn sign_with_score(
        op: VoucherOp,
        query_id: QueryId,
        tokens: TokenCount,
        expected: &Address,
        excesses: &Address,
        score: WorkerScore,
        key: &SigningKey,
    ) -> Result<Self, BindingsError> {
        if !op.takes_score() {
            return Err(BindingsError::layout("a voucher with a score")(CellError::InvalidData));
        }
        Self {
            op,
            query_id,
            tokens,
            expected: expected.clone(),
            excesses: excesses.clone(),
            score: Some(score),
            signature: [0; 64],
        }
        .signed(key)
    }

    fn signed(self, key: &SigningKey) -> Result<Self, BindingsError> {
        let signature = self.payload().sign(key)?;
        Ok(Self { signature, ..self })
    }

    /// What it is for.
    pub fn op(&self) -> VoucherOp {
        self.op
    }

    /// Its query id.
    pub fn query_id(&self) -> QueryId {
        self.query_id
    }

    /// The cumulative count.
    pub fn tokens(&self) -> TokenCount {
        self.tokens
    }

    /// The contract that it is for.
    pub fn expected(&self) -> &Address {
        &self.expected
    }

    /// What the proxy has seen of the worker, if the voucher says it.
    pub fn score(&self) -> Option<&WorkerScore> {
        self.score.as_ref()
    }

    /// Where the excesses go.
    pub fn excesses(&self) -> &Address {
        &self.excesses
    }

    /// The same voucher with the excesses going to someone else.
    pub fn with_excesses(&self, excesses: &Address) -> Self {
        Self {
            excesses: excesses.clone(),
            ..self.clone()
        }
    }

    /// Checks the proxy's signature and the contract that it is for.
    pub fn verify(&self, proxy: &PublicKey, expected: &Address) -> Result<(), BindingsError> {
        if self.expected != *expected {
            return Err(BindingsError::OtherContract);
        }
        self.payload().verify(proxy, &self.signature)
    }

    /// The message body.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(self).map_err(BindingsError::layout("a voucher"))
    }

    /// Reads a message body; what is left over is refused.
    pub fn from_cell(cell: &Cell) -> Result<Self, BindingsError> {
        from_cell(cell).map_err(BindingsError::layout("a voucher"))
    }

    fn payload(&self) -> Payload {
        Payload {
            opcode: self.op.opcode(),
            query_id: self.query_id,
            tokens: Some(self.tokens),
            expected: self.expected.clone(),
            score: self.score.clone(),
        }
    }
}

/// The signature is money: it is not for logs.
impl fmt::Debug for SignedVoucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedVoucher")
            .field("op", &self.op)
            .field("query_id", &self.query_id)
            .field("tokens", &self.tokens)
            .field("expected", &self.expected)
            .field("score", &self.score)
            .finish_non_exhaustive()
    }
}

impl Store for SignedVoucher {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        store_signed(&self.payload(), &self.excesses, &self.signature, builder)
    }
}

impl<'a> Load<'a> for SignedVoucher {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        let (payload, excesses, signature) = load_signed(slice, true)?;
        let op = VoucherOp::from_opcode(payload.opcode).ok_or(CellError::InvalidTag)?;
        let tokens = payload.tokens.ok_or(CellError::InvalidData)?;
        Ok(Self {
            op,
            query_id: payload.query_id,
            tokens,
            expected: payload.expected,
            excesses,
            score: payload.score,
            signature,
        })
    }
}

#[cfg(test)]
mod tests;
