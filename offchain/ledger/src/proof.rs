//! What peers hold with the signature of this proxy's key, compared with this ledger.
//!
//! A receipt, a countersigned statement and a voucher only leave the proxy once what they say is durable. So one that this
//! ledger does not have means that the ledger is an old copy, or that another proxy signs with the same key.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::TokenCount;

use crate::channel::Account;
use crate::error::LedgerError;
use crate::state::Ledger;

/// Something about one contract that this proxy's key has signed. Signature and contract were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A client's receipt, or a worker's statement.
    Link {
        /// Its number in the channel.
        seqno: u64,
        /// Its hash, which the next one names.
        hash: HashBytes,
    },
    /// A voucher.
    Total(TokenCount),
}

impl Ledger {
    /// Whether this ledger has what the contract's owner holds. An error means that it is an old copy.
    ///
    /// A link before the last one is not looked at: its channel went on from it or from another one, and the peer notices
    /// that by the chain of its receipts.
    pub fn check_signed(&self, contract: &Address, signed: Signed) -> Result<(), LedgerError> {
        let client = self.clients.get(contract).map(|channel| &channel.account);
        let zero = Account::new();
        let account = client
            .or_else(|| self.workers.get(contract).map(|channel| &channel.account))
            .unwrap_or(&zero);
        let (is_known, proven, known) = match signed {
            Signed::Link { seqno, hash } => {
                let is_known = seqno < account.seqno || (seqno == account.seqno && hash == account.hash);
                (is_known, seqno, account.seqno)
            }
            Signed::Total(tokens) => (tokens <= account.db, tokens.get(), account.db.get()),
        };
        if is_known {
            return Ok(());
        }
        Err(LedgerError::BehindPeer {
            contract: contract.clone(),
            what: match signed {
                Signed::Link { .. } => "receipt number",
                Signed::Total(_) => "total",
            },
            proven,
            known,
        })
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::units::TokenCount;
    use proptest::prelude::*;

    use super::*;
    use crate::invariants::{client, funded, worker};
    use crate::{Changes, Position};

    fn charge(ledger: &mut Ledger, used: u64, hash: u8) -> (Position, Changes) {
        let id = ledger.reserve(&client(0), 1, TokenCount::new(100)).unwrap();
        let charge = ledger.prepare(id, &worker(0), TokenCount::new(used)).unwrap();
        let hash = HashBytes([hash; 32]);
        let changes = ledger.apply(&charge, hash, hash).unwrap();
        (charge.client_position, changes)
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.open_client(&client(0), &client(0));
        ledger.see_client(&client(0), funded(5000)).unwrap();
        ledger.open_worker(&worker(0), &worker(0));
        ledger
    }

    fn link(seqno: u64, hash: u8) -> Signed {
        let hash = HashBytes([hash; 32]);
        Signed::Link { seqno, hash }
    }

    #[test]
    fn a_receipt_beyond_the_last_one_or_another_of_its_number_is_a_rollback() {
        let mut ledger = ledger();
        charge(&mut ledger, 5, 1);
        charge(&mut ledger, 0, 2);
        for contract in [client(0), worker(0)] {
            ledger.check_signed(&contract, link(1, 1)).unwrap();
            ledger.check_signed(&contract, link(2, 2)).unwrap();
            for foreign in [link(3, 3), link(2, 3)] {
                let error = ledger.check_signed(&contract, foreign).unwrap_err();
                assert!(error.is_rollback(), "{error}");
            }
        }
        let stranger = client(1);
        assert!(ledger.check_signed(&stranger, link(1, 1)).unwrap_err().is_rollback());
    }

    proptest! {
        /// Whatever was charged and made durable: all that this ledger signed agrees with it, also after a restart, and what
        /// a copy of an earlier moment lacks contradicts that copy.
        #[test]
        fn what_a_ledger_has_signed_contradicts_its_old_copies_only(uses in proptest::collection::vec(0u64..50, 1..12), at in 0usize..12) {
            let mut ledger = ledger();
            let mut old = None;
            for (index, used) in uses.iter().enumerate() {
                if index == at.min(uses.len() - 1) {
                    old = Some(ledger.clone());
                }
                let (_, changes) = charge(&mut ledger, *used, u8::try_from(index).unwrap() + 1);
                ledger.persisted(&changes);
            }
            let rows = |ledger: &Ledger| (
                ledger.clients().map(|(c, row)| (c.clone(), row.clone())).collect::<Vec<_>>(),
                ledger.workers().map(|(c, row)| (c.clone(), row.clone())).collect::<Vec<_>>(),
            );
            let restored = |ledger: &Ledger| {
                let (clients, workers) = rows(ledger);
                Ledger::restore(clients, workers, ledger.commits().clone())
            };
            let total = TokenCount::new(uses.iter().sum());
            let last = link(uses.len() as u64, u8::try_from(uses.len()).unwrap());
            let (again, old) = (restored(&ledger), restored(&old.unwrap()));
            for contract in [client(0), worker(0)] {
                for ledger in [&ledger, &again] {
                    prop_assert!(ledger.check_signed(&contract, last).is_ok());
                    prop_assert!(ledger.check_signed(&contract, Signed::Total(total)).is_ok());
                    let more = Signed::Total(TokenCount::new(total.get() + 1));
                    prop_assert!(ledger.check_signed(&contract, more).is_err());
                }
                prop_assert!(old.check_signed(&contract, last).is_err());
                let had = old.client(&client(0)).unwrap().account.max();
                prop_assert_eq!(old.check_signed(&contract, Signed::Total(total)).is_err(), total > had);
            }
        }
    }
}
