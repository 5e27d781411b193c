//! Checkpoints in the proxy contract's storage tail: who may anchor them, and which follow which.

use cocoon_bindings::Nanoton;
use cocoon_bindings::checkpoint::{Checkpoint, SignedCheckpoint};
use cocoon_bindings::proxy::{GetCocoonProxyAnchor, ProxyAnchor};
use cocoon_bindings::ton::{Cell, CellBuilder, HashBytes, store_address};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_contract_tests::{ANYONE, EXCESSES, World, body, corrupted, query, ton};
use ed25519_dalek::{Signer, SigningKey};

/// A checkpoint of the world's proxy.
pub(crate) fn checkpoint(world: &World, seqno: u64, size: u64, root: u8, time: u64) -> Checkpoint {
    Checkpoint {
        proxy: world.proxy.clone(),
        seqno,
        size,
        root_hash: HashBytes([root; 32]),
        time,
    }
}

/// The message that anchors a checkpoint, signed by the world's key.
pub(crate) fn anchor(world: &World, checkpoint: Checkpoint) -> Cell {
    let signed = SignedCheckpoint::sign(checkpoint, &world.key).unwrap();
    body(&signed.anchor(query(7), &EXCESSES))
}

/// Begins the close of the proxy contract.
pub(crate) fn close(world: &mut World, op: CloseOp) {
    let message = world.close(op);
    let proxy = world.proxy.clone();
    world.send_cell(&EXCESSES, &proxy, ton("0.7"), message).assert_success();
}

fn anchored(world: &World) -> ProxyAnchor {
    world.get(&world.proxy, &GetCocoonProxyAnchor)
}

fn send(world: &mut World, message: Cell) {
    let proxy = world.proxy.clone();
    world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
}

fn refused(world: &mut World, message: Cell, error: ExitCode) {
    let proxy = world.proxy.clone();
    world.refused(&ANYONE, &proxy, "0.2", message, error);
}

#[test]
fn without_a_checkpoint_the_get_method_says_so() {
    let world = World::new();
    assert_eq!(
        anchored(&world),
        ProxyAnchor {
            is_anchored: false,
            seqno: 0,
            size: 0,
            root_hash: HashBytes::ZERO,
            time: 0,
            is_slashed: false
        }
    );
}

#[test]
fn anyone_anchors_what_the_proxy_signed_and_gets_the_rest_back() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    let (held, before) = (world.balance(&proxy), world.proxy_data());
    let message = anchor(&world, checkpoint(&world, 3, 100, 1, 1000));
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), message);
    outcome.assert_success();
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.2").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.balance(&proxy), held);
    assert_eq!(world.proxy_data(), before, "nothing else changes");
    let anchor = anchored(&world);
    assert_eq!((anchor.is_anchored, anchor.is_slashed), (true, false));
    assert_eq!((anchor.seqno, anchor.size, anchor.time), (3, 100, 1000));
    assert_eq!(anchor.root_hash, HashBytes([1; 32]));
}

#[test]
fn a_checkpoint_must_follow_the_anchored_one() {
    let mut world = World::new();
    let first = anchor(&world, checkpoint(&world, 3, 100, 1, 1000));
    send(&mut world, first);
    let stale = [
        (3, 101, 2, 1001), // the same number
        (2, 101, 2, 1001), // a smaller number
        (4, 99, 2, 1001),  // a smaller log
        (4, 101, 2, 999),  // an earlier time
        (4, 100, 2, 1001), // the same log with another tree
        (3, 100, 1, 1000), // itself
    ];
    for (seqno, size, root, time) in stale {
        let message = anchor(&world, checkpoint(&world, seqno, size, root, time));
        refused(&mut world, message, ExitCode::StaleCheckpoint);
    }
    let follows = [(4, 100, 1, 1000), (9, 101, 2, 1000), (10, 500, 3, 2000)];
    for (seqno, size, root, time) in follows {
        let message = anchor(&world, checkpoint(&world, seqno, size, root, time));
        send(&mut world, message);
        assert_eq!(anchored(&world).seqno, seqno);
    }
}

#[test]
fn the_first_checkpoint_may_be_any() {
    for (seqno, size, time) in [(0, 0, 0), (u64::MAX, u64::MAX, u64::MAX)] {
        let mut world = World::new();
        let message = anchor(&world, checkpoint(&world, seqno, size, 0, time));
        send(&mut world, message);
        assert!(anchored(&world).is_anchored);
    }
}

#[test]
fn a_closing_proxy_still_anchors_and_a_closed_one_does_not() {
    let mut world = World::new();
    close(&mut world, CloseOp::Request);
    let message = anchor(&world, checkpoint(&world, 1, 1, 1, 1));
    send(&mut world, message);
    world.chain.advance(600).unwrap();
    close(&mut world, CloseOp::Complete);
    assert_eq!(world.proxy_data().state, Lifecycle::Closed);
    assert_eq!(anchored(&world).seqno, 1, "what was anchored can be read for ever");
    let message = anchor(&world, checkpoint(&world, 2, 2, 2, 2));
    refused(&mut world, message, ExitCode::Closed);
}

/// The message field by field, so that each can be made wrong.
fn forged(checkpoint: &Cell, key: &SigningKey) -> Cell {
    let signature = key.sign(checkpoint.repr_hash().as_slice()).to_bytes();
    let mut message = CellBuilder::new();
    message.store_u32(0xd533_1342).unwrap();
    message.store_u64(7).unwrap();
    store_address(&EXCESSES, &mut message).unwrap();
    message.store_raw(&signature, 512).unwrap();
    message.store_reference(checkpoint.clone()).unwrap();
    message.build().unwrap()
}

fn with_opcode(opcode: u32, checkpoint: &Cell) -> Cell {
    let mut slice = checkpoint.as_ref().as_slice().unwrap();
    slice.load_u32().unwrap();
    let mut builder = CellBuilder::new();
    builder.store_u32(opcode).unwrap();
    builder.store_slice(slice).unwrap();
    builder.build().unwrap()
}

#[test]
fn every_fault_has_its_error_and_the_first_fault_counts() {
    let mut world = World::new();
    let good = checkpoint(&world, 1, 1, 1, 1);
    let foreign = Checkpoint {
        proxy: ANYONE,
        ..good.clone()
    };
    let (good, foreign) = (body(&good), body(&foreign));
    let (key, stranger) = (world.key.clone(), SigningKey::from_bytes(&[8; 32]));
    let cases = [
        (forged(&good, &stranger), ExitCode::BadSignature),
        (forged(&foreign, &key), ExitCode::ExpectedMyAddress),
        (forged(&foreign, &stranger), ExitCode::ExpectedMyAddress),
        (forged(&corrupted(&good), &key), ExitCode::SignedMessageFormat),
        (forged(&corrupted(&foreign), &stranger), ExitCode::SignedMessageFormat),
        (
            forged(&with_opcode(0x636a_4391, &good), &key),
            ExitCode::SignedMessageFormat,
        ),
        (corrupted(&forged(&good, &key)), ExitCode::SignedMessageFormat),
    ];
    let proxy = world.proxy.clone();
    for (message, error) in cases {
        world.refused(&ANYONE, &proxy, "0.2", message.clone(), error);
        world.refused(&ANYONE, &proxy, "0.099999999", message, ExitCode::LowMessageValue);
    }
    let message = forged(&good, &key);
    world.send_cell(&ANYONE, &proxy, ton("0.1"), message).assert_success();
    assert!(anchored(&world).is_anchored);
}

#[test]
fn a_checkpoint_is_no_voucher_and_no_close_and_they_are_no_checkpoints() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    let close = world.close(CloseOp::Request);
    let payload = close.reference_cloned(0).unwrap();
    let key = world.key.clone();
    let message = forged(&payload, &key);
    world.refused(&ANYONE, &proxy, "0.2", message, ExitCode::SignedMessageFormat);
}

/// What a step costs must not depend on what the proxy remembers: the tail is one reference that goes along.
#[test]
fn the_tail_is_carried_by_every_step_for_a_few_gas() {
    let steps = |world: &mut World| -> Vec<u64> {
        let proxy = world.proxy.clone();
        let mut gas = vec![world.stake("5").assert_success().gas(&proxy)];
        gas.push(world.top_up("15").assert_success().gas(&proxy));
        world.deploy_worker();
        let payout = world.submit(VoucherOp::WorkerPayout, 100_000_000);
        gas.push(payout.assert_success().gas(&proxy));
        gas.push(world.withdraw().assert_success().gas(&proxy));
        world.request_refund().assert_success();
        world.chain.advance(301).unwrap();
        gas.push(world.request_refund().assert_success().gas(&proxy));
        gas
    };
    let mut plain = World::new();
    let mut tailed = World::new();
    let message = anchor(&tailed, checkpoint(&tailed, 1, 1, 1, 1));
    send(&mut tailed, message);
    for (plain, tailed) in steps(&mut plain).into_iter().zip(steps(&mut tailed)) {
        assert!(tailed <= plain + 60, "{tailed} with the tail, {plain} without");
    }
    assert_eq!(anchored(&tailed).seqno, 1);
}

#[test]
fn a_message_that_cannot_pay_its_way_is_undone() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    let data = world.data(&proxy);
    let message = anchor(&world, checkpoint(&world, 1, 1, 1, 1));
    let outcome = world.send_cell(&ANYONE, &proxy, Nanoton::new(1_000_000), message);
    assert!(!outcome.at(&proxy).success());
    assert_eq!(world.data(&proxy), data);
}
