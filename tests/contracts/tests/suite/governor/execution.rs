//! The exact body reaches the root contract, once, and what is left comes back.

use cocoon_bindings::Nanoton;
use cocoon_bindings::governor::{AskToPurgeProposal, CancelFromCouncil, CancelFromProposer, Execution, ProposalState};
use cocoon_bindings::root::{
    ChangeOwnerFromOwner, DeleteWorkerHashFromOwner, GetCocoonData, ResetFromOwner, UpgradeCodeFromOwner,
};
use cocoon_bindings::ton::{Address, Cell, CellFamily, from_cell};
use cocoon_bindings::types::ExitCode;
use cocoon_contract_tests::{
    ANYONE, ATTACHED, COUNCIL, CRITICAL_DELAY, DAY, Governed, OWNER, SIGNERS, body, query, ton,
};
use cocoon_emulator::NetworkConfig;

use super::{HASH, add, assert_returned, bad_prices, delete, is_valid};

#[test]
fn two_of_three_add_an_image_after_the_delay_and_one_revokes_it_at_once() {
    let mut governed = Governed::new();
    let (governor, root) = (governed.governor.clone(), governed.world.root.clone());
    let id = governed.decide(add);
    let held = (governed.world.balance(&governor), governed.world.balance(&root));
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert!(is_valid(&governed));
    let sent = &outcome.at(&root).in_msg.as_ref().unwrap().body;
    assert_eq!(*sent, body(&add(query(id))), "the exact body");
    assert_returned(&governed, &outcome);
    let fees = |address: &Address| outcome.storage_fees(address);
    assert_eq!(
        governed.world.balance(&governor),
        held.0.checked_sub(fees(&governor)).unwrap()
    );
    assert_eq!(governed.world.balance(&root), held.1.checked_sub(fees(&root)).unwrap());
    assert!(governed.open().is_empty());

    let id = governed.propose(2, |query_id| DeleteWorkerHashFromOwner { query_id, hash: HASH });
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert!(!is_valid(&governed));
    assert_returned(&governed, &outcome);
}

#[test]
fn what_is_not_approved_is_not_executed() {
    let mut governed = Governed::new();
    let id = governed.propose(0, add);
    governed.world.chain.advance(10 * DAY).unwrap();
    governed.pay_storage();
    let execute = body(&governed.execution_of(id));
    governed.refused(&SIGNERS[0], execute, ExitCode::NotApproved);
    let mut unknown = governed.execution_of(id);
    unknown.proposal_id = 77;
    governed.refused(&ANYONE, body(&unknown), ExitCode::UnknownProposal);
    assert!(!is_valid(&governed));
}

#[test]
fn what_the_root_contract_refuses_may_be_executed_again() {
    let mut governed = Governed::new();
    let (governor, root) = (governed.governor.clone(), governed.world.root.clone());
    let id = governed.decide(bad_prices);
    governed.execute(id);
    for _ in 0..2 {
        let held = (governed.world.balance(&governor), governed.world.balance(&root));
        let outcome = governed.execute(id);
        outcome.assert_refused(&root, ExitCode::MessageFormat);
        assert_returned(&governed, &outcome);
        assert_eq!(held, (governed.world.balance(&governor), governed.world.balance(&root)));
        assert_eq!(governed.state_of(id), ProposalState::Ready);
    }
    // A root contract that changed its mind, here its owner, makes it possible.
    assert_eq!(governed.world.get(&root, &GetCocoonData).owner, governor);
}

#[test]
fn an_execution_under_way_cannot_be_repeated_cancelled_or_purged() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(add);
    let now = governed.world.chain.now();
    let execute = body(&governed.execution_of(id));
    let first = governed
        .world
        .start(&ANYONE, &governor, ton(ATTACHED), execute.clone(), None);
    assert!(first.success());
    let proposal = governed.proposal(id);
    assert_eq!(proposal.state, ProposalState::UnderWay);
    let execution: Execution = from_cell(&proposal.execution.unwrap()).unwrap();
    assert_eq!(
        (execution.executor, execution.query_id, execution.started_at),
        (ANYONE, governed.query_id, now)
    );
    let query_id = governed.query_id;
    let (signer_index, member_index, proposal_id) = (0, 0, id);
    let messages = [
        (ANYONE, execute),
        (
            SIGNERS[0].clone(),
            body(&CancelFromProposer {
                query_id,
                signer_index,
                proposal_id,
            }),
        ),
        (
            COUNCIL[0].clone(),
            body(&CancelFromCouncil {
                query_id,
                member_index,
                proposal_id,
            }),
        ),
        (SIGNERS[2].clone(), body(&governed.approval_of(2, id))),
    ];
    for (from, message) in messages {
        let report = governed.world.start(&from, &governor, ton(ATTACHED), message, None);
        assert_eq!(report.exit_code(), Some(ExitCode::ExecutionUnderWay.code()));
        assert!(report.bounced);
    }
    let purge = body(&AskToPurgeProposal { query_id, proposal_id });
    let report = governed.world.start(&ANYONE, &governor, ton(ATTACHED), purge, None);
    assert_eq!(report.exit_code(), Some(ExitCode::ProposalOpen.code()));
    governed.world.finish(first);
    assert!(is_valid(&governed));
    assert!(governed.open().is_empty());
}

#[test]
fn two_executions_under_way_are_told_apart() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let (one, two) = (governed.propose(0, add), governed.propose(1, bad_prices));
    governed.approve(1, one);
    governed.approve(0, two);
    governed.world.chain.advance(CRITICAL_DELAY).unwrap();
    let messages = [one, two].map(|id| body(&governed.execution_of(id)));
    let [first, second] = messages;
    let first = governed.world.start(&ANYONE, &governor, ton("0.5"), first, None);
    let second = governed.world.start(&OWNER, &governor, ton("0.8"), second, None);
    assert!(first.success() && second.success());
    let outcome = governed.world.finish(first);
    assert!(outcome.received(&ANYONE) > ton("0.45") && outcome.received(&ANYONE) < ton("0.5"));
    assert!(outcome.received(&OWNER) > ton("0.75") && outcome.received(&OWNER) < ton("0.8"));
    assert_eq!(governed.open().into_keys().collect::<Vec<_>>(), [two]);
    assert_eq!(governed.state_of(two), ProposalState::Ready);
}

#[test]
fn an_execution_that_brings_too_little_is_refused() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(add);
    governed.pay_storage();
    let execute = body(&governed.execution_of(id));
    governed
        .world
        .refused(&ANYONE, &governor, "0.3", execute, ExitCode::LowMessageValue);
    // So little that the code does not even finish.
    for value in ["0.000001", "0.0005", "0.003", "0.02"] {
        let execute = body(&governed.execution_of(id));
        let report = governed.world.start(&ANYONE, &governor, ton(value), execute, None);
        assert!(!report.success());
        governed.world.finish(report);
        assert_eq!(governed.state_of(id), ProposalState::Ready, "{value}");
    }
    governed.execute(id).assert_success();
}

/// Every value that an execution may bring leads to an answer, whatever the root contract makes of it.
#[test]
fn the_least_value_brings_a_large_upgrade_there_and_a_refusal_back() {
    let mut governed = Governed::new();
    let (governor, root) = (governed.governor.clone(), governed.world.root.clone());
    let mut large = Cell::empty_cell();
    for number in 0..1000u32 {
        let mut builder = cocoon_bindings::ton::CellBuilder::new();
        builder.store_raw(&[number.to_le_bytes()[0]; 120], 960).unwrap();
        builder.store_u32(number).unwrap();
        if number % 500 != 0 {
            builder.store_reference(large).unwrap();
        }
        large = builder.build().unwrap();
    }
    let code = large;
    // With something after its end, so that the root contract reads all of it and refuses.
    let id = governed.next_id(0);
    let upgrade = body(&UpgradeCodeFromOwner {
        query_id: query(id),
        code,
    });
    let wrong = cocoon_contract_tests::corrupted(&upgrade);
    let message = governed.proposal_of(0, wrong, 90 * DAY);
    governed
        .world
        .send(&SIGNERS[0], &governor, ton("3"), &message)
        .assert_success();
    governed.approve(1, id);
    governed.world.chain.advance(CRITICAL_DELAY).unwrap();
    let execute = governed.execution_of(id);
    let mut least = None;
    for milli in (300..1500).step_by(10) {
        let snapshot = governed.world.chain.snapshot();
        let value = Nanoton::new(milli * 1_000_000);
        let outcome = governed.world.send(&ANYONE, &governor, value, &execute);
        if outcome.at(&governor).success() {
            outcome.assert_refused(&root, ExitCode::MessageFormat);
            assert_eq!(governed.state_of(id), ProposalState::Ready, "the answer came");
            assert_eq!(outcome.received(&ANYONE), value.checked_sub(outcome.cost()).unwrap());
            least = Some(milli);
            break;
        }
        assert_eq!(outcome.exit(&governor), ExitCode::LowMessageValue.code());
        governed.world.chain.restore(&snapshot).unwrap();
    }
    assert!(least.is_some());
}

#[test]
fn ownership_is_given_away_by_the_same_route() {
    let mut governed = Governed::new();
    let root = governed.world.root.clone();
    let id = governed.decide(|query_id| ChangeOwnerFromOwner {
        query_id,
        new_owner: OWNER,
    });
    governed.execute(id).assert_success();
    assert_eq!(governed.world.get(&root, &GetCocoonData).owner, OWNER);
    // The governor is not heard any more; its proposals come back.
    let id = governed.decide(|query_id| ResetFromOwner { query_id });
    let outcome = governed.execute(id);
    outcome.assert_refused(&root, ExitCode::ExpectedMessageFromOwner);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    assert_returned(&governed, &outcome);
}

#[test]
fn the_same_under_cheaper_fees() {
    let mut governed = Governed::on(&NetworkConfig::spring_2026());
    let id = governed.decide(add);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert_returned(&governed, &outcome);
    assert!(is_valid(&governed));
    let id = governed.propose(1, delete);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert_returned(&governed, &outcome);
    assert!(!is_valid(&governed));
}
