//! A governor takes the root contract over in two steps, and gives it away by its own route.

use cocoon_bindings::governor::{ProposalClass, ProposalState};
use cocoon_bindings::root::{
    AcceptOwnership, ChangeOwnerFromOwner, GetCocoonData, OfferOwnershipFromOwner, ResetFromOwner,
};
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::ExitCode;
use cocoon_contract_tests::{
    CHANGE_DELAY, CRITICAL_DELAY, DAY, Governed, OWNER, body, default_governance, person, query, ton,
};

use super::assert_returned;

fn owner(governed: &Governed) -> Address {
    governed.world.get(&governed.world.root, &GetCocoonData).owner
}

/// The first owner offers the root contract to the governor for a time.
fn offered(seconds: u32) -> Governed {
    let mut governed = Governed::not_yet_owner(&default_governance());
    let offer = OfferOwnershipFromOwner {
        query_id: query(1),
        new_owner: governed.governor.clone(),
        until: governed.world.chain.now() + seconds,
    };
    let root = governed.world.root.clone();
    governed.world.send(&OWNER, &root, ton("0.1"), &offer).assert_success();
    governed
}

#[test]
fn a_governor_accepts_what_the_first_owner_offers() {
    let mut governed = offered(DAY);
    let id = governed.propose(0, |query_id| AcceptOwnership { query_id });
    assert_eq!(governed.proposal(id).class, ProposalClass::Change);
    governed.approve(2, id);
    governed.world.chain.advance(CHANGE_DELAY).unwrap();
    assert_eq!(owner(&governed), OWNER);
    let outcome = governed.execute(id);
    outcome.assert_success();
    assert_returned(&governed, &outcome);
    assert_eq!(owner(&governed), governed.governor);
    // The first owner has no say any more; the governor has.
    let root = governed.world.root.clone();
    let reset = ResetFromOwner { query_id: query(1) };
    governed
        .world
        .send(&OWNER, &root, ton("0.1"), &reset)
        .assert_refused(&root, ExitCode::ExpectedMessageFromOwner);
    let id = governed.decide(|query_id| ResetFromOwner { query_id });
    governed.execute(id).assert_success();
}

#[test]
fn an_offer_that_has_ended_leaves_the_owner_and_the_proposal() {
    let mut governed = offered(CHANGE_DELAY);
    let id = governed.decide(|query_id| AcceptOwnership { query_id });
    let outcome = governed.execute(id);
    outcome.assert_refused(&governed.world.root, ExitCode::NotOfferedOwner);
    assert_returned(&governed, &outcome);
    assert_eq!(owner(&governed), OWNER);
    assert_eq!(governed.state_of(id), ProposalState::Ready);
    // A new offer makes the same proposal executable.
    let offer = OfferOwnershipFromOwner {
        query_id: query(2),
        new_owner: governed.governor.clone(),
        until: governed.world.chain.now() + DAY,
    };
    let root = governed.world.root.clone();
    governed.world.send(&OWNER, &root, ton("0.1"), &offer).assert_success();
    governed.execute(id).assert_success();
    assert_eq!(owner(&governed), governed.governor);
}

#[test]
fn a_governor_offers_the_root_contract_to_its_successor() {
    let mut governed = Governed::new();
    let root = governed.world.root.clone();
    let successor = person(0x51);
    let until = governed.world.chain.now() + 10 * DAY;
    let id = governed.propose(0, |query_id| OfferOwnershipFromOwner {
        query_id,
        new_owner: successor.clone(),
        until,
    });
    assert_eq!(governed.proposal(id).class, ProposalClass::Critical);
    governed.approve(1, id);
    let early = body(&governed.execution_of(id));
    governed.refused(&OWNER, early, ExitCode::Timelocked);
    governed.world.chain.advance(CRITICAL_DELAY).unwrap();
    governed.execute(id).assert_success();
    // Until the successor has shown that it can act, nothing changes.
    assert_eq!(owner(&governed), governed.governor);
    let accept = AcceptOwnership { query_id: query(7) };
    governed
        .world
        .send(&successor, &root, ton("0.1"), &accept)
        .assert_success();
    assert_eq!(owner(&governed), successor);
    let id = governed.decide(|query_id| ResetFromOwner { query_id });
    let outcome = governed.execute(id);
    outcome.assert_refused(&root, ExitCode::ExpectedMessageFromOwner);
    assert_returned(&governed, &outcome);
}

#[test]
fn one_step_is_enough_where_the_new_owner_is_known_to_act() {
    let mut governed = Governed::new();
    let id = governed.decide(|query_id| ChangeOwnerFromOwner {
        query_id,
        new_owner: OWNER,
    });
    assert_eq!(governed.proposal(id).class, ProposalClass::Critical);
    governed.execute(id).assert_success();
    assert_eq!(owner(&governed), OWNER);
}
