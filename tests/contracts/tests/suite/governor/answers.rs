//! No answer, refusal, silence or debt loses a coin or a proposal.

use cocoon_bindings::governor::{AskToPurgeProposal, ProposalState};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::root::{DeleteWorkerHashFromOwner, UpgradeCodeFromOwner};
use cocoon_bindings::ton::{Cell, CellFamily};
use cocoon_bindings::types::{ExitCode, ReturnExcessesBack};
use cocoon_bindings::{ContractKind, Nanoton};
use cocoon_contract_tests::{
    ANYONE, ATTACHED, DAY, Governed, OWNER, SIGNERS, World, body, default_governance, query, ton,
};

use super::{HASH, add, assert_returned, bad_prices, is_valid};

#[test]
fn an_answer_that_does_not_come_leaves_a_proposal_that_can_be_purged() {
    let mut governed = Governed::new();
    // A root contract with a wallet's code takes everything and answers nothing.
    let id = governed.decide(|query_id| UpgradeCodeFromOwner {
        query_id,
        code: ContractKind::Wallet.code().unwrap(),
    });
    governed.execute(id).assert_success();
    let silent = governed.decide(|query_id| cocoon_bindings::types::PayoutNotificationForOwner { query_id });
    governed.execute(silent);
    assert_eq!(governed.state_of(silent), ProposalState::UnderWay);
    let purge = AskToPurgeProposal {
        query_id: governed.query_id,
        proposal_id: silent,
    };
    governed.refused(&ANYONE, body(&purge), ExitCode::ProposalOpen);
    let expires_at = governed.proposal(silent).expires_at;
    governed.world.chain.set_now(expires_at).unwrap();
    governed.pay_storage();
    governed.send(&ANYONE, &purge).assert_success();
    assert!(governed.open().is_empty());
}

#[test]
fn an_execution_close_to_the_expiry_is_purged_only_when_no_answer_can_come() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(add);
    let expires_at = governed.proposal(id).expires_at;
    governed.world.chain.set_now(expires_at - 1).unwrap();
    let execute = body(&governed.execution_of(id));
    let first = governed.world.start(&ANYONE, &governor, ton(ATTACHED), execute, None);
    assert!(first.success());
    governed.world.chain.advance(DAY - 1).unwrap();
    let purge = body(&AskToPurgeProposal {
        query_id: governed.query_id,
        proposal_id: id,
    });
    let report = governed.world.start(&OWNER, &governor, ton(ATTACHED), purge, None);
    assert_eq!(report.exit_code(), Some(ExitCode::ExecutionUnderWay.code()));
    let outcome = governed.world.finish(first);
    assert!(
        outcome.received(&ANYONE) > ton("0.45"),
        "the late answer still reaches the executor"
    );
    assert!(is_valid(&governed));
}

#[test]
fn an_answer_to_a_purged_execution_is_kept_and_changes_nothing() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(add);
    let expires_at = governed.proposal(id).expires_at;
    governed.world.chain.set_now(expires_at - 1).unwrap();
    let execute = body(&governed.execution_of(id));
    let first = governed.world.start(&ANYONE, &governor, ton(ATTACHED), execute, None);
    governed.world.chain.advance(DAY).unwrap();
    let purge = body(&AskToPurgeProposal {
        query_id: governed.query_id,
        proposal_id: id,
    });
    let report = governed.world.start(&OWNER, &governor, ton(ATTACHED), purge, None);
    assert!(report.success());
    let held = governed.world.balance(&governor);
    let outcome = governed.world.finish(first);
    assert!(outcome.spared(&ANYONE));
    assert!(governed.world.balance(&governor) > held.checked_add(ton("0.45")).unwrap());
    assert!(governed.open().is_empty());
}

#[test]
fn only_the_root_contract_answers() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    let id = governed.decide(add);
    let execute = body(&governed.execution_of(id));
    let first = governed.world.start(&ANYONE, &governor, ton(ATTACHED), execute, None);
    let forged = body(&ReturnExcessesBack { query_id: query(id) });
    for from in [&ANYONE, &SIGNERS[0], &OWNER] {
        let report = governed.world.start(from, &governor, ton("0.1"), forged.clone(), None);
        assert!(report.success() && report.out_msgs.is_empty());
        assert_eq!(governed.state_of(id), ProposalState::UnderWay);
    }
    governed.world.finish(first);
    // Another answer with the number of a proposal that is not under way changes nothing either.
    let id = governed.propose(0, add);
    let root = governed.world.root.clone();
    let before = governed.world.data(&governor);
    let forged = body(&ReturnExcessesBack { query_id: query(id) });
    let report = governed.world.start(&root, &governor, ton("0.1"), forged, None);
    assert!(report.success() && report.out_msgs.is_empty());
    assert_eq!(governed.world.data(&governor), before);
}

#[test]
fn a_root_contract_that_does_not_exist_sends_everything_back() {
    let mut world = World::new();
    let init = cocoon_bindings::governor_state_init(&SIGNERS[2], &default_governance()).unwrap();
    let governor = init.address().unwrap();
    world
        .deploy(&OWNER, &governor, ton("1"), Cell::empty_cell(), init)
        .assert_success();
    let mut governed = Governed {
        world,
        governor,
        query_id: query(3),
    };
    let id = governed.decide(add);
    governed.execute(id);
    let outcome = governed.execute(id);
    assert_returned(&governed, &outcome);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
}

/// Seconds after which storage has used up the balance and a little more, less than what freezes an account.
fn until_debt(governed: &Governed) -> u32 {
    let account = governed.world.chain.account(&governed.governor).unwrap().unwrap();
    let per_second = u128::from(account.cells) * 500 + u128::from(account.bits);
    let seconds = account.balance.checked_add(ton("0.01")).unwrap().get() * (1 << 16) / per_second;
    u32::try_from(seconds).unwrap()
}

#[test]
fn the_reserve_pays_for_storage_for_more_than_a_year() {
    let mut governed = Governed::new();
    let id = governed.propose(0, |query_id| DeleteWorkerHashFromOwner { query_id, hash: HASH });
    governed.execute(id).assert_success();
    let account = governed.world.chain.account(&governed.governor).unwrap().unwrap();
    let per_second = u128::from(account.cells) * 500 + u128::from(account.bits);
    let seconds = ton("0.1").get() * (1 << 16) / per_second;
    assert!(seconds > u128::from(365 * DAY), "{} days", seconds / u128::from(DAY));
}

#[test]
fn a_governor_in_debt_takes_proposals_again() {
    let mut governed = Governed::new();
    let governor = governed.governor.clone();
    governed.world.chain.advance(until_debt(&governed)).unwrap();
    let nothing = InternalMessage {
        to: governor.clone(),
        value: Nanoton::new(1),
        bounce: false,
        body: Cell::empty_cell(),
        state_init: None,
    };
    let report = governed.world.chain.send_internal(&OWNER, &nothing).unwrap();
    governed.world.finish(report);
    let account = governed.world.chain.account(&governor).unwrap().unwrap();
    assert_eq!(account.balance, Nanoton::ZERO);
    assert!(account.is_active() && account.due > ton("0.009"));
    // Whoever comes next pays the debt and the reserve.
    let id = governed.propose(1, |query_id| DeleteWorkerHashFromOwner { query_id, hash: HASH });
    let account = governed.world.chain.account(&governor).unwrap().unwrap();
    assert!(account.balance > ton("0.1"));
    // The root contract owes more than an execution brings: the value comes back and nothing is lost.
    let outcome = governed.execute(id);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    assert!(outcome.received(&ANYONE) > ton("0.45"));
    let root = governed.world.root.clone();
    governed.world.chain.fund(&root, ton("5")).unwrap();
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert_returned(&governed, &outcome);
    let account = governed.world.chain.account(&governor).unwrap().unwrap();
    assert!(account.balance > ton("0.09") && account.due == Nanoton::ZERO);
}

#[test]
fn an_answer_that_meets_a_governor_in_debt_still_counts_and_returns_the_rest() {
    for refused in [false, true] {
        let mut governed = Governed::new();
        let governor = governed.governor.clone();
        let id = if refused {
            governed.decide(bad_prices)
        } else {
            governed.decide(add)
        };
        governed.pay_storage();
        let held = governed.world.balance(&governor);
        let execute = body(&governed.execution_of(id));
        let first = governed.world.start(&ANYONE, &governor, ton(ATTACHED), execute, None);
        // The answer is on its way while years pass.
        assert!(governed.world.chain.step().unwrap().is_some());
        governed.world.chain.advance(until_debt(&governed)).unwrap();
        let outcome = governed.world.finish(first);
        let storage = outcome.storage_fees(&governor);
        assert!(storage > held);
        let returned = outcome.received(&ANYONE);
        assert!(returned > ton("0.4"), "{returned}");
        assert!(governed.world.balance(&governor) <= ton("0.01"));
        assert_eq!(governed.open().len(), usize::from(refused));
        if refused {
            assert_eq!(governed.state_of(id), ProposalState::Expired);
        }
    }
}
