//! The worker contract, message by message.

use cocoon_bindings::QueryId;
use cocoon_bindings::ton::{Cell, CellFamily, from_cell};
use cocoon_bindings::types::{DoNotProcess, ExitCode, Lifecycle, WorkerStep};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_contract_tests::{ANYONE, EXCESSES, WORKER_OWNER, World, body, corrupted, query, tokens, ton};

const QUERY: QueryId = query(44);

fn register() -> Cell {
    body(&RegisterWorkerFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    })
}

fn funded() -> World {
    let mut world = World::new();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world
}

#[test]
fn a_payout_splits_the_price_between_worker_and_proxy() {
    let mut world = funded();
    let outcome = world.submit(VoucherOp::WorkerPayout, 100_000_000);
    outcome.assert_success();
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    assert_eq!(world.proxy_data().balance, ton("0.1"));
    assert_eq!(world.worker_data().tokens, tokens(100_000_000));
}

#[test]
fn a_last_payout_without_new_tokens_pays_nothing_and_closes() {
    let mut world = funded();
    let outcome = world.submit(VoucherOp::WorkerLastPayout, 0);
    outcome.assert_success();
    assert!(outcome.spared(&WORKER_OWNER));
    assert_eq!(world.worker_data().state, Lifecycle::Closed);
    let worker = world.worker.clone();
    for op in [VoucherOp::WorkerPayout, VoucherOp::WorkerLastPayout] {
        let voucher = world.voucher(op, 10);
        world.refused(&EXCESSES, &worker, "0.7", voucher, ExitCode::Closed);
    }
    world.refused(&WORKER_OWNER, &worker, "0.7", register(), ExitCode::Closed);
}

#[test]
fn a_registration_is_a_notice_of_one_nanoton_from_the_owner() {
    let mut world = funded();
    let (worker, data) = (world.worker.clone(), world.data(&world.worker));
    world.refused(&ANYONE, &worker, "0.7", register(), ExitCode::ExpectedMessageFromOwner);
    world.refused(&WORKER_OWNER, &worker, "0.1", register(), ExitCode::LowMessageValue);
    world.refused(
        &WORKER_OWNER,
        &worker,
        "0.7",
        corrupted(&register()),
        ExitCode::MessageFormat,
    );
    let outcome = world.send_cell(&WORKER_OWNER, &worker, ton("0.7"), register());
    outcome.assert_success();
    assert_eq!(outcome.received(&world.proxy).get(), 1);
    let message = outcome.at(&world.proxy).in_msg.clone().unwrap();
    let step: WorkerStep = from_cell(&message.body).unwrap();
    assert_eq!((step.owner, step.tokens, step.payload), (WORKER_OWNER, tokens(0), None));
    assert_eq!(world.data(&worker), data);
}

#[test]
fn a_contract_that_is_short_of_its_own_reserve_needs_more() {
    let mut world = World::new();
    let (worker, init) = (world.worker.clone(), world.worker_init.clone());
    let outcome = world.deploy(&WORKER_OWNER, &worker, ton("0.11"), register(), init.clone());
    outcome.assert_refused(&worker, ExitCode::LowContractBalance);
    world
        .deploy(&WORKER_OWNER, &worker, ton("0.13"), register(), init)
        .assert_success();
    assert_eq!(world.balance(&worker), ton("0.11"));
}

#[test]
fn notes_and_plain_transfers_are_accepted_and_the_rest_is_not() {
    let mut world = funded();
    let (worker, data) = (world.worker.clone(), world.data(&world.worker));
    let note = body(&DoNotProcess {
        query_id: QUERY,
        note: Cell::empty_cell(),
    });
    world.send_cell(&ANYONE, &worker, ton("0.1"), note).assert_success();
    world
        .send_cell(&ANYONE, &worker, ton("0.1"), Cell::empty_cell())
        .assert_success();
    assert_eq!(world.data(&worker), data);
    world.refused(
        &WORKER_OWNER,
        &worker,
        "0.7",
        body(&0xdead_beef_u32),
        ExitCode::UnknownOp,
    );
}

#[test]
fn a_payout_that_bounces_after_the_last_one_opens_the_contract_for_what_is_unpaid() {
    let mut world = World::new();
    world.stake("1").assert_success();
    world.deploy_worker();
    let (worker, proxy) = (world.worker.clone(), world.proxy.clone());
    // More than the proxy has.
    let early = world.voucher(VoucherOp::WorkerPayout, 100_000_000);
    world.start(&EXCESSES, &worker, ton("0.7"), early, None);
    world.chain.step().unwrap();
    let last = world.voucher(VoucherOp::WorkerLastPayout, 100_001_000);
    let first = world.start(&EXCESSES, &worker, ton("0.7"), last.clone(), None);
    assert_eq!(world.worker_data().state, Lifecycle::Closed);
    let outcome = world.finish(first);
    outcome.assert_success();
    assert_eq!(outcome.received(&WORKER_OWNER).get(), 19 * 1000);
    let data = world.worker_data();
    assert_eq!((data.state, data.tokens), (Lifecycle::Normal, tokens(1000)));

    world.stake("5").assert_success();
    let outcome = world.send_cell(&EXCESSES, &worker, ton("0.7"), last.clone());
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    let data = world.worker_data();
    assert_eq!((data.state, data.tokens), (Lifecycle::Closed, tokens(100_001_000)));
    assert_eq!(world.proxy_data().balance.get(), 100_001_000);
    assert!(!outcome.spared(&proxy));
    world.refused(&EXCESSES, &worker, "0.7", last, ExitCode::Closed);
}

#[test]
fn what_a_worker_has_above_its_reserve_neither_goes_along_with_a_payout_nor_pays_for_it() {
    let mut world = funded();
    let worker = world.worker.clone();
    world
        .send_cell(&ANYONE, &worker, ton("0.5"), Cell::empty_cell())
        .assert_success();
    let held = world.balance(&worker);
    let outcome = world.submit(VoucherOp::WorkerPayout, 10);
    outcome.assert_success();
    assert_eq!(world.balance(&worker), held);
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );
}

#[test]
fn a_worker_below_its_reserve_is_lifted_to_it_by_a_payout() {
    let mut world = World::new();
    world.top_up("5").assert_success();
    let (worker, init) = (world.worker.clone(), world.worker_init.clone());
    let voucher = world.voucher(VoucherOp::WorkerPayout, 10);
    let outcome = world.deploy(&EXCESSES, &worker, ton("0.2"), voucher.clone(), init.clone());
    outcome.assert_refused(&worker, ExitCode::LowContractBalance);
    world
        .deploy(&EXCESSES, &worker, ton("0.22"), voucher, init)
        .assert_success();
    assert_eq!(world.balance(&worker), ton("0.11"));
    assert_eq!(world.worker_data().tokens, tokens(10));
}
