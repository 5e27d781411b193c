//! A payout may carry what the proxy has seen of the worker.

use cocoon_bindings::ton::{Cell, CellBuilder, to_cell};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_bindings::worker::{GetCocoonWorkerScore, LatencyBuckets, ScoreSummary, WorkerScore};
use cocoon_bindings::{QueryId, TokenCount};
use cocoon_contract_tests::{ANYONE, EXCESSES, Outcome, WORKER_OWNER, World, query, tokens, ton};
use ed25519_dalek::Signer;

use cocoon_contract_tests::receipts::{settle, worker_claim, worker_claims};

const QUERY: QueryId = query(62);

fn ready() -> World {
    let mut world = World::new();
    world.top_up("15").assert_success();
    world.deploy_worker();
    world
}

fn score(requests: u64) -> WorkerScore {
    WorkerScore {
        requests,
        failures: 2,
        tokens: tokens(u64::MAX),
        latency: LatencyBuckets {
            within100_ms: 1,
            within250_ms: 2,
            within500_ms: 3,
            within1_s: 4,
            within2500_ms: 5,
            within5_s: 6,
            within10_s: 7,
            later: u32::MAX,
        },
    }
}

fn summary(score: &WorkerScore) -> ScoreSummary {
    ScoreSummary {
        requests: score.requests,
        failures: score.failures,
        tokens: score.tokens,
        within100_ms: score.latency.within100_ms,
        within250_ms: score.latency.within250_ms,
        within500_ms: score.latency.within500_ms,
        within1_s: score.latency.within1_s,
        within2500_ms: score.latency.within2500_ms,
        within5_s: score.latency.within5_s,
        within10_s: score.latency.within10_s,
        later: score.latency.later,
    }
}

fn told(world: &World) -> ScoreSummary {
    world.get(&world.worker, &GetCocoonWorkerScore)
}

fn submit(world: &mut World, op: VoucherOp, count: u64, score: WorkerScore) -> Outcome {
    let (query, worker) = (world.next_query(), world.worker.clone());
    let count = TokenCount::new(count);
    let voucher = SignedVoucher::sign_with_score(op, query, count, &worker, &EXCESSES, score, &world.key);
    world.send_cell(&EXCESSES, &worker, ton("0.7"), voucher.unwrap().to_cell().unwrap())
}

/// A payout whose payload goes on after the address.
fn extended(world: &World, count: u64, extend: impl Fn(&mut CellBuilder)) -> Cell {
    let sign = |target| {
        let count = TokenCount::new(count);
        SignedVoucher::sign(VoucherOp::WorkerPayout, QUERY, count, target, &EXCESSES, &world.key).unwrap()
    };
    let plain = sign(&world.worker).to_cell().unwrap();
    let mut payload = CellBuilder::new();
    payload
        .store_slice(plain.reference(0).unwrap().as_slice().unwrap())
        .unwrap();
    extend(&mut payload);
    let payload = payload.build().unwrap();
    let signature = world.key.sign(payload.repr_hash().as_slice()).to_bytes();
    let mut message = CellBuilder::new();
    message
        .store_slice(plain.as_ref().as_slice().unwrap().load_prefix(363, 0).unwrap())
        .unwrap();
    message.store_raw(&signature, 512).unwrap();
    message.store_reference(payload).unwrap();
    message.build().unwrap()
}

#[test]
fn nothing_is_known_of_a_new_worker() {
    let world = ready();
    assert_eq!(told(&world), summary(&WorkerScore::EMPTY));
}

#[test]
fn a_payout_brings_the_score_and_pays_as_without_it() {
    for (op, state) in [
        (VoucherOp::WorkerPayout, Lifecycle::Normal),
        (VoucherOp::WorkerLastPayout, Lifecycle::Closed),
    ] {
        let mut world = ready();
        let outcome = submit(&mut world, op, 100_000_000, score(10));
        outcome.assert_success();
        assert_eq!(outcome.received(&WORKER_OWNER), ton("1.9"));
        assert_eq!(
            outcome.received(&EXCESSES),
            ton("0.7").checked_sub(outcome.cost()).unwrap()
        );
        let data = world.worker_data();
        assert_eq!((data.tokens, data.state), (tokens(100_000_000), state));
        assert_eq!(told(&world), summary(&score(10)));
    }
}

#[test]
fn an_older_score_never_replaces_a_newer_one() {
    let mut world = ready();
    submit(&mut world, VoucherOp::WorkerPayout, 10, score(10)).assert_success();
    submit(&mut world, VoucherOp::WorkerPayout, 20, score(9)).assert_success();
    assert_eq!(world.worker_data().tokens, tokens(20));
    assert_eq!(told(&world), summary(&score(10)));
    let worse = WorkerScore {
        failures: 10,
        ..score(10)
    };
    submit(&mut world, VoucherOp::WorkerPayout, 30, worse.clone()).assert_success();
    assert_eq!(told(&world), summary(&worse));
    submit(&mut world, VoucherOp::WorkerPayout, 40, score(11)).assert_success();
    assert_eq!(told(&world), summary(&score(11)));
}

#[test]
fn a_payout_without_a_score_leaves_the_one_that_is_known() {
    let mut world = ready();
    submit(&mut world, VoucherOp::WorkerPayout, 10, score(10)).assert_success();
    world.submit(VoucherOp::WorkerPayout, 20).assert_success();
    assert_eq!(told(&world), summary(&score(10)));
}

#[test]
fn nothing_but_one_score_may_follow_the_fields() {
    let mut world = ready();
    let worker = world.worker.clone();
    let good = to_cell(&score(3)).unwrap();
    let altered = |bits: u16| {
        let mut builder = CellBuilder::new();
        let mut slice = good.as_ref().as_slice().unwrap();
        builder
            .store_slice(slice.load_prefix(bits.min(448), 0).unwrap())
            .unwrap();
        if bits > 448 {
            builder.store_bit_one().unwrap();
        }
        builder.build().unwrap()
    };
    let with_reference = {
        let mut builder = CellBuilder::new();
        builder.store_slice(good.as_ref().as_slice().unwrap()).unwrap();
        builder.store_reference(Cell::default()).unwrap();
        builder.build().unwrap()
    };
    let mut refused = vec![
        extended(&world, 5, |payload| payload.store_bit_one().unwrap()),
        extended(&world, 5, |payload| {
            payload.store_bit_one().unwrap();
            payload.store_reference(good.clone()).unwrap();
        }),
        extended(&world, 5, |payload| {
            payload.store_reference(good.clone()).unwrap();
            payload.store_reference(good.clone()).unwrap();
        }),
    ];
    for wrong in [altered(447), altered(449), with_reference] {
        refused.push(extended(&world, 5, |payload| {
            payload.store_reference(wrong.clone()).unwrap()
        }));
    }
    for message in refused {
        world.refused(&EXCESSES, &worker, "0.7", message, ExitCode::SignedMessageFormat);
    }
    let fine = extended(&world, 5, |payload| payload.store_reference(good.clone()).unwrap());
    world.send_cell(&EXCESSES, &worker, ton("0.7"), fine).assert_success();
    assert_eq!(told(&world), summary(&score(3)));
}

#[test]
fn a_score_with_an_old_count_is_refused_and_not_kept() {
    let mut world = ready();
    world.submit(VoucherOp::WorkerPayout, 10).assert_success();
    let outcome = submit(&mut world, VoucherOp::WorkerPayout, 10, score(10));
    outcome.assert_refused(&world.worker.clone(), ExitCode::OldMessage);
    assert_eq!(told(&world), summary(&WorkerScore::EMPTY));
}

#[test]
fn a_score_outlives_the_bounce_of_its_payout() {
    let mut world = World::new();
    world.deploy_worker();
    let outcome = submit(&mut world, VoucherOp::WorkerPayout, 100_000_000, score(10));
    outcome.assert_refused(&world.proxy.clone(), ExitCode::LowContractBalance);
    assert_eq!(world.worker_data().tokens, tokens(0));
    assert_eq!(told(&world), summary(&score(10)));
}

#[test]
fn a_score_and_a_claim_do_not_disturb_each_other() {
    let mut world = ready();
    let worker = world.worker.clone();
    worker_claims(&mut world, 100_000_000).assert_success();
    let claim = worker_claim(&world);
    submit(&mut world, VoucherOp::WorkerPayout, 10, score(10)).assert_success();
    assert_eq!(worker_claim(&world), claim);
    worker_claims(&mut world, 200_000_000).assert_success();
    assert_eq!(told(&world), summary(&score(10)));
    world.chain.advance(300).unwrap();
    world
        .send_cell(&ANYONE, &worker, ton("0.7"), settle(QUERY))
        .assert_success();
    assert_eq!(world.worker_data().tokens, tokens(200_000_000));
    assert_eq!(told(&world), summary(&score(10)));
}
