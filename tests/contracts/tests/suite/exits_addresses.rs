//! What is sent without a way back: to whom it may go, and that nothing is lost or set off by it.

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{CloseOp, SignedVoucher, VoucherOp};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, FEE, OWNER, WORKER_OWNER, World, tokens, ton};
use cocoon_emulator::{AccountStatus, NetworkConfig};

/// An address of a workchain that does not exist.
const NOWHERE: Address = Address::new(7, HashBytes([0x0a; 32]));
const MASTERCHAIN: Address = Address::new(-1, HashBytes([0x0b; 32]));
const COUNT: u64 = 1_000_000;

fn ready() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world
}

fn voucher_to(world: &mut World, op: VoucherOp, send_excesses_to: &Address) -> (Address, Cell) {
    let voucher = SignedVoucher::from_cell(&world.voucher(op, COUNT)).unwrap();
    let target = voucher.expected().clone();
    (target, voucher.with_excesses(send_excesses_to).to_cell().unwrap())
}

/// Whoever submits a signed message names himself for the excesses. With an address that cannot be sent to he must
/// not be able to spend a voucher that is somebody else's money.
#[test]
fn a_stranger_cannot_burn_a_voucher_by_naming_an_impossible_address() {
    for op in [
        VoucherOp::WorkerPayout,
        VoucherOp::WorkerLastPayout,
        VoucherOp::ClientRefund,
    ] {
        let mut world = ready();
        let (target, spoiled) = voucher_to(&mut world, op, &NOWHERE);
        world.send_cell(&ANYONE, &target, ton("0.7"), spoiled.clone());
        assert_eq!(world.worker_data().tokens, tokens(0));
        assert_eq!(world.worker_data().state, Lifecycle::Normal);
        let genuine = SignedVoucher::from_cell(&spoiled).unwrap().with_excesses(&EXCESSES);
        let outcome = world.send_cell(&EXCESSES, &target, ton("0.7"), genuine.to_cell().unwrap());
        outcome.assert_success();
        let (worker, client) = (outcome.received(&WORKER_OWNER), outcome.received(&CLIENT_OWNER));
        match op {
            VoucherOp::ClientRefund => assert_eq!(client, ton("4.98")),
            _ => assert_eq!(worker, Nanoton::new(FEE * u128::from(COUNT))),
        }
    }
}

/// Excesses in places where nobody waits for them: each of our contracts, itself, the masterchain, nobody.
#[test]
fn excesses_go_anywhere_and_set_nothing_off() {
    let places = |world: &World| {
        let (root, proxy, client, worker) = (
            world.root.clone(),
            world.proxy.clone(),
            world.client.clone(),
            world.worker.clone(),
        );
        vec![root, proxy, client, worker, MASTERCHAIN, ANYONE]
    };
    for op in [
        VoucherOp::ClientCharge,
        VoucherOp::ClientRefund,
        VoucherOp::WorkerPayout,
        VoucherOp::WorkerLastPayout,
    ] {
        for place in places(&ready()) {
            let (mut world, mut plain) = (ready(), ready());
            let held = world.balance(&place);
            let (target, voucher) = voucher_to(&mut world, op, &place);
            let outcome = world.send_cell(&EXCESSES, &target, ton("0.7"), voucher);
            let (_, voucher) = voucher_to(&mut plain, op, &EXCESSES);
            plain
                .send_cell(&EXCESSES, &target, ton("0.7"), voucher)
                .assert_success();
            // What the message does does not depend on where the excesses go.
            for contract in [&world.root, &world.proxy, &world.client, &world.worker] {
                assert_eq!(world.data(contract), plain.data(contract), "{op:?} to {place}");
            }
            let excesses = outcome.reports.last().unwrap();
            assert_eq!(
                excesses.address, place,
                "the excesses come last and nothing comes of them"
            );
            assert!(excesses.out_msgs.is_empty());
            let moved = plain.balance(&place).get().abs_diff(held.get());
            assert!(world.balance(&place).get() > held.get() - moved + 600_000_000);
        }
    }
}

#[test]
fn an_owner_who_does_not_exist_or_is_frozen_gets_its_coins_all_the_same() {
    let mut world = ready();
    assert_eq!(world.chain.account(&WORKER_OWNER).unwrap(), None);
    let paid = Nanoton::new(FEE * u128::from(COUNT));
    world.submit(VoucherOp::WorkerPayout, COUNT).assert_success();
    assert_eq!(world.balance(&WORKER_OWNER), paid);

    // The worker contract, long idle, is frozen and gets what is left of another message.
    let worker = world.worker.clone();
    world.chain.set_balance(&worker, Nanoton::new(1)).unwrap();
    world.chain.advance(1_000_000_000).unwrap();
    world.chain.fund(&worker, Nanoton::new(1)).unwrap();
    let account = |world: &World| world.chain.account(&worker).unwrap().unwrap();
    let due = account(&world).due;
    assert_eq!(account(&world).status, AccountStatus::Frozen, "{due}");
    world.chain.set_balance(&world.client.clone(), ton("1")).unwrap();
    let (client, charge) = voucher_to(&mut world, VoucherOp::ClientCharge, &worker);
    let outcome = world.send_cell(&EXCESSES, &client, ton("1.9"), charge);
    let sent = outcome.received(&worker);
    let made_up = outcome.storage_fees(&worker);
    assert!(made_up >= due, "{made_up} of {due}");
    assert_eq!(
        world.balance(&worker),
        sent.checked_sub(made_up).unwrap(),
        "the coins are there"
    );
    assert_eq!(account(&world).status, AccountStatus::Frozen);
}

/// A proxy that is closing pays a top up back. The coins cannot be asked for a second time.
#[test]
fn a_top_up_that_a_closing_proxy_returns_is_on_nobodys_books() {
    let mut world = World::on(&NetworkConfig::october_2025());
    world.stake("20").assert_success();
    world.deploy_client();
    let proxy = world.proxy.clone();
    let request = world.close(CloseOp::Request);
    world.send_cell(&EXCESSES, &proxy, ton("0.7"), request).assert_success();
    let held = world.balance(&proxy);
    let outcome = world.top_up("5");
    outcome.assert_refused(&proxy, ExitCode::Closed);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("5"));
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
    world
        .withdraw()
        .assert_refused(&world.client, ExitCode::LowContractBalance);
    assert_eq!(world.balance(&proxy), held);
    assert!(outcome.spared(&OWNER));
}
