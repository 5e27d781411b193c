//! Messages that a proxy signs: vouchers (cumulative token counts bound to one contract) and its own closing.
//!
//! Anyone may submit a signed message, and where the excesses go is not signed: whoever submits it puts himself there.

use crate::error::BindingsError;
use crate::ton::{
    Address, Cell, CellBuilder, CellContext, CellError, CellSlice, Load, Store, expect_end, from_cell, load_address,
    store_address, to_cell,
};
use crate::units::{PublicKey, QueryId, TokenCount};
use ed25519_dalek::{Signer, SigningKey};
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
}

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

/// A cumulative token count for one contract, signed by its proxy. A later one supersedes it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedVoucher {
    op: VoucherOp,
    query_id: QueryId,
    tokens: TokenCount,
    expected: Address,
    excesses: Address,
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
        let payload = Payload {
            opcode: op.opcode(),
            query_id,
            tokens: Some(tokens),
            expected: expected.clone(),
        };
        let signature = payload.sign(key)?;
        Ok(Self {
            op,
            query_id,
            tokens,
            expected: expected.clone(),
            excesses: excesses.clone(),
            signature,
        })
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
            signature,
        })
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

/// The signed part: `op queryId [newTokens] expectedMyAddress`.
struct Payload {
    opcode: u32,
    query_id: QueryId,
    tokens: Option<TokenCount>,
    expected: Address,
}

impl Payload {
    fn to_cell(&self) -> Result<Cell, CellError> {
        let mut builder = CellBuilder::new();
        builder.store_u32(self.opcode)?;
        builder.store_u64(self.query_id.get())?;
        if let Some(tokens) = self.tokens {
            builder.store_u64(tokens.get())?;
        }
        store_address(&self.expected, &mut builder)?;
        builder.build()
    }

    fn load(cell: &Cell, with_tokens: bool) -> Result<Self, CellError> {
        let mut slice = cell.as_ref().as_slice()?;
        let payload = Self {
            opcode: slice.load_u32()?,
            query_id: QueryId::load_from(&mut slice)?,
            tokens: if with_tokens {
                Some(TokenCount::load_from(&mut slice)?)
            } else {
                None
            },
            expected: load_address(&mut slice)?,
        };
        expect_end(&slice)?;
        Ok(payload)
    }

    fn sign(&self, key: &SigningKey) -> Result<[u8; 64], BindingsError> {
        let cell = self.to_cell().map_err(BindingsError::layout("a signed payload"))?;
        Ok(key.sign(cell.repr_hash().as_slice()).to_bytes())
    }

    fn verify(&self, key: &PublicKey, signature: &[u8; 64]) -> Result<(), BindingsError> {
        let cell = self.to_cell().map_err(BindingsError::layout("a signed payload"))?;
        if key.verifies(cell.repr_hash().as_slice(), signature) {
            Ok(())
        } else {
            Err(BindingsError::Signature)
        }
    }
}

fn store_signed(
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

fn load_signed(slice: &mut CellSlice<'_>, with_tokens: bool) -> Result<(Payload, Address, [u8; 64]), CellError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ton::{boc_bytes, parse_address, parse_boc};
    use proptest::prelude::*;

    /// A client's and a worker's payment as a deployed proxy sent them, and its key
    /// (shared test data: wire/verified-vectors.txt, ports 11102 and 11101).
    const PROXY_KEY: &str = "559087582b7e5ea2b2b986c258e0067b806a59b154e955decf00429610eab095";
    const CLIENT_PAYMENT: &str = "b5ee9c720101020100a90001dbbb63ff931e1b59c0502171268002e34ad0278342595f291a3820c55e\
        978049cbde922b93153380ccc585426a643aea8077074b14ca551ea0d718d5862e2a077876d582c0798c9826e3550c7907f62505c47aa7\
        6b6a87dc9b2ef4f86698bf97b51ef20834768a1ea7a2408746019001006bbb63ff931e1b59c05021712600000000000000008010014668\
        a5b1c01591f32ea1600d66200b71a9578f92a400b582c3ed2dd4e01ab0";
    const WORKER_PAYMENT: &str = "b5ee9c720101020100a90001dba040ad2899c84f7045237c708002e34ad0278342595f291a3820c55e\
        978049cbde922b93153380ccc585426a6420bf101efb2aaa671325114d12d894cb4154834b8423e482ec5df24ac7a2ac84fc5161a9797fb\
        fe2531efb28b26032aa0ece78d2720820302b968ad33ce9e2e05001006ba040ad2899c84f7045237c70000000000000000080196c0d0a23\
        9b52f55c52e4b59d91980a8a42bdb333f9b44dc6ff7f6676d3079a30";

    #[test]
    fn payments_of_a_deployed_proxy_are_read_verified_and_written_back() {
        let cases = [
            (
                CLIENT_PAYMENT,
                VoucherOp::ClientCharge,
                "UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12",
            ),
            (
                WORKER_PAYMENT,
                VoucherOp::WorkerPayout,
                "UQDLYGhRHNqXquKXJazsjMBUUhXtmZ_Nom43-_sztpg80bUO",
            ),
        ];
        let key: PublicKey = PROXY_KEY.parse().unwrap();
        for (hex, op, address) in cases {
            let bytes = hex::decode(hex).unwrap();
            let voucher = SignedVoucher::from_cell(&parse_boc(&bytes).unwrap()).unwrap();
            let contract = parse_address(address).unwrap();
            assert_eq!((voucher.op(), voucher.tokens()), (op, TokenCount::ZERO));
            voucher.verify(&key, &contract).unwrap();
            assert_eq!(boc_bytes(&voucher.to_cell().unwrap()), bytes);
            assert!(matches!(
                voucher.verify(&key, voucher.excesses()),
                Err(BindingsError::OtherContract)
            ));
            assert!(matches!(
                voucher.verify(&PublicKey::new([1; 32]), &contract),
                Err(BindingsError::Signature)
            ));
        }
    }

    fn any_address() -> impl Strategy<Value = Address> {
        any::<[u8; 32]>().prop_map(|hash| Address::new(0, hash.into()))
    }

    proptest! {
        #[test]
        fn a_voucher_survives_a_round_trip_and_a_new_submitter(
            seed in any::<[u8; 32]>(), query_id in any::<u64>(), tokens in any::<u64>(),
            contract in any_address(), first in any_address(), second in any_address(), op in 0usize..4,
        ) {
            let ops = [
                VoucherOp::ClientCharge, VoucherOp::WorkerPayout, VoucherOp::ClientRefund, VoucherOp::WorkerLastPayout,
            ];
            let key = SigningKey::from_bytes(&seed);
            let (query_id, tokens) = (QueryId::new(query_id), TokenCount::new(tokens));
            let signed = SignedVoucher::sign(ops[op], query_id, tokens, &contract, &first, &key).unwrap();
            let read = SignedVoucher::from_cell(&signed.to_cell().unwrap()).unwrap();
            prop_assert_eq!(&read, &signed);
            read.with_excesses(&second).verify(&PublicKey::from(&key), &contract).unwrap();
            prop_assert_eq!(VoucherOp::from_opcode(ops[op].opcode()), Some(ops[op]));
        }

        #[test]
        fn a_closing_survives_a_round_trip(seed in any::<[u8; 32]>(), query in any::<u64>(), proxy in any_address()) {
            let key = SigningKey::from_bytes(&seed);
            for op in [CloseOp::Request, CloseOp::Complete] {
                let signed = SignedClose::sign(op, QueryId::new(query), &proxy, &proxy, &key).unwrap();
                let read = SignedClose::from_cell(&signed.to_cell().unwrap()).unwrap();
                read.verify(&PublicKey::from(&key), &proxy).unwrap();
                prop_assert_eq!(read, signed);
            }
        }

        #[test]
        fn one_flipped_bit_never_verifies(bit in 0usize..1302, seed in any::<[u8; 32]>()) {
            let key = SigningKey::from_bytes(&seed);
            let contract = Address::new(0, [3; 32].into());
            let excesses = Address::new(0, [4; 32].into());
            let (query, tokens) = (QueryId::new(5), TokenCount::new(6));
            let cell =
                SignedVoucher::sign(VoucherOp::ClientCharge, query, tokens, &contract, &excesses, &key)
                    .unwrap().to_cell().unwrap();
            let flipped = flip(&cell, bit);
            // Bits 96 to 362 say where the excesses go: unsigned by design.
            if let Ok(voucher) = SignedVoucher::from_cell(&flipped) {
                let genuine = voucher.verify(&PublicKey::from(&key), &contract).is_ok();
                prop_assert_eq!(genuine, (96..363).contains(&bit), "bit {}", bit);
            }
        }
    }

    fn flip(cell: &Cell, bit: usize) -> Cell {
        let mut data = cell.data().to_vec();
        let bits = usize::from(cell.bit_len());
        let mut payload = cell.reference_cloned(0).unwrap();
        if bit < bits {
            data[bit / 8] ^= 0x80 >> (bit % 8);
        } else {
            let bit = bit - bits;
            let mut inner = payload.data().to_vec();
            inner[bit / 8] ^= 0x80 >> (bit % 8);
            payload = CellBuilder::from_raw_data(&inner, payload.bit_len())
                .unwrap()
                .build()
                .unwrap();
        }
        let mut builder = CellBuilder::from_raw_data(&data, cell.bit_len()).unwrap();
        builder.store_reference(payload).unwrap();
        builder.build().unwrap()
    }
}
