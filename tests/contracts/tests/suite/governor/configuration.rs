//! What the governor decides about itself: signers, council, delays, surplus.

use std::collections::BTreeMap;

use cocoon_bindings::governance::{member_dictionary, members};
use cocoon_bindings::governor::{
    AskToPurgeProposal, CancelFromProposer, ChangeCouncil, ChangeDelays, ChangeSigners, GetCouncil, GetSigners,
    GovernorBody, LiftPause, PauseFromCouncil, ProposalState, WithdrawSurplus,
};
use cocoon_bindings::root::{AddWorkerHashFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{
    ANYONE, ATTACHED, COUNCIL, DAY, EXCESSES, Governed, HOUR, SIGNERS, body, corrupted, person, query, ton,
};

use super::HASH;

fn wallets(list: &[(u8, Address)]) -> Option<Cell> {
    let members: BTreeMap<u8, Address> = list.iter().cloned().collect();
    member_dictionary(&members).unwrap()
}

fn signers(threshold: u8, revoke_threshold: u8, list: &[(u8, Address)]) -> impl Fn(QueryId) -> GovernorBody + use<> {
    let signers = wallets(list);
    move |query_id| {
        GovernorBody::ChangeSigners(ChangeSigners {
            query_id,
            threshold,
            revoke_threshold,
            signers: signers.clone(),
        })
    }
}

fn council(list: &[(u8, Address)]) -> impl Fn(QueryId) -> GovernorBody + use<> {
    let council = wallets(list);
    move |query_id| {
        GovernorBody::ChangeCouncil(ChangeCouncil {
            query_id,
            council: council.clone(),
        })
    }
}

fn delays(change_delay: u32, critical_delay: u32) -> impl Fn(QueryId) -> GovernorBody {
    move |query_id| {
        GovernorBody::ChangeDelays(ChangeDelays {
            query_id,
            change_delay,
            critical_delay,
        })
    }
}

fn surplus(amount: Nanoton) -> impl Fn(QueryId) -> GovernorBody {
    move |query_id| {
        GovernorBody::WithdrawSurplus(WithdrawSurplus {
            query_id,
            to: EXCESSES,
            amount,
        })
    }
}

/// Executes a decision of its own; the rest comes back at once, and the root contract sees nothing.
fn govern(governed: &mut Governed, message: impl Fn(QueryId) -> GovernorBody) {
    let id = governed.decide(message);
    governed.pay_storage();
    let held = governed.world.balance(&governed.governor);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert!(outcome.spared(&governed.world.root));
    assert_eq!(
        outcome.received(&ANYONE),
        ton(ATTACHED).checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(governed.world.balance(&governed.governor), held);
    assert!(!governed.open().contains_key(&id));
}

/// A decision that the governor must refuse to execute, and that stays.
fn refuse(governed: &mut Governed, message: impl Fn(QueryId) -> GovernorBody, error: ExitCode) {
    let id = governed.decide(message);
    let execute = body(&governed.execution_of(id));
    governed.refused(&ANYONE, execute, error);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    let cancel = CancelFromProposer {
        query_id: query(1),
        signer_index: 0,
        proposal_id: id,
    };
    governed.send(&SIGNERS[0], &cancel).assert_success();
}

#[test]
fn new_signers_take_over_and_every_open_proposal_is_stale() {
    let mut governed = Governed::new();
    let old = governed.decide(|query_id| AddWorkerHashFromOwner { query_id, hash: HASH });
    let new = [(0, SIGNERS[1].clone()), (7, person(0x31)), (31, person(0x32))];
    govern(&mut governed, signers(3, 2, &new));
    let state = governed.state();
    assert_eq!((state.epoch, state.threshold, state.revoke_threshold), (1, 3, 2));
    let listed = members(governed.world.get(&governed.governor, &GetSigners)).unwrap();
    assert_eq!(listed, new.iter().cloned().collect());
    // What the old signers had decided is void.
    assert_eq!(governed.state_of(old), ProposalState::Stale);
    let execute = body(&governed.execution_of(old));
    governed.refused(&ANYONE, execute, ExitCode::StaleProposal);
    let mut approval = governed.approval_of(0, old);
    governed.refused(&SIGNERS[1], body(&approval), ExitCode::StaleProposal);
    let cancel = CancelFromProposer {
        query_id: query(1),
        signer_index: 0,
        proposal_id: old,
    };
    governed.refused(&SIGNERS[1], body(&cancel), ExitCode::StaleProposal);
    approval.signer_index = 0;
    governed.refused(&SIGNERS[0], body(&approval), ExitCode::NotSigner);
    let purge = AskToPurgeProposal {
        query_id: query(1),
        proposal_id: old,
    };
    governed.send(&ANYONE, &purge).assert_success();
    // The new signers decide; numbers go on, so that none is given twice.
    let id = governed.next_id(31);
    assert_eq!((id, governed.next_id(0)), (32 + 31, 96));
    let revoke = DeleteWorkerHashFromOwner {
        query_id: query(id),
        hash: HASH,
    };
    let message = governed.proposal_of(31, body(&revoke), DAY);
    governed.send(&person(0x32), &message).assert_success();
    assert_eq!(governed.proposal(id).approvals, 1 << 31);
    assert_eq!(governed.state_of(id), ProposalState::Collecting);
    let approval = governed.approval_of(7, id);
    governed.send(&person(0x31), &approval).assert_success();
    governed.execute(id).assert_success();
}

#[test]
fn thirty_two_signers_are_the_most() {
    let mut governed = Governed::new();
    let all: Vec<(u8, Address)> = (0..32).map(|index| (index, person(0x40 + index))).collect();
    govern(&mut governed, signers(32, 1, &all));
    let id = governed.next_id(31);
    let message = AddWorkerHashFromOwner {
        query_id: query(id),
        hash: HASH,
    };
    let message = governed.proposal_of(31, body(&message), 30 * DAY);
    governed.send(&person(0x40 + 31), &message).assert_success();
    for index in 0..31 {
        assert_eq!(governed.state_of(id), ProposalState::Collecting);
        let approval = governed.approval_of(index, id);
        governed.send(&person(0x40 + index), &approval).assert_success();
    }
    assert_eq!(governed.state_of(id), ProposalState::Delayed);
}

#[test]
fn signers_that_could_not_decide_are_refused() {
    let (a, b, c) = ((0, person(0x31)), (1, person(0x32)), (2, person(0x31)));
    let good = [a.clone(), b.clone()];
    let wrong = [
        signers(3, 1, &good),
        signers(1, 2, &good),
        signers(0, 0, &good),
        signers(2, 0, &good),
        signers(1, 1, &[]),
        signers(1, 1, &[a.clone(), (32, person(0x33))]),
        signers(1, 1, &[a, b, c]),
    ];
    let mut governed = Governed::new();
    for message in wrong {
        refuse(&mut governed, message, ExitCode::BadConfiguration);
    }
    govern(&mut governed, signers(2, 2, &good));
}

#[test]
fn a_council_is_at_most_sixteen_distinct_wallets_and_may_be_empty() {
    let mut governed = Governed::new();
    refuse(&mut governed, council(&[(16, ANYONE)]), ExitCode::BadConfiguration);
    refuse(
        &mut governed,
        council(&[(0, ANYONE), (1, ANYONE)]),
        ExitCode::BadConfiguration,
    );
    let all: Vec<(u8, Address)> = (0..16).map(|index| (index, person(0x40 + index))).collect();
    for list in [all.as_slice(), &[]] {
        govern(&mut governed, council(list));
        let listed = members(governed.world.get(&governed.governor, &GetCouncil)).unwrap();
        assert_eq!(listed, list.iter().cloned().collect());
    }
    assert_eq!(governed.state().epoch, 0);
}

#[test]
fn delays_stay_in_their_range() {
    let mut governed = Governed::new();
    for (change, critical) in [(HOUR - 1, DAY), (2 * DAY, DAY), (DAY, 30 * DAY + 1), (0, 0)] {
        refuse(&mut governed, delays(change, critical), ExitCode::BadConfiguration);
    }
    // What is approved already keeps the delay that it was approved under.
    let waiting = governed.propose(2, |query_id| AddWorkerHashFromOwner { query_id, hash: HASH });
    govern(&mut governed, delays(HOUR, HOUR));
    assert_eq!(
        (governed.state().change_delay, governed.state().critical_delay),
        (HOUR, HOUR)
    );
    governed.approve(0, waiting);
    let ready_at = governed.world.chain.now() + HOUR;
    assert_eq!(governed.proposal(waiting).ready_at, ready_at);
    govern(&mut governed, delays(5 * DAY, 30 * DAY));
    assert_eq!(governed.proposal(waiting).ready_at, ready_at);
    let id = governed.propose(1, |query_id| AddWorkerHashFromOwner { query_id, hash: HASH });
    governed.approve(0, id);
    assert_eq!(governed.proposal(id).ready_at, governed.world.chain.now() + 5 * DAY);
}

#[test]
fn surplus_is_paid_out_and_the_reserve_stays() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(surplus(ton("0.3")));
    governed.pay_storage();
    let held = governed.world.balance(&governor);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert_eq!(outcome.received(&EXCESSES), ton("0.3"));
    assert_eq!(governed.world.balance(&governor), held.checked_sub(ton("0.3")).unwrap());
    let spent = outcome.cost();
    assert_eq!(outcome.received(&ANYONE), ton(ATTACHED).checked_sub(spent).unwrap());
    // All but the reserve, and not one nanoton more.
    let rest = |governed: &Governed| {
        governed
            .world
            .balance(&governed.governor)
            .checked_sub(ton("0.1"))
            .unwrap()
    };
    let id = governed.decide(surplus(ton("5")));
    let execute = body(&governed.execution_of(id));
    governed.refused(&ANYONE, execute, ExitCode::LowContractBalance);
    assert!(rest(&governed) > Nanoton::ZERO);
}

#[test]
fn what_stays_after_a_surplus_is_at_least_the_reserve() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let reserve = ton("0.1");
    let held = governed.world.balance(&governor).checked_sub(reserve).unwrap();
    // A little more than there is, and a little less; proposals pay their rents in the meantime.
    let (more, less) = (
        held.checked_add(ton("0.05")).unwrap(),
        held.checked_sub(ton("0.001")).unwrap(),
    );
    let id = governed.decide(surplus(more));
    let execute = body(&governed.execution_of(id));
    governed.refused(&ANYONE, execute, ExitCode::LowContractBalance);
    let id = governed.decide(surplus(less));
    governed.execute(id).assert_success();
    assert!(governed.world.balance(&governor) >= reserve);
}

#[test]
fn bodies_with_something_after_their_end_are_refused() {
    let mut governed = Governed::new();
    let list = [(0, person(0x31))];
    let bodies: [Box<dyn Fn(QueryId) -> GovernorBody>; 5] = [
        Box::new(signers(1, 1, &list)),
        Box::new(council(&list)),
        Box::new(delays(HOUR, HOUR)),
        Box::new(surplus(ton("0.1"))),
        Box::new(|query_id| GovernorBody::LiftPause(LiftPause { query_id })),
    ];
    for message in bodies {
        let id = governed.next_id(0);
        let wrong = governed.proposal_of(0, corrupted(&body(&message(query(id)))), 30 * DAY);
        governed.send(&SIGNERS[0], &wrong).assert_success();
        governed.approve(1, id);
        governed.world.chain.advance(DAY).unwrap();
        let execute = body(&governed.execution_of(id));
        governed.refused(&ANYONE, execute, ExitCode::MessageFormat);
        let cancel = CancelFromProposer {
            query_id: query(1),
            signer_index: 0,
            proposal_id: id,
        };
        governed.send(&SIGNERS[0], &cancel).assert_success();
    }
}

#[test]
fn nobody_sends_the_governor_its_own_bodies() {
    let mut governed = Governed::new();
    let query_id = query(32);
    let lift = body(&LiftPause { query_id });
    let signers = body(&signers(1, 1, &[(0, ANYONE)])(query_id));
    for from in [&SIGNERS[0], &COUNCIL[0], &ANYONE] {
        for message in [&lift, &signers] {
            governed.refused(from, message.clone(), ExitCode::UnknownOp);
        }
    }
}

#[test]
fn a_pause_holds_up_a_change_of_signers() {
    let mut governed = Governed::new();
    let id = governed.decide(signers(1, 1, &[(0, ANYONE)]));
    let pause = PauseFromCouncil {
        query_id: query(1),
        member_index: 0,
        duration: HOUR,
    };
    governed.send(&COUNCIL[0], &pause).assert_success();
    let execute = body(&governed.execution_of(id));
    governed.refused(&ANYONE, execute, ExitCode::Paused);
}
