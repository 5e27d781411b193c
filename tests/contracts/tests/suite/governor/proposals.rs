//! How proposals are made and seen, and what they need.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::governance;
use cocoon_bindings::governance::approvers;
use cocoon_bindings::governor::{
    CancelFromProposer, ChangeDelays, GetCouncil, GetSigners, LiftPause, ProposalClass, ProposalState, WithdrawSurplus,
};
use cocoon_bindings::root::{
    AcceptOwnership, AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, ChangeAllParamsFromOwner,
    ChangeCodesFromOwner, ChangeParamsFromOwner, ChangePricesFromOwner, DeleteModelHashFromOwner,
    DeleteProxyHashFromOwner, DeleteWorkerHashFromOwner, RegisterProxyFromOwner, ResetFromOwner,
    UnregisterProxyFromOwner, UpdateProxyFromOwner,
};
use cocoon_bindings::ton::{Cell, CellBuilder, CellFamily};
use cocoon_bindings::types::{ExitCode, ReturnExcessesBack};
use cocoon_contract_tests::{
    ANYONE, ATTACHED, CHANGE_DELAY, CRITICAL_DELAY, DAY, Governed, MAX_PAUSE, SIGNERS, World, body, default_governance,
    query, ton,
};

use super::{add, delete};
use crate::root_messages::every_message;

#[test]
fn the_get_methods_say_what_was_deployed() {
    let governed = Governed::new();
    let expected = default_governance();
    let state = governed.state();
    assert_eq!(state.root, governed.world.root);
    assert_eq!((state.threshold, state.revoke_threshold), (2, 1));
    assert_eq!(
        (state.change_delay, state.critical_delay),
        (CHANGE_DELAY, CRITICAL_DELAY)
    );
    assert_eq!((state.epoch, state.paused_until, state.pause_allowed_from), (0, 0, 0));
    let members = |dictionary| governance::members(dictionary).unwrap();
    assert_eq!(
        members(governed.world.get(&governed.governor, &GetSigners)),
        expected.signers
    );
    assert_eq!(
        members(governed.world.get(&governed.governor, &GetCouncil)),
        expected.council
    );
    assert!(governed.open().is_empty());
}

#[test]
fn every_signer_has_numbers_of_its_own() {
    let mut governed = Governed::new();
    assert_eq!([0, 1, 2].map(|signer| governed.next_id(signer)), [32, 33, 34]);
    let first = governed.propose(1, add);
    assert_eq!(first, 33);
    assert_eq!([0, 1, 2].map(|signer| governed.next_id(signer)), [32, 65, 34]);
    // A number is not given again when its proposal is gone.
    let cancel = CancelFromProposer {
        query_id: governed.query_id,
        signer_index: 1,
        proposal_id: first,
    };
    governed.send(&SIGNERS[1], &cancel).assert_success();
    assert_eq!(governed.next_id(1), 65);
    for wrong in [32, 33, 64, 66, 97] {
        let message = governed.proposal_of(1, body(&add(query(wrong))), 30 * DAY);
        governed.refused(&SIGNERS[1], body(&message), ExitCode::WrongProposalId);
    }
}

#[test]
fn a_proposal_is_seen_with_its_body_and_its_proposers_approval() {
    let mut governed = Governed::new();
    let now = governed.world.chain.now();
    let id = governed.propose(2, add);
    let proposal = governed.proposal(id);
    assert_eq!(proposal.proposer, 2);
    assert_eq!(
        (proposal.class, proposal.state),
        (ProposalClass::Change, ProposalState::Collecting)
    );
    assert_eq!(approvers(proposal.approvals).into_iter().collect::<Vec<_>>(), [2]);
    assert_eq!(
        (proposal.ready_at, proposal.expires_at, proposal.epoch),
        (0, now + 30 * DAY, 0)
    );
    assert_eq!(proposal.body, body(&add(query(id))));
    assert_eq!(proposal.execution, None);
    let open = governed.open();
    assert_eq!(open.len(), 1);
    assert_eq!(open[&id].body_hash, *proposal.body.repr_hash());
    assert_eq!(
        (open[&id].state, open[&id].approvals),
        (proposal.state, proposal.approvals)
    );
}

/// Ops of bodies about descriptors, which a governor knows by number.
const ADD_IMAGE: u32 = 0x2f31_927e;
const ADD_MODEL: u32 = 0x6a1b_4d35;
const DESCRIBE_HASH: u32 = 0x7050_b6ef;
const SCHEDULE_RETIREMENT: u32 = 0x3619_52b6;

/// What each kind of body needs. What the root contract learns later is critical until it is listed.
#[test]
fn the_class_of_a_proposal_follows_from_its_body() {
    use ProposalClass::{Change, CouncilChange, Critical, Release, Revoke};
    let mut governed = Governed::new();
    // What is not listed here is critical, whatever the root contract learns.
    let classes = BTreeMap::from([
        (DeleteWorkerHashFromOwner::OPCODE, Revoke),
        (DeleteProxyHashFromOwner::OPCODE, Revoke),
        (DeleteModelHashFromOwner::OPCODE, Revoke),
        (UnregisterProxyFromOwner::OPCODE, Revoke),
        (AddWorkerHashFromOwner::OPCODE, Change),
        (AddProxyHashFromOwner::OPCODE, Change),
        (AddModelHashFromOwner::OPCODE, Change),
        (RegisterProxyFromOwner::OPCODE, Change),
        (UpdateProxyFromOwner::OPCODE, Change),
        (ChangePricesFromOwner::OPCODE, Change),
        (ChangeParamsFromOwner::OPCODE, Change),
        (ChangeAllParamsFromOwner::OPCODE, Change),
        (ChangeCodesFromOwner::OPCODE, Change),
        (AcceptOwnership::OPCODE, Change),
        (ADD_IMAGE, Change),
        (ADD_MODEL, Change),
        (DESCRIBE_HASH, Change),
        (SCHEDULE_RETIREMENT, Change),
    ]);
    let op_of = |message: &Cell| message.as_ref().as_slice().unwrap().load_u32().unwrap();
    let class_of = |message: Cell| {
        let class = classes.get(&op_of(&message)).copied().unwrap_or(Critical);
        (message, class)
    };
    let accept = body(&AcceptOwnership { query_id: query(0) });
    let described = [ADD_IMAGE, ADD_MODEL, DESCRIBE_HASH, SCHEDULE_RETIREMENT].map(|op| body(&(op, 0u64)));
    let bodies = every_message(&governed.world).into_iter().chain([accept]);
    let known: Vec<_> = bodies.chain(described).map(class_of).collect();
    let tried: BTreeSet<u32> = known.iter().map(|(message, _)| op_of(message)).collect();
    assert!(classes.keys().all(|op| tried.contains(op)));
    let query_id = query(0);
    let own = [
        (body(&LiftPause { query_id }), Release),
        (
            body(&cocoon_bindings::governor::ChangeCouncil {
                query_id,
                council: None,
            }),
            CouncilChange,
        ),
        (
            body(&WithdrawSurplus {
                query_id,
                to: ANYONE,
                amount: ton("1"),
            }),
            Change,
        ),
        (
            body(&ChangeDelays {
                query_id,
                change_delay: DAY,
                critical_delay: DAY,
            }),
            Critical,
        ),
        (
            body(&cocoon_bindings::governor::ChangeSigners {
                query_id,
                threshold: 1,
                revoke_threshold: 1,
                signers: None,
            }),
            Critical,
        ),
        (body(&(0xdead_beef_u32, 0u64)), Critical),
    ];
    let snapshot = governed.world.chain.snapshot();
    for (message, class) in known.into_iter().chain(own) {
        let id = governed.next_id(0);
        let numbered = with_query_id(&message, id);
        let proposal = governed.proposal_of(0, numbered, 30 * DAY);
        governed.send(&SIGNERS[0], &proposal).assert_success();
        assert_eq!(governed.proposal(id).class, class, "{:?}", message);
        governed.world.chain.restore(&snapshot).unwrap();
    }
}

fn with_query_id(message: &Cell, id: u64) -> Cell {
    let mut slice = message.as_ref().as_slice().unwrap();
    let mut builder = CellBuilder::new();
    builder.store_u32(slice.load_u32().unwrap()).unwrap();
    slice.load_u64().unwrap();
    builder.store_u64(id).unwrap();
    builder.store_slice(slice).unwrap();
    builder.build().unwrap()
}

#[test]
fn a_lifetime_leaves_time_for_delay_and_pause_and_ends() {
    let mut governed = Governed::new();
    let id = governed.next_id(0);
    let critical = |id| body(&ResetFromOwner { query_id: query(id) });
    let least = CRITICAL_DELAY + MAX_PAUSE + DAY;
    let revoking = body(&delete(query(id)));
    for (body_of, lifetimes) in [
        (critical(id), [least - 1, 90 * DAY + 1]),
        (revoking.clone(), [0, 90 * DAY + 1]),
    ] {
        for lifetime in lifetimes {
            let message = governed.proposal_of(0, body_of.clone(), lifetime);
            governed.refused(&SIGNERS[0], body(&message), ExitCode::ProposalExpired);
        }
    }
    let snapshot = governed.world.chain.snapshot();
    for (body_of, lifetime) in [
        (critical(id), least),
        (critical(id), 90 * DAY),
        (revoking.clone(), 1),
        (revoking, 90 * DAY),
    ] {
        let message = governed.proposal_of(0, body_of, lifetime);
        governed.send(&SIGNERS[0], &message).assert_success();
        governed.world.chain.restore(&snapshot).unwrap();
    }
}

#[test]
fn a_body_without_a_query_id_or_with_too_many_cells_is_refused() {
    let mut governed = Governed::new();
    let short = body(&(0xdead_beef_u32, 0u32));
    let mut large = Cell::empty_cell();
    for number in 0..1024u32 {
        let mut builder = CellBuilder::new();
        builder.store_u32(number).unwrap();
        builder.store_reference(large).unwrap();
        large = builder.build().unwrap();
    }
    let mut upgrade = CellBuilder::new();
    upgrade.store_u32(0x11ae_fd51).unwrap();
    upgrade.store_u64(governed.next_id(0)).unwrap();
    upgrade.store_reference(large).unwrap();
    for wrong in [short, Cell::empty_cell(), upgrade.build().unwrap()] {
        let message = governed.proposal_of(0, wrong, 30 * DAY);
        governed.refused(&SIGNERS[0], body(&message), ExitCode::MessageFormat);
    }
}

#[test]
fn a_signer_fills_only_its_own_share() {
    let mut governed = Governed::new();
    for _ in 0..3 {
        governed.propose(0, add);
    }
    let message = governed.proposal_of(0, body(&add(query(governed.next_id(0)))), 30 * DAY);
    governed.refused(&SIGNERS[0], body(&message), ExitCode::TooManyProposals);
    // The others are not hindered, and one place becomes free with each proposal that is gone.
    let other = governed.propose(1, add);
    governed.approve(2, other);
    let cancel = CancelFromProposer {
        query_id: governed.query_id,
        signer_index: 0,
        proposal_id: 64,
    };
    governed.send(&SIGNERS[0], &cancel).assert_success();
    governed.propose(0, add);
    assert_eq!(governed.open().into_keys().collect::<Vec<_>>(), [32, 33, 96, 128]);
}

#[test]
fn every_message_returns_what_it_does_not_use() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let message = governed.proposal_of(0, body(&add(query(32))), 30 * DAY);
    let held = governed.world.balance(&governor);
    let outcome = governed.send(&SIGNERS[0], &message);
    // The rent of the proposal stays: its body of one cell, and what the contract adds to it.
    let bits = u128::from(message.body.bit_len()) + 1500;
    let rent = (bits + 4 * 500) * u128::from(30 * DAY);
    let rent = cocoon_bindings::Nanoton::new(rent.div_ceil(1 << 16));
    assert_eq!(governed.world.balance(&governor), held.checked_add(rent).unwrap());
    let expected = ton(ATTACHED)
        .checked_sub(rent)
        .unwrap()
        .checked_sub(outcome.cost())
        .unwrap();
    assert_eq!(outcome.received(&SIGNERS[0]), expected);
    let approval = governed.approval_of(1, 32);
    let held = governed.world.balance(&governor);
    let outcome = governed.send(&SIGNERS[1], &approval);
    assert_eq!(governed.world.balance(&governor), held);
    assert_eq!(
        outcome.received(&SIGNERS[1]),
        ton(ATTACHED).checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(
        outcome.at(&SIGNERS[1]).in_msg.as_ref().unwrap().body,
        body(&ReturnExcessesBack {
            query_id: governed.query_id
        })
    );
}

#[test]
fn a_proposal_that_does_not_pay_its_rent_is_refused() {
    let mut governed = Governed::new();
    let message = governed.proposal_of(0, body(&add(query(32))), 30 * DAY);
    let governor = governed.governor.clone();
    let world: &mut World = &mut governed.world;
    world.refused(&SIGNERS[0], &governor, "0.1", body(&message), ExitCode::LowMessageValue);
}
