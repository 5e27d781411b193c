//! Contracts frozen for their debt: what still reaches them, how they come back, and the end of an account.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::root::ResetFromOwner;
use cocoon_bindings::ton::{Address, Cell, CellFamily};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{Nanoton, StateInit};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, FEE, OWNER, PRICE, WORKER_OWNER, World, tokens, ton};
use cocoon_emulator::{AccountStatus, AccountView, Compute, SkipReason};

const COUNT: u64 = 10_000_000;

/// A client with 5 TON, of which some tokens are charged, and a worker that some tokens are paid to.
fn world() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::ClientCharge, COUNT).assert_success();
    world.submit(VoucherOp::WorkerPayout, COUNT).assert_success();
    change_root(&mut world);
    world
}

/// Any change that the root contract's owner makes.
fn change_root(world: &mut World) {
    let (query_id, root) = (world.next_query(), world.root.clone());
    world
        .send(&OWNER, &root, ton("0.5"), &ResetFromOwner { query_id })
        .assert_success();
}

fn account(world: &World, address: &Address) -> AccountView {
    world.chain.account(address).unwrap().unwrap()
}

/// Lets time pass until an account without coins owes about so much, at the prices of October 2025.
fn owe(world: &mut World, address: &Address, debt: &str) {
    world.chain.set_balance(address, Nanoton::ZERO).unwrap();
    let rate = {
        let account = account(world, address);
        u128::from(account.cells * 500 + account.bits)
    };
    let seconds = u32::try_from(ton(debt).get() * 65_536 / rate).unwrap();
    // The others are not what is looked at.
    for other in [
        world.root.clone(),
        world.proxy.clone(),
        world.client.clone(),
        world.worker.clone(),
    ] {
        if other != *address && world.chain.account(&other).unwrap().is_some() {
            let plenty = world.balance(&other).checked_add(ton("40")).unwrap();
            world.chain.set_balance(&other, plenty).unwrap();
        }
    }
    world.chain.advance(seconds).unwrap();
}

/// A plain transfer, which nobody sends back.
fn transfer(world: &mut World, to: &Address, value: &str, state_init: Option<StateInit>, bounce: bool) {
    let message = InternalMessage {
        to: to.clone(),
        value: ton(value),
        bounce,
        body: Cell::empty_cell(),
        state_init,
    };
    let report = world.chain.send_internal(&ANYONE, &message).unwrap();
    world.finish(report);
}

fn all(world: &World) -> [Address; 4] {
    [
        world.root.clone(),
        world.proxy.clone(),
        world.client.clone(),
        world.worker.clone(),
    ]
}

#[test]
fn a_frozen_contract_comes_back_with_its_state_and_works() {
    for index in 0..4 {
        let mut world = world();
        let address = all(&world)[index].clone();
        let state = account(&world, &address).state_init().unwrap();
        owe(&mut world, &address, "0.3");
        // The message that finds it in debt freezes it and goes back.
        let outcome = world.send_cell(&EXCESSES, &address, ton("1"), Cell::empty_cell());
        assert_eq!(outcome.at(&address).compute, Compute::Skipped(SkipReason::NoState));
        assert!(outcome.at(&address).bounced);
        assert_eq!(account(&world, &address).status, AccountStatus::Frozen);
        assert_eq!(
            outcome.received(&EXCESSES),
            ton("1").checked_sub(outcome.cost()).unwrap()
        );

        // Coins alone pay the debt, and what is more stays there until it comes back.
        let due = account(&world, &address).due;
        transfer(&mut world, &address, "0.5", None, false);
        let frozen = account(&world, &address);
        assert_eq!((frozen.status, frozen.due), (AccountStatus::Frozen, Nanoton::ZERO));
        assert_eq!(Some(frozen.balance), ton("0.5").checked_sub(due));

        // Another state does not wake it, its own does, and everything is as it was.
        let first = match index {
            1 => world.proxy_init.clone(),
            2 => world.client_init.clone(),
            _ => world.worker_init.clone(),
        };
        if first != state {
            transfer(&mut world, &address, "1", Some(first), true);
            assert_eq!(account(&world, &address).status, AccountStatus::Frozen);
        }
        transfer(&mut world, &address, "1", Some(state.clone()), true);
        let woken = account(&world, &address);
        assert_eq!((woken.status, woken.due), (AccountStatus::Active, Nanoton::ZERO));
        assert_eq!(woken.state_init(), Some(state));
        works(&mut world);
    }
}

/// Everybody does something, with exact amounts.
fn works(world: &mut World) {
    let plenty = ton("50");
    world.chain.set_balance(&world.proxy.clone(), plenty).unwrap();
    let price = |count: u64| Nanoton::new(PRICE * u128::from(count));
    assert_eq!(Some(world.client_data().balance), ton("5").checked_sub(price(COUNT)));
    world.submit(VoucherOp::ClientCharge, 2 * COUNT).assert_success();
    assert_eq!(
        Some(world.client_data().balance),
        ton("5").checked_sub(price(2 * COUNT))
    );
    let outcome = world.submit(VoucherOp::WorkerPayout, 2 * COUNT);
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::new(FEE * u128::from(COUNT)));
    let outcome = world.submit(VoucherOp::ClientRefund, 2 * COUNT);
    assert_eq!(
        Some(outcome.received(&CLIENT_OWNER)),
        ton("5").checked_sub(price(2 * COUNT))
    );
    change_root(world);
}

/// The debt is not paid by a message that might go back: woken with too little, the contract is frozen again by the
/// next message, with its state intact.
#[test]
fn a_contract_that_is_woken_with_less_than_its_debt_is_frozen_again() {
    let mut world = world();
    let client = world.client.clone();
    let state = account(&world, &client).state_init().unwrap();
    owe(&mut world, &client, "0.5");
    transfer(&mut world, &client, "0.001", None, false);
    assert_eq!(account(&world, &client).status, AccountStatus::Frozen);
    transfer(&mut world, &client, "0.2", Some(state.clone()), true);
    let woken = account(&world, &client);
    assert_eq!(woken.status, AccountStatus::Active);
    assert!(woken.due > woken.balance);
    let outcome = world.submit(VoucherOp::ClientCharge, 2 * COUNT);
    assert_eq!(outcome.at(&client).compute, Compute::Skipped(SkipReason::NoState));
    assert_eq!(account(&world, &client).status, AccountStatus::Frozen);
    transfer(&mut world, &client, "1", Some(state), false);
    world.submit(VoucherOp::ClientCharge, 2 * COUNT).assert_success();
    assert_eq!(world.client_data().tokens_used, tokens(2 * COUNT));
}

/// A contract that has just sent a step holds its reserve, which exceeds the debt that freezes. So the bounce finds it
/// frozen only if it is under way for years.
#[test]
fn a_bounce_finds_its_contract_able_to_undo_the_step() {
    for op in [
        VoucherOp::ClientRefund,
        VoucherOp::WorkerPayout,
        VoucherOp::WorkerLastPayout,
    ] {
        let mut world = world();
        let (to, proxy) = match op {
            VoucherOp::ClientRefund => (world.client.clone(), world.proxy.clone()),
            _ => (world.worker.clone(), world.proxy.clone()),
        };
        // As deep in debt as a contract can be that still runs.
        owe(&mut world, &to, "0.0999");
        world.chain.remove_account(&proxy).unwrap();
        let voucher = world.voucher(op, 2 * COUNT);
        let (client, worker) = (world.client_data(), world.worker_data());
        let sent = world.start(&EXCESSES, &to, ton("0.7"), voucher, None);
        assert!(sent.success(), "{sent:?}");
        assert!(account(&world, &to).due > ton("0.09"));
        // The bounce is ten years under way.
        world.chain.step().unwrap();
        world.chain.advance(10 * 31_557_600).unwrap();
        world.chain.run().unwrap();
        assert_eq!(account(&world, &to).status, AccountStatus::Active);
        assert_eq!(world.worker_data(), worker);
        let after = world.client_data();
        let charged = if op == VoucherOp::ClientRefund {
            PRICE * u128::from(COUNT)
        } else {
            0
        };
        assert_eq!(Some(after.balance), client.balance.checked_sub(Nanoton::new(charged)));
        assert_eq!(after.state, Lifecycle::Normal);
    }
}

/// What would happen otherwise: the coins stay on the frozen account, its books are not corrected.
#[test]
fn a_bounce_to_a_frozen_contract_leaves_its_coins_there() {
    let mut world = world();
    let (client, proxy) = (world.client.clone(), world.proxy.clone());
    world.chain.remove_account(&proxy).unwrap();
    let balance = world.client_data().balance;
    let grant = world.voucher(VoucherOp::ClientRefund, COUNT);
    world.start(&EXCESSES, &client, ton("0.7"), grant, None);
    world.chain.step().unwrap();
    let state = account(&world, &client).state_init().unwrap();
    owe(&mut world, &client, "1.2");
    let reports = world.chain.run().unwrap();
    let bounce = reports.iter().find(|report| report.address == client).unwrap();
    assert_eq!((bounce.status_after, bounce.gas_used()), (AccountStatus::Frozen, 0));
    transfer(&mut world, &client, "2", Some(state), false);
    // The refund is off the client's books for good: it was never paid, and no message brings it back.
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
    assert_eq!(world.client_data().state, Lifecycle::Closed);
    assert!(balance > Nanoton::ZERO);
}

/// The end of an account: with a debt above 1 TON it is deleted by the second message. Deployed anew, it starts from
/// nothing, and a voucher from before holds again. A client contract gets there in more than thirty-five years without a
/// message, a worker contract in more than fifty.
#[test]
fn a_deleted_client_contract_would_be_charged_twice() {
    let mut world = world();
    let client = world.client.clone();
    let voucher = world.voucher(VoucherOp::ClientCharge, 2 * COUNT);
    world
        .send_cell(&EXCESSES, &client, ton("0.7"), voucher.clone())
        .assert_success();
    owe(&mut world, &client, "1.1");
    transfer(&mut world, &client, "0.001", None, true);
    assert_eq!(account(&world, &client).status, AccountStatus::Frozen);
    transfer(&mut world, &client, "0.001", None, true);
    assert_eq!(world.chain.account(&client).unwrap(), None);
    world.top_up("5").assert_success();
    assert_eq!(
        (world.client_data().balance, world.client_data().tokens_used),
        (ton("5"), tokens(0))
    );
    world
        .send_cell(&EXCESSES, &client, ton("0.7"), voucher)
        .assert_success();
    let charged = Nanoton::new(PRICE * u128::from(2 * COUNT));
    assert_eq!(Some(world.client_data().balance), ton("5").checked_sub(charged));
}

/// Anyone keeps a contract alive with a transfer, for a few hundredths of a TON a year.
#[test]
fn a_transfer_every_ten_years_keeps_a_contract_for_ever() {
    let mut world = world();
    let worker = world.worker.clone();
    world.chain.set_balance(&worker, ton("0.11")).unwrap();
    for _ in 0..7 {
        world.chain.advance(10 * 31_557_600).unwrap();
        transfer(&mut world, &worker, "0.3", None, false);
        assert_eq!(account(&world, &worker).status, AccountStatus::Active);
        assert_eq!(account(&world, &worker).due, Nanoton::ZERO);
    }
    assert_eq!(world.worker_data().tokens, tokens(COUNT));
}
