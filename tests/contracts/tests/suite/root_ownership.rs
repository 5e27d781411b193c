//! The root contract changes hands: at once, or by an offer that the new owner accepts.

use cocoon_bindings::root::{
    AcceptOwnership, ChangeOwnerFromOwner, GetCocoonData, GetOwnershipOffer, OfferOwnershipFromOwner, OwnershipOffer,
    ResetFromOwner, RootTail,
};
use cocoon_bindings::ton::{Address, Cell, CellFamily, from_cell};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::{QueryId, RootData, root_state_init};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, OWNER, START, World, body, query, ton};

use crate::root::{change, storage};

const QUERY: QueryId = query(42);
const UNTIL: u32 = START + 1000;

fn offer(to: &Address, until: u32) -> OfferOwnershipFromOwner {
    OfferOwnershipFromOwner {
        query_id: QUERY,
        new_owner: to.clone(),
        until,
    }
}

fn accept() -> Cell {
    body(&AcceptOwnership { query_id: QUERY })
}

/// Who may accept, and until when.
fn offered(world: &World) -> (Address, u32) {
    let waiting = world.get(&world.root, &GetOwnershipOffer);
    (waiting.new_owner, waiting.until)
}

#[test]
fn the_initial_data_are_those_of_the_deployed_contract() {
    let world = World::new();
    let init = root_state_init(&OWNER, 0, &RootData::default(), &world.params).unwrap();
    assert_eq!(world.data(&world.root), init.data);
    assert_eq!((init.data.bit_len(), init.data.reference_count()), (267 + 32, 2));
    assert_eq!(storage(&world).tail, Cell::empty_cell());
    assert_eq!(offered(&world), (OWNER, 0));
}

#[test]
fn an_offer_changes_nothing_until_it_is_accepted() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, UNTIL));
    assert_eq!(world.get(&root, &GetCocoonData).owner, OWNER);
    assert_eq!(offered(&world), (ANYONE, UNTIL));
    let tail = storage(&world).tail.reference_cloned(0).unwrap();
    let expected = OwnershipOffer {
        new_owner: ANYONE,
        until: UNTIL,
    };
    assert_eq!(from_cell::<RootTail>(&tail).unwrap().offer, Some(expected));
    let (version, held) = (storage(&world).version, world.balance(&root));
    let outcome = world.send_cell(&ANYONE, &root, ton("0.1"), accept());
    outcome.assert_success();
    assert_eq!(
        outcome.received(&ANYONE),
        ton("0.1").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.balance(&root), held);
    let after = storage(&world);
    assert_eq!((after.owner, after.version), (ANYONE, version + 1));
    assert_eq!(after.tail, Cell::empty_cell(), "the deployed layout is back");
    let reset = body(&ResetFromOwner { query_id: QUERY });
    world.refused(&OWNER, &root, "0.1", reset.clone(), ExitCode::ExpectedMessageFromOwner);
    world.send_cell(&ANYONE, &root, ton("0.1"), reset).assert_success();
}

#[test]
fn only_the_one_to_whom_it_is_offered_takes_over() {
    let mut world = World::new();
    let root = world.root.clone();
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
    world.refused(&OWNER, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
    change(&mut world, &offer(&ANYONE, UNTIL));
    for other in [CLIENT_OWNER, OWNER] {
        world.refused(&other, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
    }
    world.send_cell(&ANYONE, &root, ton("0.1"), accept()).assert_success();
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
}

#[test]
fn an_offer_is_good_until_its_last_second() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, UNTIL));
    let before = world.chain.snapshot();
    world.chain.advance(UNTIL - world.chain.now()).unwrap();
    world.send_cell(&ANYONE, &root, ton("0.1"), accept()).assert_success();
    world.chain.restore(&before).unwrap();
    world.chain.advance(UNTIL + 1 - world.chain.now()).unwrap();
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
    // The one that has expired can be replaced, but not by one that has expired already.
    let late = body(&offer(&ANYONE, UNTIL));
    world.refused(&OWNER, &root, "0.1", late, ExitCode::NotOfferedOwner);
    change(&mut world, &offer(&ANYONE, UNTIL + 1000));
    world.send_cell(&ANYONE, &root, ton("0.1"), accept()).assert_success();
}

#[test]
fn a_later_offer_replaces_an_earlier_one() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, UNTIL));
    change(&mut world, &offer(&CLIENT_OWNER, UNTIL));
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
    world
        .send_cell(&CLIENT_OWNER, &root, ton("0.1"), accept())
        .assert_success();
    assert_eq!(world.get(&root, &GetCocoonData).owner, CLIENT_OWNER);
}

#[test]
fn an_offer_until_zero_withdraws_the_one_that_waits() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, 0));
    change(&mut world, &offer(&ANYONE, UNTIL));
    change(&mut world, &offer(&ANYONE, 0));
    assert_eq!(offered(&world), (OWNER, 0));
    assert_eq!(storage(&world).tail, Cell::empty_cell());
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
}

#[test]
fn handing_over_at_once_voids_the_offer() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, UNTIL));
    let now = ChangeOwnerFromOwner {
        query_id: QUERY,
        new_owner: CLIENT_OWNER,
    };
    change(&mut world, &now);
    assert_eq!(offered(&world), (CLIENT_OWNER, 0));
    world.refused(&ANYONE, &root, "0.1", accept(), ExitCode::NotOfferedOwner);
}

#[test]
fn other_messages_leave_the_offer_alone() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &offer(&ANYONE, UNTIL));
    change(&mut world, &ResetFromOwner { query_id: QUERY });
    assert_eq!(offered(&world), (ANYONE, UNTIL));
    world.refused(
        &ANYONE,
        &root,
        "0.1",
        cocoon_contract_tests::corrupted(&accept()),
        ExitCode::MessageFormat,
    );
}
