//! A worker that the proxy does not pay settles with a statement that the proxy signed.

use cocoon_bindings::ton::{Cell, CellBuilder};
use cocoon_bindings::types::{ExitCode, Lifecycle, WorkStatement};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{ANYONE, EXCESSES, FEE, START, WORKER_OWNER, World, corrupted, query, tokens, ton};
use ed25519_dalek::SigningKey;

use cocoon_contract_tests::receipts::{claim_by_statement, refused, settle, statement, worker_claim, worker_claims};

const QUERY: QueryId = query(60);
/// Tokens whose worker's part is 1.9 TON.
const WORK: u64 = 100_000_000;
/// Seconds before a claim may be settled.
const DELAY: u32 = 300;
const NOTHING: (u64, u32, u64) = (0, 0, 0);

fn ready() -> World {
    let mut world = World::new();
    world.top_up("15").assert_success();
    world.deploy_worker();
    world
}

fn signed(world: &World, statement: WorkStatement) -> Cell {
    claim_by_statement(QUERY, statement, &world.key)
}

#[test]
fn a_silent_proxy_pays_by_statement_after_the_delay() {
    let mut world = ready();
    let worker = world.worker.clone();
    let outcome = worker_claims(&mut world, WORK);
    outcome.assert_success();
    assert!(
        outcome.spared(&world.proxy),
        "a claim is between the owner and the contract"
    );
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(worker_claim(&world), (WORK, START, u64::from(START + DELAY)));
    assert_eq!(world.worker_data().tokens, tokens(0));

    world.chain.advance(DELAY - 1).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &worker,
        "0.7",
        settle(QUERY),
        ExitCode::NotUnlockedYet,
    );
    world.chain.advance(1).unwrap();
    let (held, kept) = (world.balance(&world.proxy), world.balance(&worker));
    let outcome = world.send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY));
    outcome.assert_success();
    let paid = Nanoton::new(FEE * u128::from(WORK));
    assert_eq!(outcome.received(&WORKER_OWNER), paid);
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.worker_data().tokens, tokens(WORK));
    assert_eq!(world.proxy_data().balance, Nanoton::new(u128::from(WORK)));
    let storage = outcome.storage_fees(&world.proxy);
    let expected = held.checked_sub(paid).unwrap().checked_sub(storage).unwrap();
    assert_eq!(world.balance(&world.proxy), expected);
    let storage = outcome.storage_fees(&worker);
    assert_eq!(world.balance(&worker), kept.checked_sub(storage).unwrap());
    // It is paid once.
    assert_eq!(worker_claim(&world), NOTHING);
    refused(&mut world, &ANYONE, &worker, "0.7", settle(QUERY), ExitCode::NoClaim);
    let again = signed(&world, statement(&world, WORK));
    refused(&mut world, &WORKER_OWNER, &worker, "0.7", again, ExitCode::OldMessage);
    let voucher = world.voucher(VoucherOp::WorkerPayout, WORK);
    refused(&mut world, &EXCESSES, &worker, "0.7", voucher, ExitCode::OldMessage);
}

#[test]
fn only_the_owner_claims_and_with_enough_value() {
    let mut world = ready();
    let worker = world.worker.clone();
    let claim = signed(&world, statement(&world, WORK));
    refused(
        &mut world,
        &ANYONE,
        &worker,
        "0.7",
        claim.clone(),
        ExitCode::ExpectedMessageFromOwner,
    );
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.1",
        claim.clone(),
        ExitCode::LowMessageValue,
    );
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        corrupted(&claim),
        ExitCode::MessageFormat,
    );
    worker_claims(&mut world, WORK).assert_success();
    world.chain.advance(DELAY).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &worker,
        "0.1",
        settle(QUERY),
        ExitCode::LowMessageValue,
    );
    refused(
        &mut world,
        &ANYONE,
        &worker,
        "0.7",
        corrupted(&settle(QUERY)),
        ExitCode::MessageFormat,
    );
}

#[test]
fn a_statement_of_another_key_kind_version_or_contract_is_refused() {
    let mut world = ready();
    let worker = world.worker.clone();
    let stranger = claim_by_statement(QUERY, statement(&world, WORK), &SigningKey::from_bytes(&[8; 32]));
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        stranger,
        ExitCode::BadSignature,
    );
    let version = signed(
        &world,
        WorkStatement {
            version: 2,
            ..statement(&world, WORK)
        },
    );
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        version,
        ExitCode::SignedMessageFormat,
    );
    let other_worker = {
        let mut other = statement(&world, WORK);
        other.parties.worker = ANYONE;
        signed(&world, other)
    };
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        other_worker,
        ExitCode::ReceiptMismatch,
    );
    let other_proxy = {
        let mut other = statement(&world, WORK);
        other.parties.proxy = ANYONE;
        signed(&world, other)
    };
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        other_proxy,
        ExitCode::ReceiptMismatch,
    );
    // A signature is for one kind of cell: that of a payout opens no claim.
    let payout = world.voucher(VoucherOp::WorkerPayout, WORK);
    let mut disguised = CellBuilder::new();
    disguised.store_u32(0xe2d4_ff52).unwrap();
    let mut rest = payout.as_ref().as_slice().unwrap();
    rest.skip_first(32, 0).unwrap();
    disguised.store_slice(rest).unwrap();
    let disguised = disguised.build().unwrap();
    refused(
        &mut world,
        &WORKER_OWNER,
        &worker,
        "0.7",
        disguised,
        ExitCode::SignedMessageFormat,
    );
    assert_eq!(worker_claim(&world), NOTHING);
}

#[test]
fn a_higher_claim_starts_the_delay_again_and_a_lower_one_is_refused() {
    let mut world = ready();
    let worker = world.worker.clone();
    worker_claims(&mut world, WORK).assert_success();
    world.chain.advance(200).unwrap();
    for lower in [WORK, WORK - 1, 0] {
        let claim = signed(&world, statement(&world, lower));
        refused(&mut world, &WORKER_OWNER, &worker, "0.7", claim, ExitCode::OldMessage);
    }
    worker_claims(&mut world, WORK + 1).assert_success();
    assert_eq!(
        worker_claim(&world),
        (WORK + 1, START + 200, u64::from(START + 200 + DELAY))
    );
    world.chain.advance(DELAY - 1).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &worker,
        "0.7",
        settle(QUERY),
        ExitCode::NotUnlockedYet,
    );
    world.chain.advance(1).unwrap();
    world
        .send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY))
        .assert_success();
    assert_eq!(world.worker_data().tokens, tokens(WORK + 1));
}

#[test]
fn a_claim_is_moot_once_the_proxy_pays_by_itself() {
    let mut world = ready();
    let worker = world.worker.clone();
    refused(&mut world, &ANYONE, &worker, "0.7", settle(QUERY), ExitCode::NoClaim);
    worker_claims(&mut world, WORK).assert_success();
    let outcome = world.submit(VoucherOp::WorkerPayout, WORK);
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    assert_eq!(worker_claim(&world), NOTHING);
    world.chain.advance(DELAY).unwrap();
    refused(&mut world, &ANYONE, &worker, "0.7", settle(QUERY), ExitCode::NoClaim);
    // Of a claim above what is paid meanwhile the rest is settled.
    worker_claims(&mut world, 3 * WORK).assert_success();
    world.submit(VoucherOp::WorkerPayout, 2 * WORK).assert_success();
    world.chain.advance(DELAY).unwrap();
    let outcome = world.send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY));
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    assert_eq!(world.worker_data().tokens, tokens(3 * WORK));
}

#[test]
fn a_last_payout_below_the_statement_does_not_cut_the_worker_off() {
    let mut world = ready();
    let worker = world.worker.clone();
    world.submit(VoucherOp::WorkerLastPayout, WORK).assert_success();
    assert_eq!(world.worker_data().state, Lifecycle::Closed);
    worker_claims(&mut world, 2 * WORK).assert_success();
    world.chain.advance(DELAY).unwrap();
    let outcome = world.send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY));
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    let data = world.worker_data();
    assert_eq!((data.state, data.tokens), (Lifecycle::Closed, tokens(2 * WORK)));
}

#[test]
fn a_settlement_that_the_proxy_cannot_cover_can_be_repeated() {
    let mut world = World::new();
    world.stake("1").assert_success();
    world.deploy_worker();
    let worker = world.worker.clone();
    worker_claims(&mut world, WORK).assert_success();
    world.chain.advance(DELAY).unwrap();
    let held = world.balance(&worker);
    let outcome = world.send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY));
    outcome.assert_refused(&world.proxy, ExitCode::LowContractBalance);
    let storage = outcome.storage_fees(&worker);
    assert_eq!(world.balance(&worker), held.checked_sub(storage).unwrap());
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.worker_data().tokens, tokens(0));
    assert_eq!(worker_claim(&world), (WORK, START, u64::from(START + DELAY)));
    world.stake("3").assert_success();
    let outcome = world.send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY));
    assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
    refused(&mut world, &ANYONE, &worker, "0.7", settle(QUERY), ExitCode::NoClaim);
}

#[test]
fn a_worker_that_is_short_of_its_reserve_is_lifted_to_it_by_the_claim() {
    let mut world = World::new();
    let (worker, init) = (world.worker.clone(), world.worker_init.clone());
    let claim = signed(&world, statement(&world, WORK));
    let outcome = world.deploy(&WORKER_OWNER, &worker, ton("0.11"), claim.clone(), init.clone());
    outcome.assert_refused(&worker, ExitCode::LowContractBalance);
    world
        .deploy(&WORKER_OWNER, &worker, ton("0.13"), claim, init)
        .assert_success();
    assert_eq!(world.balance(&worker), ton("0.11"));
}
