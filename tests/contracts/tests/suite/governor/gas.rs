//! Gas of the governor's messages.

use std::fmt::Write as _;

use cocoon_bindings::governance::member_dictionary;
use cocoon_bindings::governor::{
    AskToPurgeProposal, CancelFromCouncil, CancelFromProposer, ChangeSigners, GetOpenProposals, GovernorBody,
    LiftPause, PauseFromCouncil, ProposalClass, WithdrawApprovalFromSigner,
};
use cocoon_bindings::root::{ChangePricesFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::{GetMethod, Nanoton, QueryId};
use cocoon_contract_tests::{
    ANYONE, COUNCIL, CRITICAL_DELAY, DAY, Governed, HOUR, Outcome, SIGNERS, body, person, query,
};

use super::{HASH, add};

const QUERY: QueryId = query(99);

#[derive(Default)]
struct Table(String);

impl Table {
    fn add(&mut self, message: &str, governed: &Governed, outcome: &Outcome) {
        let governor = &governed.governor;
        assert!(outcome.at(governor).success(), "{message}");
        writeln!(self.0, "{message:<26} {:>6}", outcome.gas(governor)).unwrap();
        // The answer of the root contract.
        let answers = outcome
            .reports
            .iter()
            .filter(|report| report.address == *governor)
            .skip(1);
        for answer in answers {
            writeln!(self.0, "{:<26} {:>6}", format!("{message}: answer"), answer.gas_used()).unwrap();
        }
    }
}

#[test]
fn the_gas_of_the_governors_messages_is_as_reviewed() {
    let mut governed = Governed::new();
    let mut table = Table::default();
    // Two proposals are open already, as on a network in use.
    governed.propose(1, add);
    governed.propose(2, add);
    let id = governed.next_id(0);
    let propose = governed.proposal_of(0, body(&add(query(id))), 30 * DAY);
    let outcome = governed.send(&SIGNERS[0], &propose);
    table.add("propose", &governed, &outcome);
    let approve = governed.approval_of(1, id);
    let outcome = governed.send(&SIGNERS[1], &approve);
    table.add("approve", &governed, &outcome);
    let (signer_index, member_index, proposal_id, query_id) = (1, 0, id, QUERY);
    let message = WithdrawApprovalFromSigner {
        query_id,
        signer_index,
        proposal_id,
    };
    let outcome = governed.send(&SIGNERS[1], &message);
    table.add("take an approval back", &governed, &outcome);
    governed.approve(1, id);
    governed.world.chain.advance(CRITICAL_DELAY).unwrap();
    let outcome = governed.execute(id);
    table.add("execute by the root", &governed, &outcome);
    let bad = governed.decide(|query_id| ChangePricesFromOwner {
        query_id,
        price_per_token: Nanoton::new(1),
        worker_fee_per_token: Nanoton::new(2),
    });
    let outcome = governed.execute(bad);
    table.add("execute, refused", &governed, &outcome);
    let revoke = governed.propose(1, |query_id| DeleteWorkerHashFromOwner { query_id, hash: HASH });
    let outcome = governed.execute(revoke);
    table.add("revoke", &governed, &outcome);
    let message = CancelFromProposer {
        query_id,
        signer_index: 0,
        proposal_id: bad,
    };
    let outcome = governed.send(&SIGNERS[0], &message);
    table.add("cancel by the proposer", &governed, &outcome);
    let message = CancelFromCouncil {
        query_id,
        member_index,
        proposal_id: 33,
    };
    let outcome = governed.send(&COUNCIL[0], &message);
    table.add("cancel by the council", &governed, &outcome);
    let message = PauseFromCouncil {
        query_id,
        member_index,
        duration: HOUR,
    };
    let outcome = governed.send(&COUNCIL[0], &message);
    table.add("pause", &governed, &outcome);
    let lift = governed.decide(|query_id| LiftPause { query_id });
    let outcome = governed.execute(lift);
    table.add("execute by itself", &governed, &outcome);
    governed.world.chain.advance(31 * DAY).unwrap();
    let message = AskToPurgeProposal {
        query_id,
        proposal_id: 34,
    };
    let outcome = governed.send(&ANYONE, &message);
    table.add("purge", &governed, &outcome);
    insta::assert_snapshot!(table.0);
}

/// The largest governor: 32 signers, each with its share of proposals.
#[test]
fn a_full_governor_still_works_and_lists_everything() {
    let mut governed = Governed::new();
    let signers = (0..32).map(|index| (index, person(0x40 + index))).collect();
    let id = governed.decide(|query_id| {
        GovernorBody::ChangeSigners(ChangeSigners {
            query_id,
            threshold: 32,
            revoke_threshold: 32,
            signers: member_dictionary(&signers).unwrap(),
        })
    });
    let outcome = governed.execute(id);
    let change = outcome.assert_success().gas(&governed.governor);
    let mut last = 0;
    for _ in 0..3 {
        for (index, wallet) in &signers {
            let id = governed.next_id(*index);
            let revoke = DeleteWorkerHashFromOwner {
                query_id: query(id),
                hash: HASH,
            };
            let propose = governed.proposal_of(*index, body(&revoke), 90 * DAY);
            governed.send(wallet, &propose).assert_success();
            last = id;
        }
    }
    let list = governed
        .world
        .chain
        .get(&governed.governor, GetOpenProposals::ID, vec![])
        .unwrap();
    assert_eq!(governed.open().len(), 96);
    assert!(governed.open().values().all(|open| open.class == ProposalClass::Revoke));
    let mut approve = 0;
    for (index, wallet) in signers.iter().take(31) {
        let approval = governed.approval_of(*index, last);
        approve = governed
            .send(wallet, &approval)
            .assert_success()
            .gas(&governed.governor);
    }
    let execute = governed.execute(last).assert_success().gas(&governed.governor);
    let table = format!(
        "change of 32 signers {change:>6}\napprove              {approve:>6}\nexecute              {execute:>6}\n\
         list of 96 proposals {:>6}\n",
        list.gas_used
    );
    // A get method has a million.
    assert!(list.gas_used < 800_000, "{table}");
    insta::assert_snapshot!(table);
}
