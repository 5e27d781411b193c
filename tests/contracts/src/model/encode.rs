//! Bodies as cells.

use std::sync::LazyLock;

use cocoon_bindings::Nanoton;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::model::bits::Bits;
use crate::model::body::{
    Body, ClientAsk, ClientStep, Damage, Outgoing, RootAsk, Signed, SignedPart, Signer, WorkerAsk, WorkerStep,
};
use crate::model::root::{Role, record};
use crate::model::wallet::External;

static KEYS: LazyLock<[SigningKey; 3]> = LazyLock::new(|| [7, 8, 9].map(|seed| SigningKey::from_bytes(&[seed; 32])));

impl Signer {
    /// The public key.
    pub(crate) fn public(self) -> [u8; 32] {
        KEYS[self as usize].verifying_key().to_bytes()
    }

    fn sign(self, cell: &Cell) -> [u8; 64] {
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
        if self.longer {
            bits.bit(true).done()
        } else {
            bits.done()
        }
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

impl RootAsk {
    fn cell(&self, query: u64) -> Cell {
        let bits = |op: u32| Bits::message(op, query);
        match self {
            Self::Add(role, hash) => {
                let op = match role {
                    Role::Worker => 0xe34b_1c60,
                    Role::Proxy => 0x7186_0e80,
                    Role::Model => 0xc146_134d,
                };
                bits(op).raw(hash).done()
            }
            Self::Delete(role, hash) => {
                let op = match role {
                    Role::Worker => 0x8d94_a79a,
                    Role::Proxy => 0x3c41_d0b2,
                    Role::Model => 0x92b1_1c18,
                };
                bits(op).raw(hash).done()
            }
            Self::RegisterProxy(endpoints) => bits(0x927c_7cb5).rest(&record(endpoints)).done(),
            Self::UnregisterProxy(seqno) => bits(0x6d49_eaf2).u32(*seqno).done(),
            Self::UpdateProxy(seqno, endpoints) => bits(0x9c79_24ba).u32(*seqno).rest(&record(endpoints)).done(),
            Self::Prices { price, fee } => bits(0xc52e_d8d4).coins(*price).coins(*fee).done(),
            Self::Params {
                price,
                fee,
                delays,
                stakes,
            } => {
                let bits = bits(0x022f_a189)
                    .coins(*price)
                    .coins(*fee)
                    .u32(delays[0])
                    .u32(delays[1]);
                bits.coins(stakes[0]).coins(stakes[1]).done()
            }
            Self::AllParams {
                price,
                fee,
                weights,
                delays,
                stakes,
            } => {
                let bits = bits(0x9f1e_69dc).coins(*price).coins(*fee);
                let bits = weights.iter().fold(bits, |bits, weight| bits.u32(*weight));
                bits.u32(delays[0])
                    .u32(delays[1])
                    .coins(stakes[0])
                    .coins(stakes[1])
                    .done()
            }
            Self::Codes([proxy, worker, client]) => bits(0xa237_0f61)
                .cell(proxy.clone())
                .cell(worker.clone())
                .cell(client.clone())
                .done(),
            Self::UpgradeCode(code) => bits(0x11ae_fd51).cell(code.clone()).done(),
            Self::UpgradeFull { state, code } => bits(0x4f7c_5789).cell(state.data()).cell(code.clone()).done(),
            Self::Reset => bits(0x563c_1d96).done(),
            Self::ChangeOwner(owner) => bits(0xc4a1_ae54).address(owner).done(),
        }
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
