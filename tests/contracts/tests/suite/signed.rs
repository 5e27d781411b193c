//! Messages signed by the proxy: who may send them, and everything that makes them invalid.

use cocoon_bindings::ton::{Address, Cell, CellBuilder, store_address};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{CloseOp, SignedVoucher, VoucherOp};
use cocoon_bindings::{QueryId, TokenCount};
use cocoon_contract_tests::{ANYONE, EXCESSES, World, corrupted, tokens, ton};
use ed25519_dalek::{Signer, SigningKey};

/// The parts of a signed message, so that each can be made wrong.
struct Forged {
    op: u32,
    payload_op: u32,
    query: u64,
    payload_query: u64,
    count: Option<u64>,
    target: Address,
    key: SigningKey,
    payload_tail: bool,
}

impl Forged {
    fn cell(&self) -> Cell {
        let mut payload = CellBuilder::new();
        payload.store_u32(self.payload_op).unwrap();
        payload.store_u64(self.payload_query).unwrap();
        if let Some(count) = self.count {
            payload.store_u64(count).unwrap();
        }
        store_address(&self.target, &mut payload).unwrap();
        if self.payload_tail {
            payload.store_bit_one().unwrap();
        }
        let payload = payload.build().unwrap();
        let signature = self.key.sign(payload.repr_hash().as_slice()).to_bytes();
        let mut message = CellBuilder::new();
        message.store_u32(self.op).unwrap();
        message.store_u64(self.query).unwrap();
        store_address(&EXCESSES, &mut message).unwrap();
        message.store_raw(&signature, 512).unwrap();
        message.store_reference(payload).unwrap();
        message.build().unwrap()
    }
}

/// All six signed messages with the contract that takes each.
fn kinds(world: &World) -> Vec<(u32, Option<u64>, Address)> {
    vec![
        (VoucherOp::ClientCharge.opcode(), Some(5), world.client.clone()),
        (VoucherOp::ClientRefund.opcode(), Some(5), world.client.clone()),
        (VoucherOp::WorkerPayout.opcode(), Some(5), world.worker.clone()),
        (VoucherOp::WorkerLastPayout.opcode(), Some(5), world.worker.clone()),
        (CloseOp::Request.opcode(), None, world.proxy.clone()),
        (CloseOp::Complete.opcode(), None, world.proxy.clone()),
    ]
}

/// Makes each of the six messages wrong in one way and has it refused.
fn each_refused(error: ExitCode, spoil: impl Fn(&mut Forged)) {
    let mut world = ready();
    for (op, count, target) in kinds(&world) {
        let mut forged = Forged {
            op,
            payload_op: op,
            query: 9,
            payload_query: 9,
            count,
            target: target.clone(),
            key: world.key.clone(),
            payload_tail: false,
        };
        spoil(&mut forged);
        world.refused(&EXCESSES, &target, "0.7", forged.cell(), error);
    }
}

fn ready() -> World {
    let mut world = World::new();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world
}

#[test]
fn another_key_is_refused() {
    each_refused(ExitCode::BadSignature, |forged| {
        forged.key = SigningKey::from_bytes(&[8; 32]);
    });
}

#[test]
fn another_contracts_message_is_refused() {
    each_refused(ExitCode::ExpectedMyAddress, |forged| forged.target = ANYONE);
}

#[test]
fn a_query_id_that_is_not_the_signed_one_is_refused() {
    each_refused(ExitCode::SignedMessageFormat, |forged| forged.query += 1);
}

#[test]
fn a_payload_of_another_kind_is_refused() {
    each_refused(ExitCode::SignedMessageFormat, |forged| forged.payload_op ^= 1);
}

#[test]
fn a_payload_with_something_after_its_end_is_refused() {
    each_refused(ExitCode::SignedMessageFormat, |forged| forged.payload_tail = true);
}

#[test]
fn a_message_with_something_after_its_end_is_refused() {
    let mut world = ready();
    for op in [
        VoucherOp::ClientCharge,
        VoucherOp::ClientRefund,
        VoucherOp::WorkerPayout,
        VoucherOp::WorkerLastPayout,
    ] {
        let voucher = world.voucher(op, 5);
        let target = SignedVoucher::from_cell(&voucher).unwrap().expected().clone();
        world.refused(
            &EXCESSES,
            &target,
            "0.7",
            corrupted(&voucher),
            ExitCode::SignedMessageFormat,
        );
    }
}

#[test]
fn a_payload_that_ends_early_is_refused_by_the_machine() {
    let mut world = ready();
    let forged = Forged {
        op: VoucherOp::ClientCharge.opcode(),
        payload_op: VoucherOp::ClientCharge.opcode(),
        query: 9,
        payload_query: 9,
        count: None,
        target: world.client.clone(),
        key: world.key.clone(),
        payload_tail: false,
    };
    let client = world.client.clone();
    let outcome = world.send_cell(&EXCESSES, &client, ton("0.7"), forged.cell());
    assert!(outcome.exit(&client) > 1 && outcome.at(&client).bounced);
    assert_eq!(world.client_data().tokens_used, tokens(0));
}

#[test]
fn anyone_may_submit_and_names_himself_for_the_excesses() {
    let mut world = ready();
    let client = world.client.clone();
    let query = QueryId::new(1);
    let voucher = SignedVoucher::sign(
        VoucherOp::ClientCharge,
        query,
        TokenCount::new(7),
        &client,
        &EXCESSES,
        &world.key,
    );
    let voucher = voucher.unwrap().with_excesses(&ANYONE).to_cell().unwrap();
    let outcome = world.send_cell(&ANYONE, &client, ton("0.7"), voucher);
    outcome.assert_success();
    assert!(outcome.spared(&EXCESSES));
    let spent = outcome.cost().checked_add("0.000000001".parse().unwrap()).unwrap();
    assert_eq!(outcome.received(&ANYONE), ton("0.7").checked_sub(spent).unwrap());
    assert_eq!(world.client_data().tokens_used, tokens(7));
}

/// Sizes of the cells that an unmodified sender was seen to send: 875 bits and a reference, 427 bits.
#[test]
fn the_cells_have_the_sizes_that_peers_send() {
    let mut world = ready();
    let voucher = world.voucher(VoucherOp::ClientCharge, 5);
    let payload = voucher.reference(0).unwrap();
    assert_eq!((voucher.bit_len(), voucher.reference_count()), (875, 1));
    assert_eq!((payload.bit_len(), payload.reference_count()), (427, 0));
    let client = world.client.clone();
    world
        .send_cell(&EXCESSES, &client, ton("0.7"), voucher)
        .assert_success();
}

#[test]
fn a_count_that_is_not_newer_is_refused() {
    let mut world = ready();
    for op in [VoucherOp::ClientCharge, VoucherOp::WorkerPayout] {
        world.submit(op, 10).assert_success();
        for count in [10, 9, 0] {
            let voucher = world.voucher(op, count);
            let target = SignedVoucher::from_cell(&voucher).unwrap().expected().clone();
            world.refused(&EXCESSES, &target, "0.7", voucher, ExitCode::OldMessage);
        }
    }
}

#[test]
fn a_last_message_may_repeat_the_count_but_not_go_back() {
    let mut world = ready();
    for (op, last) in [
        (VoucherOp::ClientCharge, VoucherOp::ClientRefund),
        (VoucherOp::WorkerPayout, VoucherOp::WorkerLastPayout),
    ] {
        world.submit(op, 10).assert_success();
        let voucher = world.voucher(last, 9);
        let target = SignedVoucher::from_cell(&voucher).unwrap().expected().clone();
        world.refused(&EXCESSES, &target, "0.7", voucher, ExitCode::OldMessage);
        world.submit(last, 10).assert_success();
    }
    assert_eq!(world.client_data().state, Lifecycle::Closed);
    assert_eq!(world.worker_data().state, Lifecycle::Closed);
}

#[test]
fn the_value_is_checked_before_the_signature() {
    let mut world = ready();
    for (op, value) in [
        (VoucherOp::ClientCharge, "0.099999999"),
        (VoucherOp::ClientRefund, "0.099999999"),
        (VoucherOp::WorkerPayout, "0.1"),
        (VoucherOp::WorkerLastPayout, "0.1"),
    ] {
        let voucher = world.voucher(op, 5);
        let target = SignedVoucher::from_cell(&voucher).unwrap().expected().clone();
        world.refused(
            &EXCESSES,
            &target,
            value,
            corrupted(&voucher),
            ExitCode::LowMessageValue,
        );
    }
}
