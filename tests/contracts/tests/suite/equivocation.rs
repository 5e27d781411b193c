//! Two signed checkpoints that contradict each other cost the proxy a quarter of its stake, once.

use cocoon_bindings::Nanoton;
use cocoon_bindings::checkpoint::{Checkpoint, ReportEquivocation, SignedCheckpoint};
use cocoon_bindings::proxy::{GetCocoonProxyAnchor, ProxyAnchor};
use cocoon_bindings::ton::{Cell, CellBuilder, HashBytes, store_address};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, OWNER, World, body, corrupted, query, ton};
use ed25519_dalek::SigningKey;

use crate::anchor::{anchor, checkpoint, close};

fn signed(world: &World, checkpoint: Checkpoint) -> SignedCheckpoint {
    SignedCheckpoint::sign(checkpoint, &world.key).unwrap()
}

fn report(first: SignedCheckpoint, second: SignedCheckpoint) -> Cell {
    body(&ReportEquivocation {
        query_id: query(8),
        reporter: ANYONE,
        first,
        second,
    })
}

/// A report of two checkpoints, given as (seqno, size, root, time).
fn report_of(world: &World, first: (u64, u64, u8, u64), second: (u64, u64, u8, u64)) -> Cell {
    let [first, second] = [first, second].map(|(seqno, size, root, time)| {
        let checkpoint = checkpoint(world, seqno, size, root, time);
        signed(world, checkpoint)
    });
    report(first, second)
}

/// A report that nothing is wrong with.
fn genuine(world: &World) -> Cell {
    report_of(world, (1, 10, 1, 5), (2, 10, 2, 6))
}

fn anchored(world: &World) -> ProxyAnchor {
    world.get(&world.proxy, &GetCocoonProxyAnchor)
}

fn staked(amount: &str) -> World {
    let mut world = World::new();
    world.stake(amount).assert_success();
    world
}

#[test]
fn the_reporter_gets_a_quarter_of_the_stake_and_the_rest_of_the_value() {
    let mut world = staked("10");
    let proxy = world.proxy.clone();
    let held = world.balance(&proxy);
    let message = genuine(&world);
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), message);
    outcome.assert_success();
    assert_eq!(
        outcome.received(&ANYONE),
        ton("2.7").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.proxy_data().stake, ton("7.5"));
    assert_eq!(world.balance(&proxy), held.checked_sub(ton("2.5")).unwrap());
    let anchor = anchored(&world);
    assert_eq!((anchor.is_slashed, anchor.is_anchored), (true, false));
}

#[test]
fn every_contradiction_counts_in_either_order() {
    let base = (5, 100, 1, 50);
    let contradictions = [
        (6, 100, 2, 60), // another tree of the same size
        (5, 100, 2, 50), // the same in one number
        (6, 99, 2, 60),  // a later, smaller log
        (4, 101, 2, 40), // an earlier, larger log
        (5, 101, 2, 50), // one number, another size
        (5, 100, 1, 51), // one number, another time
    ];
    for other in contradictions {
        for (first, second) in [(base, other), (other, base)] {
            let mut world = staked("1");
            let proxy = world.proxy.clone();
            let message = report_of(&world, first, second);
            world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
            assert!(anchored(&world).is_slashed);
            assert_eq!(world.proxy_data().stake, ton("0.75"));
        }
    }
}

#[test]
fn checkpoints_of_an_honest_log_are_no_evidence() {
    let mut world = staked("1");
    let proxy = world.proxy.clone();
    let base = (5, 100, 1, 50);
    for other in [base, (6, 100, 1, 60), (6, 101, 2, 60), (4, 99, 2, 40), (6, 101, 2, 40)] {
        let message = report_of(&world, base, other);
        world.refused(&ANYONE, &proxy, "0.2", message, ExitCode::NotEquivocation);
    }
}

#[test]
fn published_checkpoints_and_anchors_of_two_logs_are_evidence_and_those_of_one_are_none() {
    let root = |log: u8, size: u64| HashBytes([log.wrapping_add((size % 7) as u8); 32]);
    let time = |size: u64| 1_780_000_000 + size;
    let of = |world: &World, log: u8, size: u64, is_anchor: bool| {
        let (proxy, root) = (world.proxy.clone(), root(log, size));
        let checkpoint = if is_anchor {
            Checkpoint::anchored(proxy, size, root, time(size))
        } else {
            Checkpoint::published(proxy, size, root)
        };
        signed(world, checkpoint.unwrap())
    };
    let mut world = staked("1");
    let proxy = world.proxy.clone();
    let sizes = [0, 1, 2, 40];
    for (one, other) in sizes.into_iter().flat_map(|one| sizes.map(|other| (one, other))) {
        for kinds in [(false, false), (false, true), (true, true)] {
            let message = report(of(&world, 1, one, kinds.0), of(&world, 1, other, kinds.1));
            world.refused(&ANYONE, &proxy, "0.2", message, ExitCode::NotEquivocation);
        }
    }
    let before = world.chain.snapshot();
    for kinds in [(false, false), (true, false), (true, true)] {
        world.chain.restore(&before).unwrap();
        let message = report(of(&world, 1, 40, kinds.0), of(&world, 2, 40, kinds.1));
        world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
        assert_eq!(world.proxy_data().stake, ton("0.75"));
    }
}

#[test]
fn a_proxy_is_slashed_once_whatever_else_it_signed() {
    let mut world = staked("10");
    let proxy = world.proxy.clone();
    let first = anchor(&world, checkpoint(&world, 1, 10, 1, 5));
    world.send_cell(&ANYONE, &proxy, ton("0.2"), first).assert_success();
    let message = genuine(&world);
    world
        .send_cell(&ANYONE, &proxy, ton("0.2"), message.clone())
        .assert_success();
    world.refused(&ANYONE, &proxy, "0.2", message, ExitCode::AlreadySlashed);
    let another = report_of(&world, (7, 70, 7, 7), (8, 70, 8, 8));
    world.refused(&ANYONE, &proxy, "0.2", another, ExitCode::AlreadySlashed);
    assert_eq!(world.proxy_data().stake, ton("7.5"));
    // The mark and the checkpoint do not disturb each other.
    assert_eq!(anchored(&world).seqno, 1);
    let next = anchor(&world, checkpoint(&world, 2, 11, 2, 6));
    world.send_cell(&ANYONE, &proxy, ton("0.2"), next).assert_success();
    let anchor = anchored(&world);
    assert_eq!((anchor.seqno, anchor.is_slashed), (2, true));
}

#[test]
fn a_closing_proxy_is_slashed_and_a_closed_one_is_not() {
    let mut world = staked("10");
    let proxy = world.proxy.clone();
    close(&mut world, CloseOp::Request);
    let message = genuine(&world);
    let before = world.chain.snapshot();
    world
        .send_cell(&ANYONE, &proxy, ton("0.2"), message.clone())
        .assert_success();
    assert_eq!(world.proxy_data().stake, ton("7.5"));
    world.chain.restore(&before).unwrap();
    world.chain.advance(600).unwrap();
    close(&mut world, CloseOp::Complete);
    world.refused(&ANYONE, &proxy, "0.2", message, ExitCode::Closed);
}

#[test]
fn a_share_that_the_contract_does_not_have_stays_on_the_books() {
    let mut world = staked("60");
    let proxy = world.proxy.clone();
    world.deploy_worker();
    // Workers are paid out of everything that the contract has: less than a quarter of the stake is left.
    world.submit(VoucherOp::WorkerPayout, 2_500_000_000).assert_success();
    assert!(world.balance(&proxy) < ton("15"));
    let message = genuine(&world);
    world.refused(&ANYONE, &proxy, "0.2", message.clone(), ExitCode::LowContractBalance);
    assert!(!anchored(&world).is_slashed);
    world.chain.fund(&proxy, ton("10")).unwrap();
    world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
    assert_eq!(world.proxy_data().stake, ton("45"));
}

#[test]
fn a_proxy_without_stake_is_marked_all_the_same() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    let message = genuine(&world);
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), message);
    outcome.assert_success();
    assert_eq!(
        outcome.received(&ANYONE),
        ton("0.2").checked_sub(outcome.cost()).unwrap()
    );
    assert!(anchored(&world).is_slashed);
}

/// A proxy that reports itself gets a quarter before the delay, and no more; clients still get theirs.
#[test]
fn a_proxy_that_reports_itself_leaves_three_quarters_for_forced_refunds() {
    let mut world = staked("8");
    world.top_up("5").assert_success();
    let proxy = world.proxy.clone();
    let held = world.balance(&proxy);
    let mut message = report_of(&world, (1, 10, 1, 5), (2, 10, 2, 6));
    for _ in 0..3 {
        world.send_cell(&OWNER, &proxy, ton("0.2"), message);
        message = report_of(&world, (3, 10, 3, 5), (4, 10, 4, 6));
    }
    assert_eq!(world.balance(&proxy), held.checked_sub(ton("2")).unwrap());
    world.request_refund().assert_success();
    world.chain.advance(301).unwrap();
    let outcome = world.request_refund();
    outcome.assert_success();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("1"), "what the first request left");
    assert_eq!(world.proxy_data().stake, ton("5"));
}

fn evidence(signature: &[u8; 64], checkpoint: Cell, tail: bool) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_raw(signature, 512).unwrap();
    if tail {
        builder.store_bit_one().unwrap();
    }
    builder.store_reference(checkpoint).unwrap();
    builder.build().unwrap()
}

fn report_cells(first: Cell, second: Cell) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_u32(0x683d_2818).unwrap();
    builder.store_u64(8).unwrap();
    store_address(&ANYONE, &mut builder).unwrap();
    builder.store_reference(first).unwrap();
    builder.store_reference(second).unwrap();
    builder.build().unwrap()
}

#[test]
fn either_half_of_the_evidence_must_hold() {
    let mut world = staked("1");
    let proxy = world.proxy.clone();
    let good = checkpoint(&world, 1, 10, 1, 5);
    let bad = checkpoint(&world, 2, 10, 2, 6);
    let (whole, counterpart) = (signed(&world, good.clone()), signed(&world, bad));
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let forged = SignedCheckpoint::sign(good.clone(), &stranger).unwrap();
    let foreign = signed(&world, Checkpoint { proxy: ANYONE, ..good });
    let cell = body(&whole.checkpoint);
    let faults = [
        (forged.to_cell().unwrap(), ExitCode::BadSignature),
        (foreign.to_cell().unwrap(), ExitCode::ExpectedMyAddress),
        (
            evidence(&whole.signature, corrupted(&cell), false),
            ExitCode::SignedMessageFormat,
        ),
        (evidence(&whole.signature, cell, true), ExitCode::SignedMessageFormat),
    ];
    let other = counterpart.to_cell().unwrap();
    for (fault, error) in faults {
        for message in [
            report_cells(fault.clone(), other.clone()),
            report_cells(other.clone(), fault),
        ] {
            world.refused(&ANYONE, &proxy, "0.2", message.clone(), error);
            world.refused(&ANYONE, &proxy, "0.099999999", message, ExitCode::LowMessageValue);
        }
    }
    let overlong = corrupted(&report_cells(whole.to_cell().unwrap(), other));
    world.refused(&ANYONE, &proxy, "0.2", overlong, ExitCode::SignedMessageFormat);
}

#[test]
fn evidence_against_one_proxy_does_not_touch_another() {
    let mut world = staked("1");
    let evidence = {
        let mut other = World::new();
        other.key = SigningKey::from_bytes(&[8; 32]);
        genuine(&other)
    };
    let proxy = world.proxy.clone();
    world.refused(&ANYONE, &proxy, "0.2", evidence, ExitCode::BadSignature);
    assert_eq!(world.proxy_data().stake, Nanoton::from_ton(1));
}
