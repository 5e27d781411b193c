//! Credit while the chain is away: what a client's contract said last is all that is known of it, so what is granted on it
//! is bounded, for each client and for all of them.
//!
//! The credit counts what was reserved since the outage began, less what was given back; what is charged stays counted
//! until the chain is back. So it bounds what the proxy can lose if every client closed its contract in the meantime.

use std::collections::HashMap;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Nanoton, TokenCount};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::state::Ledger;

/// How much is granted while the chain is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutageCredit {
    /// To one client.
    pub client: Nanoton,
    /// To all clients together.
    pub total: Nanoton,
}

impl Default for OutageCredit {
    /// What a client's smallest stake covers, and ten times that: less than a proxy is expected to have staked itself.
    fn default() -> Self {
        Self {
            client: Nanoton::from_ton(1),
            total: Nanoton::from_ton(10),
        }
    }
}

/// What was granted since the chain was last heard of.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    limits: OutageCredit,
    granted: HashMap<Address, Nanoton>,
    total: Nanoton,
}

impl Outage {
    /// Takes `amount` tokens at `price` from the credit; gives what it took.
    pub(crate) fn grant(
        &mut self,
        client: &Address,
        amount: TokenCount,
        price: Nanoton,
    ) -> Result<Nanoton, LedgerError> {
        let asked = price.checked_mul_tokens(amount).ok_or(LedgerError::Overflow)?;
        let granted = self.granted.get(client).copied().unwrap_or(Nanoton::ZERO);
        for (before, limit) in [(granted, self.limits.client), (self.total, self.limits.total)] {
            if before.checked_add(asked).is_none_or(|after| after > limit) {
                return Err(LedgerError::OutageCredit {
                    asked,
                    granted: before,
                    limit,
                });
            }
        }
        // Both sums are below limits now, so that neither overflows.
        self.granted
            .insert(client.clone(), granted.checked_add(asked).ok_or(LedgerError::Overflow)?);
        self.total = self.total.checked_add(asked).ok_or(LedgerError::Overflow)?;
        Ok(asked)
    }

    /// Gives credit back that was not used.
    pub(crate) fn give_back(&mut self, client: &Address, unused: Nanoton) {
        if let Some(granted) = self.granted.get_mut(client) {
            *granted = granted.checked_sub(unused).unwrap_or(Nanoton::ZERO);
        }
        self.total = self.total.checked_sub(unused).unwrap_or(Nanoton::ZERO);
    }
}

impl Ledger {
    /// The chain is away: from now on reservations take from this credit. What was reserved or charged before is covered
    /// by what the chain said then. Again without an end in between, only the limits change.
    pub fn begin_outage(&mut self, limits: OutageCredit) {
        match &mut self.outage {
            Some(outage) => outage.limits = limits,
            None => {
                self.outage = Some(Outage {
                    limits,
                    granted: HashMap::new(),
                    total: Nanoton::ZERO,
                });
            }
        }
    }

    /// The chain is back, and the contracts of the clients were read again.
    pub fn end_outage(&mut self) {
        self.outage = None;
        self.reservations
            .values_mut()
            .for_each(|open| open.credit = Nanoton::ZERO);
    }

    /// What was granted since the chain was last heard of; `None` while it is there.
    pub fn outage_credit(&self) -> Option<Nanoton> {
        self.outage.as_ref().map(|outage| outage.total)
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;
    use proptest::prelude::*;

    use super::*;
    use crate::invariants::{client, funded, worker};

    fn limits(client: u128, total: u128) -> OutageCredit {
        OutageCredit {
            client: Nanoton::new(client),
            total: Nanoton::new(total),
        }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for index in 0..2 {
            ledger.open_client(&client(index), &client(index));
            ledger.see_client(&client(index), funded(1_000_000)).unwrap();
        }
        ledger.open_worker(&worker(0), &worker(0));
        ledger
    }

    #[test]
    fn what_was_reserved_before_the_outage_takes_no_credit_and_gives_none_back() {
        let mut ledger = ledger();
        let before = ledger.reserve(&client(0), 1, TokenCount::new(500)).unwrap();
        ledger.begin_outage(limits(100, 150));
        ledger.reserve(&client(0), 1, TokenCount::new(100)).unwrap();
        ledger.release(before).unwrap();
        let refused = ledger.reserve(&client(0), 1, TokenCount::new(1)).unwrap_err();
        assert!(matches!(refused, LedgerError::OutageCredit { .. }), "{refused}");
        ledger.reserve(&client(1), 1, TokenCount::new(50)).unwrap();
        ledger.reserve(&client(1), 1, TokenCount::new(1)).unwrap_err();
    }

    #[test]
    fn when_the_chain_is_back_the_bound_is_that_of_the_contract_again() {
        let mut ledger = ledger();
        ledger.begin_outage(limits(100, 100));
        let inside = ledger.reserve(&client(0), 1, TokenCount::new(100)).unwrap();
        ledger.end_outage();
        ledger.reserve(&client(0), 1, TokenCount::new(5000)).unwrap();
        ledger.begin_outage(limits(100, 100));
        ledger.release(inside).unwrap();
        assert_eq!(ledger.outage_credit(), Some(Nanoton::ZERO));
    }

    proptest! {
        #[test]
        fn what_is_reserved_and_charged_in_an_outage_never_exceeds_its_credit(
            steps in prop::collection::vec((0u8..5, 0u8..2, 0u64..70), 0..80),
        ) {
            let (mut ledger, limits) = (ledger(), limits(100, 150));
            ledger.begin_outage(limits);
            let mut open = Vec::new();
            let (mut charged, mut hash) = ([0_u64; 2], 0_u8);
            for (step, at, amount) in steps {
                match step {
                    0 | 1 => if let Ok(id) = ledger.reserve(&client(at), 1, TokenCount::new(amount)) {
                        open.push((id, at, amount));
                    },
                    2 => if let Some((id, _, _)) = open.pop() {
                        ledger.release(id).unwrap();
                    },
                    3 => if let Some((id, _, reserved)) = open.last_mut() {
                        ledger.narrow(*id, TokenCount::new(amount)).unwrap();
                        *reserved = amount.min(*reserved);
                    },
                    _ => if let Some((id, at, reserved)) = open.pop() {
                        let charge = ledger.prepare(id, &worker(0), TokenCount::new(amount)).unwrap();
                        hash += 1;
                        ledger.apply(&charge, HashBytes([hash; 32]), HashBytes([hash; 32])).unwrap();
                        charged[usize::from(at)] += amount.min(reserved);
                    },
                }
                let held = |of: u8| {
                    let open: u64 = open.iter().filter(|(_, at, _)| *at == of).map(|(_, _, amount)| amount).sum();
                    u128::from(open + charged[usize::from(of)])
                };
                prop_assert!(held(0) <= 100 && held(1) <= 100);
                prop_assert_eq!(ledger.outage_credit(), Some(Nanoton::new(held(0) + held(1))));
                prop_assert!(ledger.outage_credit().unwrap() <= limits.total);
            }
        }
    }
}
