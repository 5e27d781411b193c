//! One step of a sequence: somebody sends something, the chain delivers something, or time passes. A step is a number;
//! what it means depends on where the sequence stands, so that any part of a sequence is a sequence.

use cocoon_bindings::ton::Address;

use crate::model::body::{Body, Damage, Outgoing, Signer};
use crate::model::wallet::External;
use crate::sequence::asks;
use crate::sequence::rng::Rng;
use crate::sequence::run::{Checked, Run, Sent};
use crate::sequence::setup::{EXCESSES, NOWHERE, PEOPLE, STRANGER};

/// Latest time that sequences reach; contracts store times in 32 bits.
const LAST_TIME: u32 = 2_500_000_000;
/// A TON.
pub(crate) const TON: u128 = 1_000_000_000;
/// The largest amount that a cell can hold.
pub(crate) const MOST_COINS: u128 = (1 << 120) - 1;

/// A message before it is decided who sends it, with how much.
pub(crate) struct Ask {
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// Coins that the message moves.
    pub(crate) moved: u128,
    pub(crate) body: Body,
}

impl Run {
    /// Takes one step.
    pub(crate) fn step(&mut self, seed: u64) -> Checked {
        let mut rng = Rng::new(seed);
        match rng.below(100) {
            0..=29 if !self.flights.is_empty() => {
                let place = if rng.percent(50) {
                    0
                } else {
                    rng.index(self.flights.len())
                };
                self.deliver(place)
            }
            30..=35 => {
                self.wait(&mut rng);
                Ok(())
            }
            36..=39 if !self.history.is_empty() => {
                let mut again = rng.pick(&self.history).clone();
                match rng.below(4) {
                    0 => again.from = self.anybody(&mut rng),
                    1 => again.to = self.any_contract(&mut rng),
                    _ => {}
                }
                self.send(again)
            }
            40..=43 => {
                let message = self.external(&mut rng);
                self.send_external(&message)
            }
            _ => {
                let ask = asks::any(self, &mut rng);
                let sent = self.address_it(ask, &mut rng);
                self.send(sent)
            }
        }
    }

    fn wait(&mut self, rng: &mut Rng) {
        let seconds = match rng.below(20) {
            0..=5 => 1 + rng.below(120),
            6..=13 => 200 + rng.below(500),
            14..=16 => rng.below(86_400),
            17..=18 => rng.below(90 * 86_400),
            _ => rng.below(3 * 365 * 86_400),
        };
        let seconds = u32::try_from(seconds)
            .unwrap()
            .min(LAST_TIME.saturating_sub(self.chain.now()));
        self.note(|| format!("  {seconds} seconds pass"));
        self.chain.advance(seconds).unwrap();
    }

    /// Perhaps from somebody else, with too little, or damaged.
    fn address_it(&mut self, ask: Ask, rng: &mut Rng) -> Sent {
        let Ask {
            from,
            to,
            moved,
            mut body,
        } = ask;
        // A contract says nothing by itself.
        let from = if self.net.contracts.contains_key(&from) {
            STRANGER
        } else {
            from
        };
        let from = if rng.percent(12) { self.anybody(rng) } else { from };
        let to = if rng.percent(3) { self.any_contract(rng) } else { to };
        let value = any_value(rng, moved);
        let whole = matches!(
            body,
            Body::Empty | Body::Note { .. } | Body::Unknown { .. } | Body::Text(_)
        );
        let whole = whole || matches!(body, Body::Excesses { .. } | Body::Payout { .. } | Body::Bounced { .. });
        let whole = whole || matches!(body, Body::Damaged(..));
        if !whole && rng.percent(4) {
            let damage = if rng.percent(50) {
                Damage::Longer
            } else {
                Damage::Shorter
            };
            // A notice is accepted unread.
            let notice = matches!(&body, Body::ClientStep(step) if step.ask.is_none());
            let notice = notice || matches!(&body, Body::WorkerStep(step) if step.ask.is_none());
            if !(notice && damage == Damage::Shorter) {
                body = Body::Damaged(Box::new(body), damage);
            }
        }
        Sent {
            from,
            to,
            value,
            bounce: rng.percent(90),
            body,
        }
    }

    /// Anybody who can send a message of his own.
    pub(crate) fn anybody(&self, rng: &mut Rng) -> Address {
        rng.pick(&PEOPLE).0.clone()
    }

    /// Any contract.
    pub(crate) fn any_contract(&self, rng: &mut Rng) -> Address {
        let place = rng.index(self.net.contracts.len());
        self.net.contracts.keys().nth(place).cloned().unwrap_or(STRANGER)
    }

    /// Who gets the rest of a value.
    pub(crate) fn excesses(&self, rng: &mut Rng) -> Address {
        match rng.below(40) {
            0 | 1 => self.any_contract(rng),
            2..=4 => self.anybody(rng),
            5 => NOWHERE,
            _ => EXCESSES,
        }
    }

    fn external(&mut self, rng: &mut Rng) -> External {
        let seqno = self.wallet_seqno();
        let now = self.chain.now();
        let count = 1 + rng.index(2);
        External {
            subwallet: u32::from(rng.percent(4)),
            valid_until: if rng.percent(5) { now } else { now + 60 },
            seqno: if rng.percent(8) { seqno.wrapping_sub(1) } else { seqno },
            messages: (0..count).map(|_| (any_mode(rng), self.outgoing(rng))).collect(),
            signer: if rng.percent(5) { Signer::Proxy } else { Signer::Runner },
        }
    }

    /// A message for the wallet to send.
    pub(crate) fn outgoing(&mut self, rng: &mut Rng) -> Outgoing {
        let ask = asks::any(self, rng);
        let body = if matches!(ask.body, Body::WalletSend { .. }) {
            Body::Empty
        } else {
            ask.body
        };
        Outgoing {
            to: ask.to,
            value: any_value(rng, ask.moved),
            bounce: rng.percent(80),
            body,
        }
    }
}

/// Send modes that a wallet is used with.
pub(crate) fn any_mode(rng: &mut Rng) -> u8 {
    *rng.pick(&[0, 1, 2, 3, 3, 3, 3, 17, 64, 128, 130])
}

/// The value of a message that moves so much: mostly plenty.
fn any_value(rng: &mut Rng, moved: u128) -> u128 {
    let moved = moved.min(1_000_000_000 * TON);
    let commission = TON / 10;
    match rng.below(40) {
        0 | 1 => moved + commission,
        2 => (moved + commission).saturating_sub(1),
        3 => moved + commission + 1,
        4 => u128::from(rng.below(100_000)),
        5 => u128::from(rng.below(100_000_000)),
        6 => 0,
        7 => moved,
        8 | 9 => moved + u128::from(rng.below(120_000_000)),
        _ => moved + commission + u128::from(rng.below(1_000_000_000)),
    }
}
