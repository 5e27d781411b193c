//! The way out for an owner whose proxy key is lost: the stake, half a year after the close could be completed.

use cocoon_bindings::Nanoton;
use cocoon_bindings::proxy::{CloseProxyFromOwner, ReclaimStakeFromOwner};
use cocoon_bindings::ton::Cell;
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, OWNER, World, body, corrupted, query, ton};

/// Delay of the terms, then the owner's.
const UNLOCKED: u32 = 600 + 180 * 24 * 3600;

fn reclaim() -> Cell {
    body(&ReclaimStakeFromOwner {
        query_id: query(9),
        send_excesses_to: EXCESSES,
    })
}

/// A proxy with a stake and a client's coins that its owner closes.
fn closing() -> World {
    let mut world = World::new();
    world.stake("10").assert_success();
    world.top_up("5").assert_success();
    let close = CloseProxyFromOwner {
        query_id: query(1),
        send_excesses_to: OWNER,
    };
    let proxy = world.proxy.clone();
    world.send(&OWNER, &proxy, ton("0.2"), &close).assert_success();
    world
}

#[test]
fn the_owner_gets_the_stake_and_nothing_of_what_clients_paid_in() {
    let mut world = closing();
    let proxy = world.proxy.clone();
    world.chain.advance(UNLOCKED).unwrap();
    let held = world.balance(&proxy);
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    outcome.assert_success();
    assert_eq!(outcome.received(&OWNER), ton("10"));
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.2").checked_sub(outcome.cost()).unwrap()
    );
    let left = held.checked_sub(ton("10")).unwrap();
    let left = left.checked_sub(outcome.storage_fees(&proxy)).unwrap();
    assert_eq!(world.balance(&proxy), left);
    let data = world.proxy_data();
    assert_eq!((data.state, data.stake), (Lifecycle::Closing, Nanoton::ZERO));
    // The client's way to what exceeds its stake is as open as before.
    let outcome = world.withdraw();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
}

#[test]
fn a_second_reclaim_pays_nothing_until_somebody_adds_to_the_stake() {
    let mut world = closing();
    let proxy = world.proxy.clone();
    world.chain.advance(UNLOCKED).unwrap();
    world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim()).assert_success();
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    outcome.assert_success();
    assert!(outcome.spared(&OWNER));
    world.stake("1").assert_success();
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    assert_eq!(outcome.received(&OWNER), ton("1"));
}

#[test]
fn only_the_owner_and_only_after_the_whole_delay() {
    let mut world = closing();
    let proxy = world.proxy.clone();
    world.refused(&OWNER, &proxy, "0.2", reclaim(), ExitCode::NotUnlockedYet);
    let stranger = ExitCode::ExpectedMessageFromOwner;
    world.refused(&ANYONE, &proxy, "0.2", reclaim(), stranger);
    let unlocked = world.proxy_data().unlock_ts + 180 * 24 * 3600;
    world.chain.set_now(unlocked - 1).unwrap();
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    outcome.assert_refused(&proxy, ExitCode::NotUnlockedYet);
    world.chain.set_now(unlocked).unwrap();
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), corrupted(&reclaim()));
    outcome.assert_refused(&proxy, ExitCode::MessageFormat);
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), reclaim());
    outcome.assert_refused(&proxy, stranger);
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    assert_eq!(outcome.received(&OWNER), ton("10"));
}

#[test]
fn a_proxy_in_use_and_a_closed_one_give_nothing() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    world.stake("10").assert_success();
    world.chain.advance(UNLOCKED).unwrap();
    world.stake("1").assert_success();
    world.refused(&OWNER, &proxy, "0.2", reclaim(), ExitCode::NotUnlockedYet);
    let request = world.close(CloseOp::Request);
    world.send_cell(&EXCESSES, &proxy, ton("0.7"), request).assert_success();
    world.chain.advance(600).unwrap();
    let complete = world.close(CloseOp::Complete);
    world
        .send_cell(&EXCESSES, &proxy, ton("0.7"), complete)
        .assert_success();
    world.refused(&OWNER, &proxy, "0.2", reclaim(), ExitCode::Closed);
}

#[test]
fn a_stake_that_the_contract_does_not_have_stays_on_the_books_until_it_has() {
    let mut world = closing();
    let proxy = world.proxy.clone();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, 500_000_000).assert_success();
    world.chain.advance(UNLOCKED).unwrap();
    // Settles the storage fee, so that the refused message finds it paid.
    world.send_cell(&ANYONE, &proxy, ton("0.1"), Cell::default());
    assert!(world.balance(&proxy) < ton("10"));
    world.refused(&OWNER, &proxy, "0.2", reclaim(), ExitCode::LowContractBalance);
    world.chain.fund(&proxy, ton("5")).unwrap();
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), reclaim());
    assert_eq!(outcome.received(&OWNER), ton("10"));
}
