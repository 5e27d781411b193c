//! Rarer messages of proxy, client and worker: notes, commands, reopened clients, closes, bounces.

use cocoon_bindings::client::{ChangeSecretHashFromOwner, ReopenFromOwner, TopUpWithSecretFromOwner};
use cocoon_bindings::proxy::{AskToWithdrawEarnings, CloseProxyFromOwner};
use cocoon_bindings::ton::{Cell, HashBytes};
use cocoon_bindings::types::DoNotProcess;
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_emulator::NetworkConfig;

use crate::gas::common::QUERY;
use crate::gas::wallet::text;
use crate::gas::{Meter, Row};
use crate::people::{ANYONE, CLIENT_OWNER, EXCESSES, OWNER};
use crate::world::{World, ton};

/// Tokens whose worker's part is just below 16 TON.
const MANY: u64 = 842_000_000;

/// Notes for readers of the history.
pub(super) fn notes(meter: &mut Meter) {
    meter.world.deploy_client();
    meter.world.deploy_worker();
    let world = &meter.world;
    let contracts = [&world.root, &world.proxy, &world.client, &world.worker].map(Clone::clone);
    for contract in contracts {
        let note = DoNotProcess {
            query_id: QUERY,
            note: Cell::default(),
        };
        meter.send("note", &ANYONE, &contract, &note);
    }
}

/// Other messages of a client's owner.
pub(super) fn client(meter: &mut Meter) {
    let client = meter.world.client.clone();
    meter.world.top_up("3").assert_success();
    let top_up = TopUpWithSecretFromOwner {
        query_id: QUERY,
        top_up_amount: ton("3"),
        new_secret_hash: HashBytes([3; 32]),
        send_excesses_to: EXCESSES,
    };
    let outcome = meter.world.send(&CLIENT_OWNER, &client, ton("3.5"), &top_up);
    meter.note("top up with secret", &outcome);
    let change = ChangeSecretHashFromOwner {
        query_id: QUERY,
        new_secret_hash: HashBytes([4; 32]),
        send_excesses_to: EXCESSES,
    };
    meter.send("change secret", &CLIENT_OWNER, &client, &change);
}

/// A client that was closed and is used again: its data has a tail.
pub(super) fn reopened(meter: &mut Meter) {
    let client = meter.world.client.clone();
    meter.world.stake("5").assert_success();
    meter.world.top_up("15").assert_success();
    meter.world.submit(VoucherOp::ClientRefund, 1000).assert_success();
    let reopen = ReopenFromOwner {
        query_id: QUERY,
        top_up_amount: ton("15"),
        send_excesses_to: EXCESSES,
    };
    let outcome = meter.world.send(&CLIENT_OWNER, &client, ton("15.5"), &reopen);
    meter.note("reopen", &outcome);
    let top_up = meter.world.top_up("3");
    meter.note("top up, reopened", &top_up);
    let charge = meter.world.submit(VoucherOp::ClientCharge, 100_000_000);
    meter.note("charge, reopened", &charge);
    let withdraw = meter.world.withdraw();
    meter.note("withdraw, reopened", &withdraw);
    meter.world.top_up("3").assert_success();
    let refund = meter.world.submit(VoucherOp::ClientRefund, 110_000_000);
    meter.note("granted refund, reopened", &refund);
}

/// Messages of a proxy's owner, and the proxy's close.
pub(super) fn proxy(meter: &mut Meter) {
    let proxy = meter.world.proxy.clone();
    meter.world.stake("5").assert_success();
    meter.world.top_up("15").assert_success();
    meter.world.deploy_worker();
    meter.world.submit(VoucherOp::WorkerPayout, 1000).assert_success();
    let withdraw = AskToWithdrawEarnings {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    meter.send("withdraw earnings", &ANYONE, &proxy, &withdraw);
    meter.send_cell("withdraw earnings by text", &OWNER, &proxy, text(b'w'));
    let normal = meter.world.chain.snapshot();
    meter.send_cell("close by text", &OWNER, &proxy, text(b'c'));
    meter.world.chain.restore(&normal).unwrap();
    let close = CloseProxyFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    meter.send("close", &OWNER, &proxy, &close);
    meter.world.chain.restore(&normal).unwrap();
    let close = meter.world.close(CloseOp::Request);
    meter.send_cell("close, signed", &ANYONE, &proxy, close);
    let top_up = meter.world.top_up("3");
    meter.note_bounce("top up to a proxy that closes", &top_up);
    meter.world.chain.advance(600).unwrap();
    let complete = meter.world.close(CloseOp::Complete);
    meter.send_cell("complete close", &ANYONE, &proxy, complete);
}

/// What comes back from a proxy contract that cannot pay, or that is not there.
pub(super) fn bounces(network: &NetworkConfig) -> Vec<Row> {
    let mut meter = Meter::new(World::on(network));
    meter.world.stake("1").assert_success();
    meter.world.top_up("15").assert_success();
    meter.world.deploy_worker();
    meter.world.submit(VoucherOp::WorkerPayout, MANY).assert_success();
    let payout = meter.world.submit(VoucherOp::WorkerPayout, 2 * MANY);
    meter.note_bounce("payout that bounces", &payout);
    let payout = meter.world.submit(VoucherOp::WorkerLastPayout, 2 * MANY);
    meter.note_bounce("last payout that bounces", &payout);
    let withdraw = meter.world.withdraw();
    meter.note_bounce("withdraw that bounces", &withdraw);
    meter.world.request_refund();
    meter.world.chain.advance(301).unwrap();
    let refund = meter.world.request_refund();
    meter.note_bounce("forced refund that bounces", &refund);
    let mut rows = meter.rows;
    let mut meter = Meter::new(World::without_proxy(network));
    let top_up = meter.world.top_up("5");
    meter.note_bounce("top up that bounces", &top_up);
    rows.append(&mut meter.rows);
    rows
}
