//! How proposals are approved, taken back, dropped and forgotten.

use cocoon_bindings::GetMethod;
use cocoon_bindings::governor::{
    AskToPurgeProposal, CancelFromProposer, GetProposal, ProposalState, WithdrawApprovalFromSigner,
};
use cocoon_bindings::root::ChangeOwnerFromOwner;
use cocoon_bindings::ton::{Cell, CellFamily};
use cocoon_bindings::types::{DoNotProcess, ExitCode, ReturnExcessesBack};
use cocoon_contract_tests::{
    ANYONE, CHANGE_DELAY, COUNCIL, DAY, Governed, OWNER, SIGNERS, body, corrupted, query, ton,
};

use super::{HASH, add, delete};

#[test]
fn the_delay_begins_when_the_threshold_is_reached() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    governed.world.chain.advance(DAY).unwrap();
    let now = governed.world.chain.now();
    governed.approve(2, id);
    let proposal = governed.proposal(id);
    assert_eq!(proposal.ready_at, now + CHANGE_DELAY);
    assert_eq!(proposal.state, ProposalState::Delayed);
    // A further approval does not postpone it.
    governed.world.chain.advance(CHANGE_DELAY - 1).unwrap();
    governed.approve(1, id);
    assert_eq!(governed.proposal(id).ready_at, now + CHANGE_DELAY);
    let early = body(&governed.execution_of(id));
    governed.refused(&ANYONE, early, ExitCode::Timelocked);
    governed.world.chain.advance(1).unwrap();
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    governed.execute(id).assert_success();
}

#[test]
fn only_signers_propose_approve_and_take_back() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    let query_id = governed.query_id;
    for (stranger, signer_index) in [
        (&ANYONE, 0),
        (&OWNER, 1),
        (&COUNCIL[0], 0),
        (&SIGNERS[1], 0),
        (&SIGNERS[1], 3),
        (&SIGNERS[1], 255),
    ] {
        let propose = governed.proposal_of(signer_index, body(&add(query(33))), 30 * DAY);
        let mut approve = governed.approval_of(1, id);
        approve.signer_index = signer_index;
        let take_back = WithdrawApprovalFromSigner {
            query_id,
            signer_index,
            proposal_id: id,
        };
        let cancel = CancelFromProposer {
            query_id,
            signer_index,
            proposal_id: id,
        };
        for message in [body(&propose), body(&approve), body(&take_back), body(&cancel)] {
            governed.refused(stranger, message, ExitCode::NotSigner);
        }
    }
}

#[test]
fn an_approval_is_for_exactly_one_body_and_counts_once() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    let mut other = governed.approval_of(1, id);
    other.body_hash = HASH;
    governed.refused(&SIGNERS[1], body(&other), ExitCode::WrongBody);
    let own = body(&governed.approval_of(0, id));
    governed.refused(&SIGNERS[0], own, ExitCode::AlreadyApproved);
    let approval = governed.approval_of(1, id);
    governed.send(&SIGNERS[1], &approval).assert_success();
    governed.refused(&SIGNERS[1], body(&approval), ExitCode::AlreadyApproved);
    let mut unknown = governed.approval_of(2, id);
    unknown.proposal_id = 33;
    governed.refused(&SIGNERS[2], body(&unknown), ExitCode::UnknownProposal);
}

#[test]
fn an_approval_that_is_taken_back_voids_the_delay() {
    let mut governed = Governed::new();
    let id = governed.decide(add);
    let take_back = |signer_index| WithdrawApprovalFromSigner {
        query_id: query(5),
        signer_index,
        proposal_id: id,
    };
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    let nothing = body(&take_back(2));
    governed.refused(&SIGNERS[2], nothing, ExitCode::NotApproved);
    governed.send(&SIGNERS[0], &take_back(0)).assert_success();
    assert_eq!(
        (governed.proposal(id).ready_at, governed.proposal(id).approvals),
        (0, 0b10)
    );
    let execute = body(&governed.execution_of(id));
    governed.refused(&ANYONE, execute, ExitCode::NotApproved);
    governed.approve(2, id);
    assert_eq!(
        governed.proposal(id).ready_at,
        governed.world.chain.now() + CHANGE_DELAY
    );
    // One approval more than needed may be taken back without an effect on the delay.
    let ready_at = governed.proposal(id).ready_at;
    governed.approve(0, id);
    governed.world.chain.advance(60).unwrap();
    governed.send(&SIGNERS[1], &take_back(1)).assert_success();
    assert_eq!(governed.proposal(id).ready_at, ready_at);
}

#[test]
fn a_proposer_drops_its_own_proposals_only() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    let cancel = |signer_index| CancelFromProposer {
        query_id: query(5),
        signer_index,
        proposal_id: id,
    };
    let others = body(&cancel(1));
    governed.refused(&SIGNERS[1], others, ExitCode::CannotCancel);
    governed.send(&SIGNERS[0], &cancel(0)).assert_success();
    assert!(governed.open().is_empty());
    governed.refused(&SIGNERS[0], body(&cancel(0)), ExitCode::UnknownProposal);
    let get = governed.world.chain.get(
        &governed.governor,
        GetProposal::ID,
        GetProposal { proposal_id: id }.arguments(),
    );
    assert_eq!(get.unwrap().exit_code, ExitCode::UnknownProposal.code());
}

#[test]
fn an_expired_proposal_is_dead_and_anyone_may_purge_it() {
    let mut governed = Governed::new();
    let id = governed.decide(add);
    let purge = AskToPurgeProposal {
        query_id: governed.query_id,
        proposal_id: id,
    };
    governed.refused(&ANYONE, body(&purge), ExitCode::ProposalOpen);
    let expires_at = governed.proposal(id).expires_at;
    governed.world.chain.set_now(expires_at - 1).unwrap();
    governed.refused(&ANYONE, body(&purge), ExitCode::ProposalOpen);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    governed.world.chain.advance(1).unwrap();
    assert_eq!(governed.state_of(id), ProposalState::Expired);
    let take_back = WithdrawApprovalFromSigner {
        query_id: governed.query_id,
        signer_index: 0,
        proposal_id: id,
    };
    let (execute, approve) = (body(&governed.execution_of(id)), body(&governed.approval_of(2, id)));
    governed.refused(&ANYONE, execute, ExitCode::ProposalExpired);
    governed.refused(&SIGNERS[2], approve, ExitCode::ProposalExpired);
    governed.refused(&SIGNERS[0], body(&take_back), ExitCode::ProposalExpired);
    governed.send(&ANYONE, &purge).assert_success();
    governed.refused(&ANYONE, body(&purge), ExitCode::UnknownProposal);
    assert!(governed.open().is_empty());
}

#[test]
fn one_signer_revokes_at_once() {
    let mut governed = Governed::new();
    let id = governed.propose(1, delete);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert!(!outcome.spared(&governed.world.root));
    assert!(governed.open().is_empty());
}

#[test]
fn a_message_with_something_after_its_end_is_refused() {
    let mut governed = Governed::new();
    let id = governed.decide(add);
    let query_id = governed.query_id;
    let (signer_index, proposal_id) = (0, id);
    let messages = [
        (
            &SIGNERS[0],
            body(&governed.proposal_of(0, body(&add(query(64))), 30 * DAY)),
        ),
        (&SIGNERS[2], body(&governed.approval_of(2, id))),
        (
            &SIGNERS[0],
            body(&WithdrawApprovalFromSigner {
                query_id,
                signer_index,
                proposal_id,
            }),
        ),
        (
            &SIGNERS[0],
            body(&CancelFromProposer {
                query_id,
                signer_index,
                proposal_id,
            }),
        ),
        (&ANYONE, body(&governed.execution_of(id))),
    ];
    for (from, message) in messages {
        governed.refused(from, corrupted(&message), ExitCode::MessageFormat);
    }
    governed.world.chain.advance(40 * DAY).unwrap();
    let purge = AskToPurgeProposal { query_id, proposal_id };
    governed.refused(&ANYONE, corrupted(&body(&purge)), ExitCode::MessageFormat);
}

#[test]
fn notes_transfers_and_strangers_excesses_are_accepted_and_other_messages_are_not() {
    let mut governed = Governed::new();
    governed.propose(0, add);
    let before = governed.world.data(&governed.governor);
    let query_id = query(32);
    let note = body(&DoNotProcess {
        query_id,
        note: Cell::empty_cell(),
    });
    for message in [note, body(&ReturnExcessesBack { query_id }), Cell::empty_cell()] {
        let governor = governed.governor.clone();
        let held = governed.world.balance(&governor);
        let outcome = governed.world.send_cell(&ANYONE, &governor, ton("0.1"), message);
        outcome.assert_success();
        let expected = held
            .checked_add(ton("0.1"))
            .unwrap()
            .checked_sub(outcome.cost())
            .unwrap();
        assert_eq!(governed.world.balance(&governor), expected);
        assert_eq!(governed.world.data(&governor), before);
    }
    governed.refused(&ANYONE, body(&0xdead_beef_u32), ExitCode::UnknownOp);
    let bare = body(&ChangeOwnerFromOwner {
        query_id,
        new_owner: ANYONE,
    });
    governed.refused(&SIGNERS[0], bare, ExitCode::UnknownOp);
}
