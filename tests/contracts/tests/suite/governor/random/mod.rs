//! Whatever signers, council and strangers send, in whatever order: nothing is executed without its threshold and
//! delay, what has them is executed, no coin is lost, and nothing stays for ever.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cocoon_bindings::governor::{
    ApproveFromSigner, AskToExecuteProposal, AskToPurgeProposal, CancelFromCouncil, CancelFromProposer,
    PauseFromCouncil, ProposalState, WithdrawApprovalFromSigner,
};
use cocoon_bindings::root::GetCocoonData;
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{
    ANYONE, CHANGE_DELAY, COUNCIL, CRITICAL_DELAY, DAY, EXCESSES, Governed, HOUR, MAX_PAUSE, OWNER, PAUSE_REST,
    SIGNERS, body, query, ton,
};
use cocoon_emulator::TransactionReport;
use proptest::prelude::*;

use crate::governor::HASH;
use steps::Kind;
pub(super) use steps::{Step, any_step};

const QUERY: QueryId = query(99);

/// A proposal as the rules see it.
#[derive(Debug)]
struct Known {
    kind: Kind,
    epoch: u32,
    approvals: BTreeSet<u8>,
    reached: Option<u32>,
    expires_at: u32,
    under_way: bool,
}

struct Run {
    governed: Governed,
    known: BTreeMap<u64, Known>,
    epoch: u32,
    threshold: u8,
    delays: (u32, u32),
    paused_until: u32,
    pause_allowed_from: u32,
    /// Executions that the root contract has not seen yet.
    sent: Vec<u64>,
    executed: u32,
}

impl Run {
    fn new() -> Self {
        Self {
            governed: Governed::new(),
            known: BTreeMap::new(),
            epoch: 0,
            threshold: 2,
            delays: (CHANGE_DELAY, CRITICAL_DELAY),
            paused_until: 0,
            pause_allowed_from: 0,
            sent: Vec::new(),
            executed: 0,
        }
    }

    fn now(&self) -> u32 {
        self.governed.world.chain.now()
    }

    fn who(number: usize) -> Address {
        SIGNERS.iter().chain(&COUNCIL).nth(number).unwrap_or(&ANYONE).clone()
    }

    fn signs(who: usize, index: u8) -> bool {
        who < 3 && who == usize::from(index)
    }

    fn sits(who: usize, index: u8) -> bool {
        (3..5).contains(&who) && who - 3 == usize::from(index)
    }

    /// The number of one of the proposals, or one that does not exist.
    fn pick(&self, which: usize) -> u64 {
        self.known.keys().nth(which).copied().unwrap_or(7)
    }

    fn delay(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Delete | Kind::Lift => 0,
            Kind::Add | Kind::BadPrices | Kind::Surplus => self.delays.0,
            Kind::Reset | Kind::Signers(_) | Kind::Council | Kind::Delays(_) => self.delays.1,
        }
    }

    fn count_again(&mut self, id: u64) {
        let now = self.now();
        let threshold = self.threshold;
        let delay = self.delay(self.known[&id].kind);
        let known = self.known.get_mut(&id).unwrap();
        let needed = if known.kind == Kind::Delete { 1 } else { threshold };
        if known.approvals.len() < usize::from(needed) {
            known.reached = None;
        } else {
            known.reached = known.reached.or(Some(now + delay));
        }
    }

    /// Whether a proposal may still be approved or executed.
    fn is_open(&self, id: u64) -> bool {
        let now = self.now();
        let open = |known: &Known| known.epoch == self.epoch && now < known.expires_at && !known.under_way;
        self.known.get(&id).is_some_and(open)
    }

    fn send(&mut self, who: usize, value: u64, message: Cell) -> Arc<TransactionReport> {
        let governor = self.governed.governor.clone();
        let value = Nanoton::new(u128::from(value) * 1_000_000);
        let held = self.governed.world.balance(&governor);
        let report = self
            .governed
            .world
            .start(&Self::who(who), &governor, value, message, None);
        self.check_coins(held, &report);
        report
    }

    /// The governor pays for storage and surplus; nothing else may make it poorer.
    fn check_coins(&self, held: Nanoton, report: &TransactionReport) {
        let paid = report.out_msgs.iter().filter(|sent| sent.destination == Some(EXCESSES));
        let paid: u128 = paid.map(|sent| sent.value.get()).sum();
        let after = self.governed.world.balance(&self.governed.governor).get();
        assert!(
            after + report.fees.storage.get() + paid >= held.get(),
            "the governor lost coins"
        );
        assert!(self.governed.world.chain.books().unwrap().balanced());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Propose(who, index, kind, lifetime) => self.propose(who, index, kind, lifetime),
            Step::Approve(who, index, which, exact) => self.approve(who, index, which, exact),
            Step::TakeBack(who, index, which) => {
                let id = self.pick(which);
                let message = body(&WithdrawApprovalFromSigner {
                    query_id: QUERY,
                    signer_index: index,
                    proposal_id: id,
                });
                let done = self.send(who, 500, message).success();
                let approved = self
                    .known
                    .get(&id)
                    .is_some_and(|known| known.approvals.contains(&index));
                assert_eq!(done, Self::signs(who, index) && self.is_open(id) && approved);
                if done {
                    self.known.get_mut(&id).unwrap().approvals.remove(&index);
                    self.count_again(id);
                }
            }
            Step::Drop(who, index, which) => {
                let id = self.pick(which);
                let message = body(&CancelFromProposer {
                    query_id: QUERY,
                    signer_index: index,
                    proposal_id: id,
                });
                let done = self.send(who, 500, message).success();
                let own = u64::from(index) == id % 32;
                let idle = |known: &Known| known.epoch == self.epoch && !known.under_way;
                let allowed = Self::signs(who, index) && own && self.known.get(&id).is_some_and(idle);
                assert_eq!(done, allowed);
                self.forget(id, done);
            }
            Step::Cancel(who, index, which) => {
                let id = self.pick(which);
                let message = body(&CancelFromCouncil {
                    query_id: QUERY,
                    member_index: index,
                    proposal_id: id,
                });
                let done = self.send(who, 500, message).success();
                let waits = |known: &Known| known.kind.within_councils_reach() && !known.under_way;
                assert_eq!(done, Self::sits(who, index) && self.known.get(&id).is_some_and(waits));
                self.forget(id, done);
            }
            Step::Pause(who, index, duration) => self.pause(who, index, duration),
            Step::Execute(who, which, milli) => self.execute(who, which, milli),
            Step::Purge(who, which) => {
                let id = self.pick(which);
                let message = body(&AskToPurgeProposal {
                    query_id: QUERY,
                    proposal_id: id,
                });
                let done = self.send(who, 500, message).success();
                let now = self.now();
                let over = |known: &Known| known.epoch != self.epoch || now >= known.expires_at;
                let known = self.known.get(&id);
                if !known.is_some_and(|known| known.under_way) {
                    assert_eq!(done, known.is_some_and(over));
                }
                self.forget(id, done);
            }
            Step::Wait(seconds) => {
                self.governed.world.chain.advance(seconds).unwrap();
            }
            Step::Deliver(index) => self.deliver(index),
        }
    }

    fn propose(&mut self, who: usize, index: u8, kind: Kind, lifetime: u32) {
        let id = self.governed.next_id(index.min(31));
        let mut message = self.governed.proposal_of(index, kind.body(query(id)), 0);
        message.expires_at = self.now().saturating_add(lifetime);
        let done = self.send(who, 500, body(&message)).success();
        let delay = self.delay(kind);
        let least = if delay == 0 { 1 } else { delay + MAX_PAUSE + DAY };
        let open = self.known.keys().filter(|id| **id % 32 == u64::from(index)).count();
        let lives = (least..=90 * DAY).contains(&lifetime);
        assert_eq!(
            done,
            Self::signs(who, index) && open < 3 && lives,
            "{kind:?} {lifetime}"
        );
        if done {
            let known = Known {
                kind,
                epoch: self.epoch,
                approvals: BTreeSet::from([index]),
                reached: None,
                expires_at: message.expires_at,
                under_way: false,
            };
            self.known.insert(id, known);
            self.count_again(id);
        }
    }

    fn approve(&mut self, who: usize, index: u8, which: usize, exact: bool) {
        let id = self.pick(which);
        let body_hash = match self.known.get(&id) {
            Some(known) if exact => *known.kind.body(query(id)).repr_hash(),
            _ => HASH,
        };
        let message = body(&ApproveFromSigner {
            query_id: QUERY,
            signer_index: index,
            proposal_id: id,
            body_hash,
        });
        let done = self.send(who, 500, message).success();
        let new = self
            .known
            .get(&id)
            .is_some_and(|known| !known.approvals.contains(&index));
        assert_eq!(done, Self::signs(who, index) && exact && self.is_open(id) && new);
        if done {
            self.known.get_mut(&id).unwrap().approvals.insert(index);
            self.count_again(id);
        }
    }

    fn pause(&mut self, who: usize, index: u8, duration: u32) {
        let message = body(&PauseFromCouncil {
            query_id: QUERY,
            member_index: index,
            duration,
        });
        let done = self.send(who, 500, message).success();
        let rested = self.now() >= self.pause_allowed_from;
        let bounded = (1..=MAX_PAUSE).contains(&duration);
        assert_eq!(done, Self::sits(who, index) && rested && bounded);
        if done {
            self.paused_until = self.now() + duration;
            self.pause_allowed_from = self.paused_until + PAUSE_REST;
        }
    }

    fn execute(&mut self, who: usize, which: usize, milli: u64) {
        let id = self.pick(which);
        let message = body(&AskToExecuteProposal {
            query_id: QUERY,
            proposal_id: id,
        });
        let done = self.send(who, milli, message).success();
        let now = self.now();
        let due = self.known.get(&id).is_some_and(|known| {
            let paused = known.kind.within_councils_reach() && now < self.paused_until;
            known.reached.is_some_and(|reached| now >= reached) && !paused
        });
        let allowed = self.is_open(id) && due;
        assert!(!done || allowed, "executed what it must not: {:?}", self.known.get(&id));
        let Some(kind) = self.known.get(&id).map(|known| known.kind) else {
            return;
        };
        let refused = match kind {
            Kind::Signers(threshold) => !(1..=3).contains(&threshold),
            Kind::Delays(hours) => hours == 0,
            _ => false,
        };
        assert!(
            done || !allowed || refused || milli < 400,
            "did not execute what it should: {kind:?}"
        );
        assert!(!(done && refused));
        if done && kind.goes_to_root() {
            self.known.get_mut(&id).unwrap().under_way = true;
            self.sent.push(id);
        } else if done {
            match kind {
                Kind::Signers(threshold) => (self.threshold, self.epoch) = (threshold, self.epoch + 1),
                Kind::Delays(hours) => self.delays = (hours * HOUR, 2 * hours * HOUR),
                Kind::Lift => self.paused_until = 0,
                _ => {}
            }
            self.forget(id, true);
        }
    }

    fn forget(&mut self, id: u64, done: bool) {
        if done {
            self.known.remove(&id);
        }
    }

    /// Delivers one of the messages under way, not necessarily the oldest.
    fn deliver(&mut self, index: usize) {
        let governor = self.governed.governor.clone();
        let held = self.governed.world.balance(&governor);
        let Some(report) = self.governed.world.chain.step_at(index).unwrap() else {
            return;
        };
        if report.address == self.governed.world.root {
            let id = query_id_of(&report.in_msg.as_ref().unwrap().body);
            let sent = self.sent.iter().position(|sent| *sent == id);
            self.sent.remove(sent.expect("what was decided, once"));
            self.executed += u32::from(report.success());
        }
        if report.address == governor {
            self.check_coins(held, &report);
            let kept = self.governed.open();
            self.known.retain(|id, known| {
                let answered = !kept.contains_key(id);
                assert!(
                    !answered || known.under_way && known.kind != Kind::BadPrices,
                    "{known:?}"
                );
                !answered
            });
            for (id, known) in &mut self.known {
                known.under_way = kept[id].state == ProposalState::UnderWay;
            }
        }
    }

    /// Everything is delivered and everybody waits: nothing is left.
    fn end(mut self) {
        while !self.governed.world.chain.pending().unwrap().is_empty() {
            self.deliver(0);
        }
        assert!(self.known.values().all(|known| !known.under_way), "every answer came");
        assert_eq!(
            self.governed.open().keys().collect::<Vec<_>>(),
            self.known.keys().collect::<Vec<_>>()
        );
        let version = self
            .governed
            .world
            .get(&self.governed.world.root, &GetCocoonData)
            .version;
        assert_eq!(
            version,
            1 + self.executed,
            "the root contract did what was decided and nothing else"
        );
        self.governed.world.chain.advance(90 * DAY).unwrap();
        for id in self.known.keys().copied().collect::<Vec<_>>() {
            let purge = AskToPurgeProposal {
                query_id: QUERY,
                proposal_id: id,
            };
            self.governed.send(&OWNER, &purge).assert_success();
        }
        assert!(self.governed.open().is_empty());
        assert!(self.governed.world.balance(&self.governed.governor) >= ton("0.1"));
    }
}

fn query_id_of(message: &Cell) -> u64 {
    let mut slice = message.as_ref().as_slice().unwrap();
    slice.load_u32().unwrap();
    slice.load_u64().unwrap()
}

/// Takes the steps, and asserts that governor and model agree after each of them and in the end.
pub(super) fn live(steps: Vec<Step>) {
    let mut run = Run::new();
    for step in steps {
        run.step(step);
    }
    run.end();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_executed_without_threshold_and_delay_and_nothing_is_lost(
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        live(steps);
    }
}
