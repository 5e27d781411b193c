//! The end of a proxy contract: after a change of the parameters its channels take no more requests and are settled to
//! the last token, and only then may it close.

use cocoon_bindings::ton::Address;

use crate::channel::{ClientChannel, ContractState, WorkerChannel};
use crate::state::{Changes, Ledger};

/// What a proxy contract still has open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Winding {
    /// Requests that are running.
    pub running: usize,
    /// Clients that are not charged and refunded yet.
    pub clients: usize,
    /// Workers that are not paid yet.
    pub workers: usize,
}

impl Winding {
    /// Whether nobody is owed anything.
    pub fn is_over(&self) -> bool {
        *self == Self::default()
    }
}

impl Ledger {
    /// The proxy contract `proxy` takes no more requests: marks the channels that belong to it. `is_member` says so of a
    /// contract and its owner. A channel that is marked stays so.
    pub fn retire(&mut self, proxy: &Address, is_member: impl Fn(&Address, &Address) -> bool) -> Changes {
        let clients = self.clients.iter_mut();
        let clients = clients.map(|(contract, channel)| (contract, &channel.owner, &mut channel.retired));
        let clients = mark(clients, proxy, &is_member);
        let workers = self.workers.iter_mut();
        let workers = workers.map(|(contract, channel)| (contract, &channel.owner, &mut channel.retired));
        let workers = mark(workers, proxy, &is_member);
        self.changes(
            &clients.iter().collect::<Vec<_>>(),
            &workers.iter().collect::<Vec<_>>(),
            false,
        )
    }

    /// What a retired proxy contract still has open.
    pub fn winding(&self, proxy: &Address) -> Winding {
        let clients = self.clients.values().filter(|channel| channel.retired() == Some(proxy));
        let workers = self.workers.values().filter(|channel| channel.retired() == Some(proxy));
        Winding {
            running: clients
                .clone()
                .map(ClientChannel::running)
                .fold(0, usize::saturating_add),
            clients: clients.filter(|channel| !is_refunded(channel)).count(),
            workers: workers.filter(|channel| !is_paid(channel)).count(),
        }
    }

    /// Whether a request of any retired proxy contract is running: its worker will still earn.
    pub(crate) fn is_retired_running(&self) -> bool {
        self.clients
            .values()
            .any(|channel| channel.retired.is_some() && channel.running > 0)
    }
}

/// Marks those channels, as contract, owner and mark, that have no mark and belong to `proxy`; gives their contracts.
fn mark<'a>(
    channels: impl Iterator<Item = (&'a Address, &'a Address, &'a mut Option<Address>)>,
    proxy: &Address,
    is_member: impl Fn(&Address, &Address) -> bool,
) -> Vec<Address> {
    channels
        .filter(|(contract, owner, retired)| retired.is_none() && is_member(contract, owner))
        .map(|(contract, _, retired)| {
            *retired = Some(proxy.clone());
            contract.clone()
        })
        .collect()
}

/// A contract that never was has nothing to give back; one that is closed has given everything.
fn is_refunded(channel: &ClientChannel) -> bool {
    match &channel.on_chain {
        None => channel.account.seqno == 0,
        Some(seen) => seen.state == ContractState::Closed,
    }
}

fn is_paid(channel: &WorkerChannel) -> bool {
    let max = channel.account.max;
    match &channel.on_chain {
        None => max.get() == 0,
        Some(seen) => seen.state == ContractState::Closed || seen.tokens >= max,
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;
    use cocoon_bindings::units::{Nanoton, TokenCount};
    use proptest::prelude::*;

    use super::*;
    use crate::invariants::{client, funded, worker};
    use crate::{ClientOnChain, LedgerError, Settlement, Thresholds, WorkerOnChain};

    fn proxy(index: u8) -> Address {
        Address::new(0, HashBytes([index + 201; 32]))
    }

    fn paid(tokens: u64, state: ContractState) -> WorkerOnChain {
        let worker_fee = Nanoton::new(1);
        WorkerOnChain {
            state,
            tokens: TokenCount::new(tokens),
            worker_fee,
        }
    }

    /// Two clients and two workers, the first of each of the old contract.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for index in 0..2 {
            ledger.open_client(&client(index), &client(index));
            ledger.see_client(&client(index), funded(5000)).unwrap();
            ledger.open_worker(&worker(index), &worker(index));
            ledger
                .see_worker(&worker(index), paid(0, ContractState::Normal))
                .unwrap();
        }
        ledger
    }

    fn retire(ledger: &mut Ledger) -> Changes {
        ledger.retire(&proxy(0), |contract, _| {
            *contract == client(0) || *contract == worker(0)
        })
    }

    fn charge(ledger: &mut Ledger, at: u8, used: u64, hash: u8) {
        let id = ledger.reserve(&client(at), 1, TokenCount::new(1000)).unwrap();
        let charge = ledger.prepare(id, &worker(at), TokenCount::new(used)).unwrap();
        let hash = HashBytes([hash; 32]);
        let changes = ledger.apply(&charge, hash, hash).unwrap();
        ledger.persisted(&changes);
    }

    fn commit(ledger: &mut Ledger) {
        let (note, _) = ledger.begin_commit(HashBytes([9; 32])).unwrap();
        let changes = ledger.commit_landed(note).unwrap();
        ledger.persisted(&changes);
    }

    #[test]
    fn a_retired_channel_takes_no_request_and_others_do() {
        let mut ledger = ledger();
        let changes = retire(&mut ledger);
        assert_eq!((changes.clients.len(), changes.workers.len()), (1, 1));
        let refused = ledger.reserve(&client(0), 1, TokenCount::new(1)).unwrap_err();
        assert!(matches!(refused, LedgerError::Retired { .. }), "{refused}");
        ledger.reserve(&client(1), 1, TokenCount::new(1)).unwrap();
        assert_eq!(retire(&mut ledger), Changes::default());
    }

    #[test]
    fn a_refund_and_a_last_payout_wait_for_requests_and_for_the_commit() {
        let mut ledger = ledger();
        let running = ledger.reserve(&client(0), 1, TokenCount::new(100)).unwrap();
        charge(&mut ledger, 0, 40, 1);
        retire(&mut ledger);
        let all = Thresholds {
            client_charge: Nanoton::ZERO,
            worker_payout: Nanoton::ZERO,
            ..Thresholds::default()
        };
        assert!(ledger.settlements(0, &Thresholds::default()).is_empty());
        commit(&mut ledger);
        let due = ledger.settlements(0, &all);
        let is_final = |settlement: &Settlement| {
            matches!(
                settlement,
                Settlement::ClientRefund { .. } | Settlement::WorkerLastPayout { .. }
            )
        };
        assert!(!due.iter().any(is_final), "{due:?}");
        ledger.release(running).unwrap();
        let due = ledger.settlements(0, &Thresholds::default());
        let tokens = TokenCount::new(40);
        assert_eq!(
            due,
            [
                Settlement::ClientRefund {
                    client: client(0),
                    tokens
                },
                Settlement::WorkerLastPayout {
                    worker: worker(0),
                    tokens
                },
            ]
        );
        assert_eq!(ledger.winding(&proxy(0)).clients, 1);
    }

    #[test]
    fn a_voucher_that_is_refused_is_offered_less_and_less_often() {
        let mut ledger = ledger();
        retire(&mut ledger);
        let mut at = 0;
        for repeat in 0..4_u64 {
            let due = ledger.settlements(at, &Thresholds::default());
            assert_eq!(due.len(), 1, "{repeat}");
            ledger.submitted(&due[0], at).unwrap();
            let wait = 60 << repeat;
            assert!(ledger.settlements(at + wait - 1, &Thresholds::default()).is_empty());
            at += wait;
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve,
        End(u64),
        Retire,
        Commit,
        Settle,
        Crash,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Reserve),
            3 => (0u64..90).prop_map(Step::End),
            1 => Just(Step::Retire),
            2 => Just(Step::Commit),
            2 => Just(Step::Settle),
            1 => Just(Step::Crash),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// The contracts of the old proxy contract, as they take vouchers.
    struct Contracts {
        client: ClientOnChain,
        worker: WorkerOnChain,
    }

    impl Contracts {
        fn take(&mut self, settlement: &Settlement) {
            match settlement {
                Settlement::ClientCharge { tokens, .. } => self.client.tokens_used = *tokens,
                Settlement::ClientRefund { tokens, .. } => {
                    assert_ne!(self.client.state, ContractState::Closed, "refunded twice");
                    (self.client.tokens_used, self.client.state) = (*tokens, ContractState::Closed);
                }
                Settlement::WorkerPayout { tokens, .. } => self.worker.tokens = *tokens,
                Settlement::WorkerLastPayout { tokens, .. } => {
                    assert_ne!(self.worker.state, ContractState::Closed, "paid for the last time twice");
                    (self.worker.tokens, self.worker.state) = (*tokens, ContractState::Closed);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_a_wound_up_contract_has_charged_and_paid_every_token(steps in steps()) {
            let thresholds = Thresholds { resubmit_after: 0, ..Thresholds::default() };
            let mut ledger = Ledger::default();
            ledger.open_client(&client(0), &client(0));
            ledger.see_client(&client(0), funded(100_000)).unwrap();
            ledger.open_worker(&worker(0), &worker(0));
            ledger.see_worker(&worker(0), paid(0, ContractState::Normal)).unwrap();
            let mut contracts = Contracts { client: funded(100_000), worker: paid(0, ContractState::Normal) };
            let (mut open, mut charged, mut hash) = (Vec::new(), 0, 0_u64);
            let all = steps.into_iter().chain([Step::Retire, Step::Crash, Step::Commit, Step::Settle]);
            for step in all {
                match step {
                    Step::Reserve => open.extend(ledger.reserve(&client(0), 1, TokenCount::new(90))),
                    Step::End(used) => if let Some(id) = open.pop() {
                        let charge = ledger.prepare(id, &worker(0), TokenCount::new(used)).unwrap();
                        hash += 1;
                        let mut bytes = [0; 32];
                        bytes[..8].copy_from_slice(&hash.to_le_bytes());
                        let changes = ledger.apply(&charge, HashBytes(bytes), HashBytes(bytes)).unwrap();
                        ledger.persisted(&changes);
                        charged += used;
                    },
                    Step::Retire => drop(retire(&mut ledger)),
                    Step::Commit => commit(&mut ledger),
                    Step::Settle => {
                        for settlement in ledger.settlements(0, &thresholds) {
                            ledger.submitted(&settlement, 0).unwrap();
                            contracts.take(&settlement);
                        }
                        ledger.see_client(&client(0), contracts.client.clone()).unwrap();
                        ledger.see_worker(&worker(0), contracts.worker.clone()).unwrap();
                    }
                    Step::Crash => {
                        open.clear();
                        let rows = serde_json::to_vec(&(ledger.client(&client(0)), ledger.worker(&worker(0)))).unwrap();
                        let (c, w): (ClientChannel, WorkerChannel) = serde_json::from_slice(&rows).unwrap();
                        ledger = Ledger::restore([(client(0), c)], [(worker(0), w)], ledger.commits().clone());
                    }
                }
                if ledger.winding(&proxy(0)).is_over() && ledger.client(&client(0)).unwrap().retired().is_some() {
                    prop_assert_eq!(contracts.client.tokens_used.get(), charged);
                    prop_assert_eq!(contracts.worker.tokens.get(), charged);
                }
            }
            prop_assert!(ledger.winding(&proxy(0)).is_over());
        }
    }
}
