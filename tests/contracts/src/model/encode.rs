//! Bodies as cells.

use std::sync::LazyLock;

use cocoon_bindings::Nanoton;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::model::bits::Bits;
use crate::model::body::{
    Body, Claim, ClientAsk, ClientStep, Damage, Outgoing, Receipt, Score, Signed, SignedCheckpoint, SignedPart, Signer,
    Statement, WorkerAsk, WorkerStep,
};
use crate::model::wallet::External;

/// Op of a worker's claim.
const CLAIM_BY_STATEMENT: u32 = 0xe2d4_ff52;

static KEYS: LazyLock<[SigningKey; 3]> = LazyLock::new(|| [7, 8, 9].map(|seed| SigningKey::from_bytes(&[seed; 32])));

impl Signer {
    /// The public key.
    pub(crate) fn public(self) -> [u8; 32] {
        KEYS[self as usize].verifying_key().to_bytes()
    }

    pub(crate) fn sign(self, cell: &Cell) -> [u8; 64] {
        KEYS[self as usize].sign(cell.repr_hash().as_slice()).to_bytes()
    }
}

impl Body {
    /// The body as a cell.
    pub(crate) fn cell(&self) -> Cell {
        let asked = |op: u32, query: u64, excesses: &Address| Bits::message(op, query).address(excesses).done();
        let paid = |op: u32, query: u64, amount: u128, excesses: &Address| {
            Bits::message(op, query).coins(amount).address(excesses).done()
        };
        match self {
            Self::Empty => Cell::empty_cell(),
            Self::Unknown { op, query } => Bits::message(*op, *query).done(),
            Self::Note { query } => Bits::message(0x9a12_47c0, *query).done(),
            Self::Text(text) => Bits::new().u32(0).raw(text).done(),
            Self::Excesses { query } => Bits::message(0x2565_934c, *query).done(),
            Self::Payout { query } => Bits::message(0xc59a_7cd3, *query).done(),
            Self::Damaged(body, damage) => damaged(&body.cell(), *damage),
            Self::Bounced { original, rich: false } => plain_bounce(&original.cell()),
            Self::Bounced { original, rich: true } => {
                let info = Bits::new().coins(0).bit(false).u64(0).u32(0).done();
                let bits = Bits::new().u32(0xffff_fffe).cell(original.cell()).cell(info);
                bits.uint(1, 8).u32(0).bit(false).done()
            }
            Self::Signed(signed) => signed.cell(),
            Self::IncreaseProxyStake {
                query,
                amount,
                excesses,
            } => paid(0x9713_f187, *query, *amount, excesses),
            Self::WithdrawEarnings { query, excesses } => asked(0x7610_e6eb, *query, excesses),
            Self::CloseProxy { query, excesses } => asked(0xb51d_5a01, *query, excesses),
            Self::Anchor {
                query,
                excesses,
                signed,
            } => {
                let bits = Bits::message(0xd533_1342, *query).address(excesses);
                let checkpoint = signed.checkpoint();
                bits.raw(&signed.signer.sign(&checkpoint)).cell(checkpoint).done()
            }
            Self::ReportEquivocation {
                query,
                reporter,
                evidence,
            } => {
                let bits = Bits::message(0x683d_2818, *query).address(reporter);
                bits.cell(evidence[0].cell()).cell(evidence[1].cell()).done()
            }
            Self::ReclaimStake { query, excesses } => asked(0x17eb_ca2b, *query, excesses),
            Self::Claim(claim) => claim.cell(),
            Self::SettleClaim { query, excesses } => asked(0x8ce5_7608, *query, excesses),
            Self::ClientStep(step) => step.cell(),
            Self::WorkerStep(step) => step.cell(),
            Self::TopUp {
                query,
                amount,
                excesses,
            } => paid(0xf172_e6c2, *query, *amount, excesses),
            Self::TopUpWithSecret {
                query,
                amount,
                secret,
                excesses,
            } => {
                let bits = Bits::message(0x8473_b408, *query).coins(*amount);
                bits.raw(secret).address(excesses).done()
            }
            Self::Reopen {
                query,
                amount,
                excesses,
            } => paid(0x2911_1ceb, *query, *amount, excesses),
            Self::Register { query, nonce, excesses } => {
                Bits::message(0xc45f_9f3b, *query).u64(*nonce).address(excesses).done()
            }
            Self::ChangeSecret {
                query,
                secret,
                excesses,
            } => Bits::message(0xa935_7034, *query).raw(secret).address(excesses).done(),
            Self::IncreaseStake { query, stake, excesses } => paid(0x6a1f_6a60, *query, *stake, excesses),
            Self::Withdraw { query, excesses } => asked(0xda06_8e78, *query, excesses),
            Self::RequestRefund { query, excesses } => asked(0xfafa_6cc1, *query, excesses),
            Self::RegisterWorker { query, excesses } => asked(0x26ed_7f65, *query, excesses),
            Self::Root { query, ask } => ask.cell(*query),
            Self::Govern { query, ask } => ask.cell(*query),
            Self::GovernorOwn { id, own } => own.cell(*id),
            Self::WalletSend { query, mode, message } => Bits::message(0x9c69_f376, *query)
                .uint((*mode).into(), 8)
                .cell(message.cell())
                .done(),
        }
    }
}

impl Signed {
    fn cell(&self) -> Cell {
        let inner = self.inner.cell();
        let signature = self.signer.sign(&inner);
        let bits = Bits::message(self.op, self.query).address(&self.excesses);
        bits.raw(&signature).cell(inner).done()
    }
}

impl SignedPart {
    fn cell(&self) -> Cell {
        let bits = Bits::message(self.op, self.query);
        let bits = match self.tokens {
            None => bits,
            Some(tokens) => bits.u64(tokens),
        };
        let bits = bits.address(&self.expected);
        let bits = if self.longer { bits.bit(true) } else { bits };
        match &self.score {
            None => bits.done(),
            Some(score) => {
                let cell = score.bits();
                bits.cell(if score.longer {
                    cell.bit(true).done()
                } else {
                    cell.done()
                })
                .done()
            }
        }
    }
}

impl Score {
    /// Its 448 bits.
    pub(crate) fn bits(&self) -> Bits {
        let bits = Bits::new().u64(self.requests).u64(self.failures).u64(7);
        (0..8).fold(bits, |bits, bucket| bits.u32(bucket))
    }
}

impl SignedCheckpoint {
    fn checkpoint(&self) -> Cell {
        let op = if self.known { 0x405d_f46e } else { 0x405d_f46f };
        let bits = Bits::new().u32(op).address(&self.proxy).u64(self.seqno).u64(self.size);
        let bits = bits.raw(&[self.tree; 32]).u64(self.time);
        if self.longer {
            bits.bit(true).done()
        } else {
            bits.done()
        }
    }

    fn cell(&self) -> Cell {
        let checkpoint = self.checkpoint();
        Bits::new().raw(&self.signer.sign(&checkpoint)).cell(checkpoint).done()
    }
}

impl Claim {
    fn cell(&self) -> Cell {
        let statement = self.statement.cell();
        let (op, signed) = match &self.receipt {
            None => (CLAIM_BY_STATEMENT, statement),
            Some(receipt) => (0x866e_3ecf, receipt.cell(statement)),
        };
        let bits = Bits::message(op, self.query).address(&self.excesses);
        bits.raw(&self.signer.sign(&signed)).cell(signed).done()
    }
}

/// Place in a channel of receipts or statements.
fn link(after: u64) -> Cell {
    Bits::new().u64(3).raw(&[2; 32]).u64(after / 2).u64(after).done()
}

impl Receipt {
    fn cell(&self, statement: Cell) -> Cell {
        let op = if self.known { 0xc0c0_2ece } else { 0xc0c0_2ecf };
        let bits = Bits::new().u32(op).uint(self.version.into(), 8).address(&self.client);
        bits.raw(&[3; 32])
            .raw(&[4; 32])
            .cell(statement)
            .cell(link(self.after))
            .done()
    }
}

impl Statement {
    fn cell(&self) -> Cell {
        let op = if self.known { 0xc0c0_57a1 } else { 0xc0c0_57a2 };
        let bits = Bits::new()
            .u32(op)
            .uint(self.version.into(), 8)
            .u32(1)
            .u32(1000)
            .uint(1, 8);
        let bits = bits.u64(5).u64(6).u64(7).u64(8).raw(&[5; 32]).raw(&[6; 32]);
        let parties = Bits::new()
            .address(&self.proxy)
            .address(&self.proxy)
            .address(&self.worker)
            .done();
        let bits = bits.cell(parties).cell(link(self.after));
        bits.cell(Cell::empty_cell()).cell(Bits::new().u64(9).done()).done()
    }
}

impl ClientStep {
    fn cell(&self) -> Cell {
        let told = Bits::new()
            .uint(self.told.state.into(), 2)
            .coins(self.told.balance)
            .coins(self.told.stake);
        let told = told.u64(self.told.tokens).raw(&self.told.secret).done();
        let paid =
            |op: u32, amount: u128, excesses: &Address| Bits::new().u32(op).coins(amount).address(excesses).done();
        let ask = self.ask.as_ref().map(|ask| match ask {
            ClientAsk::TopUp { amount, excesses } => paid(0x5cfc_6b87, *amount, excesses),
            ClientAsk::Register { nonce } => Bits::message(0xa35c_b580, *nonce).done(),
            ClientAsk::Refund { amount, excesses } => paid(0xc68e_bc7b, *amount, excesses),
            ClientAsk::ForcedRefund { amount, excesses } => paid(0xf4c3_54c9, *amount, excesses),
            ClientAsk::Unknown => Bits::message(0x1234_5678, 1).done(),
        });
        Bits::message(0x6544_8ff4, self.query)
            .address(&self.owner)
            .cell(told)
            .maybe(ask)
            .done()
    }
}

impl WorkerStep {
    fn cell(&self) -> Cell {
        let ask = self.ask.as_ref().map(
            |WorkerAsk {
                 worker_part,
                 proxy_part,
                 excesses,
             }| {
                Bits::new()
                    .u32(0x08e7_d036)
                    .coins(*worker_part)
                    .coins(*proxy_part)
                    .address(excesses)
                    .done()
            },
        );
        let bits = Bits::message(0x4d72_5d2c, self.query).address(&self.owner);
        bits.uint(self.state.into(), 2).u64(self.tokens).maybe(ask).done()
    }
}

impl Outgoing {
    fn cell(&self) -> Cell {
        let message = InternalMessage {
            to: self.to.clone(),
            value: Nanoton::new(self.value),
            bounce: self.bounce,
            body: self.body.cell(),
            state_init: None,
        };
        message.to_cell().unwrap()
    }
}

impl External {
    /// The body.
    pub(crate) fn cell(&self) -> Cell {
        let bits = Bits::new().u32(self.subwallet).u32(self.valid_until).u32(self.seqno);
        let fill = |bits: Bits, (mode, message): &(u8, Outgoing)| bits.uint((*mode).into(), 8).cell(message.cell());
        let request = self.messages.iter().fold(bits, fill).done();
        Bits::new().raw(&self.signer.sign(&request)).rest(&request).done()
    }
}

/// The beginning of a body behind the mark of a message that comes back.
fn plain_bounce(original: &Cell) -> Cell {
    let slice = original.as_ref().as_slice().unwrap();
    let mut builder = CellBuilder::new();
    builder.store_u32(u32::MAX).unwrap();
    builder
        .store_slice(slice.get_prefix(slice.size_bits().min(256), 0))
        .unwrap();
    builder.build().unwrap()
}

fn damaged(cell: &Cell, damage: Damage) -> Cell {
    let slice = cell.as_ref().as_slice().unwrap();
    let mut builder = CellBuilder::new();
    match damage {
        Damage::Longer => {
            builder.store_slice(slice).unwrap();
            builder.store_bit_one().unwrap();
        }
        Damage::Shorter => {
            let (bits, refs) = (slice.size_bits(), slice.size_refs());
            builder
                .store_slice(slice.get_prefix(bits.saturating_sub(1), refs))
                .unwrap();
        }
    }
    builder.build().unwrap()
}
