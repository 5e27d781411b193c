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
