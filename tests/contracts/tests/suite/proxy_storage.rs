//! A proxy contract that cannot pay for its storage: in debt, frozen, and paid for again. Nothing is lost meanwhile.

use cocoon_bindings::StateInit;
use cocoon_bindings::ton::{Address, Cell, CellFamily};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, OWNER, World, tokens, ton};

use crate::anchor::{anchor, checkpoint};

/// Seconds of a year.
const YEAR: u32 = 365 * 24 * 3600;

/// A proxy with a tail and 0.2 TON, and a client and a worker that have their own coins.
fn world() -> World {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    let message = anchor(&world, checkpoint(&world, 1, 1, 1, 1));
    world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
    world.deploy_client();
    world.deploy_worker();
    world
}

fn code(world: &World, address: &Address) -> Cell {
    world.chain.account(address).unwrap().unwrap().code.unwrap()
}

#[test]
fn a_debt_is_paid_out_of_the_next_message_and_the_contract_goes_on() {
    let mut world = world();
    let proxy = world.proxy.clone();
    // 0.2 TON last somewhat more than three years; the account freezes when it owes 0.1 TON.
    world.chain.advance(4 * YEAR + YEAR / 2).unwrap();
    let outcome = world.stake("1");
    outcome.assert_success();
    assert_eq!(world.proxy_data().stake, ton("1"));
    // What is owed is set apart, besides the stake, for the chain to take with the next message.
    let due = world.chain.account(&proxy).unwrap().unwrap().due;
    assert!(due > ton("0.05"));
    assert_eq!(world.balance(&proxy), ton("1").checked_add(due).unwrap());
    world.stake("1").assert_success();
    assert_eq!(world.balance(&proxy), ton("2"));
    world.stake("1").assert_success();
    assert_eq!(world.balance(&proxy), ton("3"));
}

#[test]
fn a_frozen_proxy_sends_everything_back_and_thaws_as_it_was() {
    let mut world = world();
    let proxy = world.proxy.clone();
    let (code, data) = (code(&world, &proxy), world.data(&proxy));
    let before = world.proxy_data();
    world.chain.advance(8 * YEAR).unwrap();
    world.send_cell(&ANYONE, &proxy, ton("0.01"), Cell::empty_cell());
    let frozen = world.chain.account(&proxy).unwrap().unwrap();
    assert!(!frozen.is_active());

    let outcome = world.top_up("5");
    assert!(!outcome.at(&proxy).success());
    assert_eq!(
        outcome.received(&CLIENT_OWNER),
        ton("5"),
        "the top up is the owner's again"
    );
    assert_eq!(world.client_data().balance, ton("0"));
    let outcome = world.submit(VoucherOp::WorkerPayout, 1_000_000);
    assert!(outcome.received(&EXCESSES) > ton("0.6"));
    assert_eq!(world.worker_data().tokens, tokens(0), "the tokens are unpaid");

    world
        .deploy(
            &OWNER,
            &proxy,
            ton("2"),
            Cell::empty_cell(),
            StateInit {
                code,
                data: data.clone(),
            },
        )
        .assert_success();
    assert_eq!(world.data(&proxy), data);
    assert_eq!(world.proxy_data(), before);
    assert_eq!(world.proxy_data().state, Lifecycle::Normal);
    world.top_up("5").assert_success();
    assert_eq!(world.client_data().balance, ton("5"));
    world.submit(VoucherOp::WorkerPayout, 1_000_000).assert_success();
}
