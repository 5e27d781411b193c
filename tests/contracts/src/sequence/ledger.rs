//! Whose the proxy contract's coins are, message by message.
//!
//! The proxy holds its stake, its earnings and what clients have paid in and not used. What clients are charged goes
//! into a pot that payouts to workers are paid from; the proxy may sign payouts ahead of charges, so the pot may be
//! below zero: only then, and only by so much, can the contract hold less than it owes.

use crate::model::body::{Body, ClientAsk};
use crate::model::effect::STORAGE;
use crate::model::{CLOSED, Contract, Proxy};
use crate::sequence::net::{Flight, Net};

/// Whose the proxy contract's coins are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Coins that nobody claims: from the deployment, from plain transfers, notices, rests of values.
    pub(crate) adrift: i128,
    /// Storage fees.
    pub(crate) storage: i128,
    /// Charged to clients or given up by them, less what workers and proxy were paid.
    pub(crate) pot: i128,
    /// Paid to each worker's owner, to the proxy for each worker's tokens.
    pub(crate) paid: [(u128, u128); 2],
    /// The proxy's owner has taken everything.
    pub(crate) closed: bool,
}

/// What a transaction did.
pub(crate) struct Entry<'a> {
    pub(crate) flight: &'a Flight,
    pub(crate) before: &'a Contract,
    pub(crate) after: &'a Contract,
    /// Whether the message had an effect.
    pub(crate) done: bool,
    /// Change of the account's balance, storage fees apart.
    pub(crate) gained: i128,
    pub(crate) storage: i128,
    pub(crate) due: i128,
    pub(crate) gas: i128,
}

fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap()
}

impl Ledger {
    /// Books a transaction.
    pub(crate) fn book(&mut self, net: &Net, entry: &Entry<'_>) -> Result<(), String> {
        match (entry.before, entry.after) {
            (Contract::Client(before), Contract::Client(after)) if after.tokens != before.tokens => {
                let tokens = after
                    .tokens
                    .checked_sub(before.tokens)
                    .ok_or("a client's tokens went down")?;
                let price = u128::from(tokens).saturating_mul(before.fixed.terms.price);
                self.pot += signed(price.min(before.balance));
            }
            (Contract::Proxy(before), Contract::Proxy(after)) => self.book_proxy(net, entry, before, after)?,
            _ => {}
        }
        Ok(())
    }

    fn book_proxy(&mut self, net: &Net, entry: &Entry<'_>, before: &Proxy, after: &Proxy) -> Result<(), String> {
        self.storage += entry.storage;
        let flight = entry.flight;
        let value = signed(flight.value);
        if entry.done && after.state == CLOSED && before.state != CLOSED {
            let left = net.balance(&flight.to);
            *self = Self {
                adrift: signed(left),
                closed: true,
                paid: self.paid,
                ..Self::default()
            };
            return Ok(());
        }
        // A note has its effect, which is to arrive, whether it runs or not.
        let noted = matches!(flight.body, Body::Note { .. });
        let body = if entry.done || noted {
            &flight.body
        } else {
            &Body::Empty
        };
        // What the message takes or brings by the books, and how much more may stay.
        let (booked, room) = match body {
            Body::ClientStep(step) => match &step.ask {
                Some(ClientAsk::TopUp { amount, .. }) => (signed(*amount), signed(STORAGE)),
                Some(ClientAsk::Refund { amount, .. }) => (-signed(*amount), signed(STORAGE)),
                Some(ClientAsk::ForcedRefund { amount, .. }) => {
                    if !self.closed {
                        self.pot += signed(*amount);
                    }
                    (signed(after.stake) - signed(before.stake), signed(STORAGE))
                }
                _ => (0, value),
            },
            Body::WorkerStep(step) => match &step.ask {
                Some(ask) => {
                    let place = before
                        .workers
                        .iter()
                        .position(|(owner, _)| *owner == step.owner)
                        .unwrap();
                    self.pot -= signed(ask.worker_part + ask.proxy_part);
                    self.paid[place].0 += ask.worker_part;
                    self.paid[place].1 += ask.proxy_part;
                    (-signed(ask.worker_part), signed(STORAGE))
                }
                None => (0, value),
            },
            Body::IncreaseProxyStake { amount, .. } => (signed(*amount), signed(STORAGE)),
            Body::WithdrawEarnings { .. } => (-signed(before.balance), signed(STORAGE)),
            Body::Text(text) if text == b"w" => (-signed(before.balance), signed(STORAGE)),
            Body::Note { .. } if !self.closed && before.clients.iter().any(|(_, client)| *client == flight.from) => {
                (value, 0)
            }
            Body::ReportEquivocation { .. } | Body::ReclaimStake { .. } => {
                (signed(after.stake) - signed(before.stake), signed(STORAGE))
            }
            Body::CloseProxy { .. } | Body::Anchor { .. } | Body::Signed(_) | Body::Text(_) => (0, signed(STORAGE)),
            _ => (0, value),
        };
        let adrift = entry.gained - booked;
        // A message that is credited before storage is paid may also pay for that. A note pays its gas out of what it brings.
        let least = if matches!(body, Body::Note { .. }) {
            -entry.gas
        } else {
            0
        };
        if adrift < least || adrift > room + entry.due + entry.storage {
            return Err(format!(
                "the proxy's coins changed by {} and not by {booked} (storage apart)",
                entry.gained
            ));
        }
        self.adrift += adrift;
        Ok(())
    }

    /// The proxy holds what it owes, and every count of tokens is what was paid for.
    pub(crate) fn check(&self, net: &Net, flights: &[Flight]) -> Result<(), String> {
        let proxy = net.proxy();
        let mut owed = self.adrift - self.storage;
        if !self.closed {
            owed += signed(proxy.stake) + signed(proxy.balance) + self.pot;
            owed += net.clients().map(|client| signed(client.balance)).sum::<i128>();
            owed += flights.iter().map(|flight| on_the_way(net, flight)).sum::<i128>();
        }
        let held = signed(net.balance(&net.places.proxy));
        if held != owed {
            return Err(format!("the proxy holds {held} and its books say {owed}: {self:?}"));
        }
        for (place, worker) in net.workers().enumerate() {
            let terms = &worker.fixed.terms;
            let asked = flights
                .iter()
                .filter(|flight| net.between_ours(flight))
                .filter_map(|flight| match flight.said() {
                    Body::WorkerStep(step) if step.owner == worker.fixed.owner => step.ask.as_ref(),
                    _ => None,
                });
            let (mut paid, mut earned) = self.paid[place];
            for ask in asked {
                paid += ask.worker_part;
                earned += ask.proxy_part;
            }
            let tokens = u128::from(worker.tokens);
            if paid != tokens * terms.fee || earned != tokens * (terms.price - terms.fee) {
                return Err(format!(
                    "worker {place} counts {tokens} tokens and was paid {paid}, the proxy {earned}"
                ));
            }
        }
        Ok(())
    }
}

/// What a message on its way will change: a refund is still at the proxy, a top up is not there yet.
fn on_the_way(net: &Net, flight: &Flight) -> i128 {
    if !net.between_ours(flight) {
        return 0;
    }
    match flight.said() {
        Body::ClientStep(step) => match &step.ask {
            Some(ClientAsk::TopUp { amount, .. }) => -signed(*amount),
            Some(ClientAsk::Refund { amount, .. } | ClientAsk::ForcedRefund { amount, .. }) => signed(*amount),
            _ => 0,
        },
        Body::Note { .. } if flight.to == net.places.proxy => -signed(flight.value),
        _ => 0,
    }
}
