//! The invariants of the crate under random histories, crashes included.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Nanoton, TokenCount};
use proptest::prelude::*;

use crate::{
    Changes, ClientChannel, ClientOnChain, CommitNote, Commits, ContractState, Ledger, LedgerError, ReservationId,
    Thresholds, WorkerChannel,
};

const CLIENTS: u8 = 3;
const WORKERS: u8 = 2;

pub(crate) fn client(index: u8) -> Address {
    Address::new(0, HashBytes([index + 1; 32]))
}

pub(crate) fn worker(index: u8) -> Address {
    Address::new(0, HashBytes([index + 101; 32]))
}

pub(crate) fn funded(tokens: u64) -> ClientOnChain {
    ClientOnChain {
        state: ContractState::Normal,
        balance: Nanoton::new(u128::from(tokens)),
        stake: Nanoton::new(u128::from(tokens)),
        tokens_used: TokenCount::ZERO,
        price: Nanoton::new(1),
        secret_hash: HashBytes::ZERO,
    }
}

/// What the store holds: rows as they were last made durable.
#[derive(Default)]
struct Disk {
    clients: BTreeMap<Address, ClientChannel>,
    workers: BTreeMap<Address, WorkerChannel>,
    commits: Commits,
}

impl Disk {
    fn write(&mut self, changes: &Changes) {
        self.clients.extend(changes.clients.iter().cloned());
        self.workers.extend(changes.workers.iter().cloned());
        self.commits = changes.commits.clone().unwrap_or_else(|| self.commits.clone());
    }

    fn read(&self) -> Ledger {
        Ledger::restore(self.clients.clone(), self.workers.clone(), self.commits.clone())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        client: u8,
        amount: u64,
    },
    Release {
        at: prop::sample::Index,
    },
    Narrow {
        at: prop::sample::Index,
        used: u64,
    },
    Charge {
        at: prop::sample::Index,
        worker: u8,
        used: u64,
    },
    ChargeAgain,
    BeginCommit,
    LandCommit,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CLIENTS, 0u64..400).prop_map(|(client, amount)| Step::Reserve { client, amount }),
        1 => any::<prop::sample::Index>().prop_map(|at| Step::Release { at }),
        2 => (any::<prop::sample::Index>(), 0u64..500).prop_map(|(at, used)| Step::Narrow { at, used }),
        4 => (any::<prop::sample::Index>(), 0..WORKERS, 0u64..500)
            .prop_map(|(at, worker, used)| Step::Charge { at, worker, used }),
        1 => Just(Step::ChargeAgain),
        1 => Just(Step::BeginCommit),
        1 => Just(Step::LandCommit),
        1 => Just(Step::Crash),
    ]
}

/// A ledger with its disk and an independent count of what was charged.
struct Run {
    ledger: Ledger,
    disk: Disk,
    open: Vec<(ReservationId, u64)>,
    receipts: u64,
    charged: BTreeMap<Address, u64>,
    last: Option<crate::Charge>,
    in_flight: Vec<CommitNote>,
}

impl Run {
    fn new() -> Self {
        let mut ledger = Ledger::default();
        let mut disk = Disk::default();
        for index in 0..CLIENTS {
            ledger.open_client(&client(index), &client(index));
            disk.write(&ledger.see_client(&client(index), funded(5000)).unwrap());
        }
        for index in 0..WORKERS {
            disk.write(&ledger.open_worker(&worker(index), &worker(index)));
        }
        let (open, charged, in_flight) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self {
            ledger,
            disk,
            open,
            receipts: 0,
            charged,
            last: None,
            in_flight,
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Reserve { client: index, amount } => {
                let before = self.ledger.client(&client(index)).unwrap().available().get();
                match self.ledger.reserve(&client(index), 0, TokenCount::new(amount)) {
                    Ok(id) => self.open.push((id, amount)),
                    Err(error) => {
                        let is_too_low = matches!(error, LedgerError::BalanceTooLow { .. });
                        prop_assert!(is_too_low);
                        prop_assert!(amount > before);
                    }
                }
            }
            Step::Release { at } if !self.open.is_empty() => {
                let (id, _) = self.open.remove(at.index(self.open.len()));
                prop_assert_eq!(self.ledger.release(id), Ok(()));
                prop_assert_eq!(self.ledger.release(id), Err(LedgerError::ReservationGone));
            }
            Step::Narrow { at, used } if !self.open.is_empty() => {
                let at = at.index(self.open.len());
                let (id, amount) = self.open[at];
                prop_assert_eq!(self.ledger.narrow(id, TokenCount::new(used)), Ok(()));
                self.open[at].1 = amount.min(used);
                let held: u64 = self.ledger.clients().map(|(_, channel)| channel.reserved().get()).sum();
                prop_assert_eq!(held, self.open.iter().map(|(_, amount)| amount).sum::<u64>());
            }
            Step::Charge {
                at,
                worker: index,
                used,
            } if !self.open.is_empty() => {
                let (id, amount) = self.open.remove(at.index(self.open.len()));
                let charge = self.ledger.prepare(id, &worker(index), TokenCount::new(used)).unwrap();
                prop_assert_eq!(charge.tokens.get(), used.min(amount));
                prop_assert_eq!(charge.tokens.get() + charge.excess.get(), used);
                self.receipts += 1;
                let hash = HashBytes([self.receipts as u8; 32]);
                let changes = self.ledger.apply(&charge, hash, hash).unwrap();
                self.disk.write(&changes);
                self.ledger.persisted(&changes);
                for contract in [&charge.client, &charge.worker] {
                    *self.charged.entry(contract.clone()).or_default() += charge.tokens.get();
                }
                self.last = Some(charge);
            }
            Step::ChargeAgain => {
                if let Some(charge) = &self.last {
                    let again = self.ledger.apply(charge, HashBytes([9; 32]), HashBytes([9; 32]));
                    prop_assert_eq!(again, Err(LedgerError::ReservationGone));
                }
            }
            Step::BeginCommit => {
                if let Ok((note, changes)) = self.ledger.begin_commit(HashBytes([7; 32])) {
                    self.disk.write(&changes);
                    self.in_flight.push(note);
                }
            }
            Step::LandCommit if !self.in_flight.is_empty() => {
                let note = self.in_flight.remove(0);
                let before = self.totals();
                let changes = self.ledger.commit_landed(note).unwrap();
                // Nothing of it is signed before it is durable.
                prop_assert_eq!(before, self.totals());
                self.disk.write(&changes);
                self.ledger.persisted(&changes);
                prop_assert_eq!(self.ledger.commit_landed(note).unwrap(), Changes::default());
            }
            Step::Crash => {
                let before: Vec<_> = self.totals();
                self.ledger = self.disk.read();
                self.open.clear();
                self.last = None;
                prop_assert_eq!(before, self.totals());
            }
            _ => {}
        }
        Ok(())
    }

    fn totals(&self) -> Vec<(Address, TokenCount, TokenCount)> {
        let clients = self
            .ledger
            .clients()
            .map(|(contract, channel)| (contract, &channel.account));
        let workers = self
            .ledger
            .workers()
            .map(|(contract, channel)| (contract, &channel.account));
        clients
            .chain(workers)
            .map(|(contract, a)| (contract.clone(), a.max(), a.chain()))
            .collect()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (mut from_clients, mut to_workers) = (0, 0);
        for (contract, channel) in self.ledger.clients() {
            let account = &channel.account;
            prop_assert_eq!(account.max().get(), self.charged.get(contract).copied().unwrap_or(0));
            prop_assert!(account.max() >= account.db() && account.db() >= account.chain());
            let committed = account.max().get() + channel.reserved().get();
            prop_assert!(committed <= 5000, "{committed} of 5000 tokens promised");
            from_clients += account.max().get();
        }
        for (contract, channel) in self.ledger.workers() {
            let account = &channel.account;
            prop_assert_eq!(account.max().get(), self.charged.get(contract).copied().unwrap_or(0));
            prop_assert!(account.max() >= account.db() && account.db() >= account.chain());
            to_workers += account.max().get();
        }
        prop_assert_eq!(from_clients, to_workers);
        for settlement in self.ledger.settlements(0, &eager()) {
            let contract = settlement.contract();
            let client = self.ledger.client(contract).map(|channel| channel.account.chain());
            let worker = self.ledger.worker(contract).map(|channel| channel.account.chain());
            prop_assert_eq!(Some(settlement.tokens()), client.or(worker));
        }
        Ok(())
    }
}

pub(crate) fn eager() -> Thresholds {
    Thresholds {
        client_charge: Nanoton::ZERO,
        worker_payout: Nanoton::ZERO,
        resubmit_after: 10,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn receipts_sum_to_charges_and_no_crash_loses_one(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new();
        for step in steps {
            run.take(step)?;
            run.check()?;
        }
    }
}
