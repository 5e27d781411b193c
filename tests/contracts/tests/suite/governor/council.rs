//! The council slows down what adds, never what takes trust away, and not for ever.

use cocoon_bindings::QueryId;
use cocoon_bindings::governor::{CancelFromCouncil, ChangeCouncil, LiftPause, PauseFromCouncil, ProposalState};
use cocoon_bindings::root::{GetCocoonData, ResetFromOwner};
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::ExitCode;
use cocoon_contract_tests::{
    ANYONE, CHANGE_DELAY, COUNCIL, CRITICAL_DELAY, DAY, Governed, HOUR, MAX_PAUSE, OWNER, PAUSE_REST, SIGNERS, body,
    corrupted, query,
};

use super::{add, delete};

fn reset(query_id: QueryId) -> ResetFromOwner {
    ResetFromOwner { query_id }
}

fn no_council(query_id: QueryId) -> ChangeCouncil {
    ChangeCouncil {
        query_id,
        council: None,
    }
}

fn pause(member_index: u8, duration: u32) -> PauseFromCouncil {
    PauseFromCouncil {
        query_id: query(7),
        member_index,
        duration,
    }
}

fn cancel(member_index: u8, proposal_id: u64) -> CancelFromCouncil {
    CancelFromCouncil {
        query_id: query(8),
        member_index,
        proposal_id,
    }
}

fn root_version(governed: &Governed) -> u32 {
    governed.world.get(&governed.world.root, &GetCocoonData).version
}

#[test]
fn a_pause_holds_up_changes_and_critical_proposals_until_it_ends() {
    let mut governed = Governed::new();
    let change = governed.decide(add);
    let critical = governed.decide(reset);
    let now = governed.world.chain.now();
    governed.send(&COUNCIL[1], &pause(1, 2 * HOUR)).assert_success();
    let state = governed.state();
    assert_eq!(
        (state.paused_until, state.pause_allowed_from),
        (now + 2 * HOUR, now + 2 * HOUR + PAUSE_REST)
    );
    for id in [change, critical] {
        assert_eq!(governed.state_of(id), ProposalState::Paused);
        let execute = body(&governed.execution_of(id));
        governed.refused(&ANYONE, execute, ExitCode::Paused);
    }
    governed.world.chain.advance(2 * HOUR - 1).unwrap();
    let execute = body(&governed.execution_of(change));
    governed.refused(&SIGNERS[0], execute, ExitCode::Paused);
    governed.world.chain.advance(1).unwrap();
    governed.execute(change).assert_success();
    governed.execute(critical).assert_success();
}

#[test]
fn a_pause_does_not_stop_what_takes_trust_away() {
    let mut governed = Governed::new();
    governed.send(&COUNCIL[0], &pause(0, MAX_PAUSE)).assert_success();
    let version = root_version(&governed);
    let id = governed.propose(0, delete);
    governed.execute(id).assert_success();
    assert_eq!(root_version(&governed), version + 1);
}

#[test]
fn signers_end_a_pause_at_once_and_the_council_rests_all_the_same() {
    let mut governed = Governed::new();
    let change = governed.decide(add);
    governed.send(&COUNCIL[0], &pause(0, MAX_PAUSE)).assert_success();
    let rest = governed.state().pause_allowed_from;
    let lift = governed.propose(0, |query_id| LiftPause { query_id });
    let early = body(&governed.execution_of(lift));
    governed.refused(&ANYONE, early, ExitCode::NotApproved);
    governed.refused(&COUNCIL[0], body(&cancel(0, lift)), ExitCode::CannotCancel);
    governed.approve(1, lift);
    governed.execute(lift).assert_success();
    assert_eq!(
        (governed.state().paused_until, governed.state().pause_allowed_from),
        (0, rest)
    );
    governed.execute(change).assert_success();
    governed.refused(&COUNCIL[1], body(&pause(1, 1)), ExitCode::PauseResting);
}

#[test]
fn pauses_are_bounded_and_followed_by_a_rest() {
    let mut governed = Governed::new();
    for wrong in [0, MAX_PAUSE + 1, u32::MAX] {
        governed.refused(&COUNCIL[0], body(&pause(0, wrong)), ExitCode::BadConfiguration);
    }
    governed.send(&COUNCIL[0], &pause(0, MAX_PAUSE)).assert_success();
    for wait in [0, MAX_PAUSE - 1, 1, PAUSE_REST - 1] {
        governed.world.chain.advance(wait).unwrap();
        for member in [0, 1] {
            let again = body(&pause(member, HOUR));
            governed.refused(&COUNCIL[usize::from(member)], again, ExitCode::PauseResting);
        }
    }
    governed.world.chain.advance(1).unwrap();
    governed.send(&COUNCIL[1], &pause(1, HOUR)).assert_success();
}

#[test]
fn a_council_that_pauses_whenever_it_can_does_not_stop_a_proposal() {
    let mut governed = Governed::new();
    let id = governed.decide(add);
    governed.send(&COUNCIL[0], &pause(0, MAX_PAUSE)).assert_success();
    governed.world.chain.advance(MAX_PAUSE).unwrap();
    governed.refused(&COUNCIL[0], body(&pause(0, MAX_PAUSE)), ExitCode::PauseResting);
    governed.execute(id).assert_success();
    // The shortest life that is accepted also outlasts a pause that begins when the delay ends.
    let id = governed.next_id(0);
    let short = governed.proposal_of(0, body(&add(query(id))), CHANGE_DELAY + MAX_PAUSE + DAY);
    governed.send(&SIGNERS[0], &short).assert_success();
    governed.approve(1, id);
    let rest = governed.state().pause_allowed_from;
    assert!(governed.proposal(id).expires_at < rest, "no second pause reaches it");
    governed.world.chain.advance(CHANGE_DELAY).unwrap();
    governed.execute(id).assert_success();
}

#[test]
fn the_council_cancels_what_adds_and_nothing_else() {
    let mut governed = Governed::new();
    let change = governed.propose(0, add);
    let critical = governed.decide(reset);
    let council = governed.propose(0, no_council);
    let revoke = governed.propose(1, delete);
    for id in [council, revoke] {
        governed.refused(&COUNCIL[0], body(&cancel(0, id)), ExitCode::CannotCancel);
    }
    for (member, id) in [(0, change), (1, critical)] {
        governed
            .send(&COUNCIL[usize::from(member)], &cancel(member, id))
            .assert_success();
        governed.refused(&COUNCIL[0], body(&cancel(0, id)), ExitCode::UnknownProposal);
    }
    assert_eq!(governed.open().into_keys().collect::<Vec<_>>(), [revoke, council]);
}

#[test]
fn a_rogue_council_is_replaced_in_spite_of_itself() {
    let mut governed = Governed::new();
    let id = governed.propose(0, no_council);
    governed.approve(1, id);
    governed.world.chain.advance(CRITICAL_DELAY - 1).unwrap();
    governed.send(&COUNCIL[0], &pause(0, MAX_PAUSE)).assert_success();
    let early = body(&governed.execution_of(id));
    governed.refused(&ANYONE, early, ExitCode::Timelocked);
    governed.world.chain.advance(1).unwrap();
    governed.execute(id).assert_success();
    let id = governed.propose(0, add);
    for message in [body(&cancel(0, id)), body(&pause(0, HOUR))] {
        governed.refused(&COUNCIL[0], message, ExitCode::NotCouncil);
    }
}

#[test]
fn nobody_else_pauses_or_cancels_and_the_council_does_nothing_else() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    let strangers: [(&Address, u8); 6] = [
        (&ANYONE, 0),
        (&OWNER, 0),
        (&SIGNERS[0], 0),
        (&COUNCIL[0], 1),
        (&COUNCIL[1], 0),
        (&COUNCIL[1], 16),
    ];
    for (stranger, member) in strangers {
        for message in [body(&cancel(member, id)), body(&pause(member, HOUR))] {
            governed.refused(stranger, message, ExitCode::NotCouncil);
        }
    }
    let mut approval = governed.approval_of(0, id);
    for signer_index in 0..3 {
        approval.signer_index = signer_index;
        let propose = governed.proposal_of(signer_index, body(&delete(query(33))), DAY);
        for message in [body(&approval), body(&propose)] {
            governed.refused(&COUNCIL[0], message, ExitCode::NotSigner);
        }
    }
}

#[test]
fn the_councils_messages_end_where_they_should() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    for message in [body(&cancel(0, id)), body(&pause(0, HOUR))] {
        governed.refused(&COUNCIL[0], corrupted(&message), ExitCode::MessageFormat);
    }
}
