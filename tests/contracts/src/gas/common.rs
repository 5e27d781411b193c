//! The common messages, in the order and with the amounts in which they were first measured.

use cocoon_bindings::QueryId;
use cocoon_bindings::client::{IncreaseStakeFromOwner, RegisterFromOwner};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::worker::RegisterWorkerFromOwner;

use crate::gas::Meter;
use crate::people::{CLIENT_OWNER, EXCESSES, WORKER_OWNER};
use crate::world::ton;

/// Query id of messages whose number does not matter.
pub(super) const QUERY: QueryId = QueryId::new(46);

pub(super) fn walk(meter: &mut Meter) {
    let (client, worker) = (meter.world.client.clone(), meter.world.worker.clone());
    let stake = meter.world.stake("5");
    meter.note("stake increase", &stake);
    meter.world.deploy_client();
    meter.world.deploy_worker();
    let top_up = meter.world.top_up("15");
    meter.note("top up", &top_up);
    let register = RegisterFromOwner {
        query_id: QUERY,
        nonce: 77,
        send_excesses_to: EXCESSES,
    };
    meter.send("register", &CLIENT_OWNER, &client, &register);
    let stake = IncreaseStakeFromOwner {
        query_id: QUERY,
        new_stake: ton("2"),
        send_excesses_to: EXCESSES,
    };
    meter.send("stake increase", &CLIENT_OWNER, &client, &stake);
    let register = RegisterWorkerFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    meter.send("register", &WORKER_OWNER, &worker, &register);
    let charge = meter.world.submit(VoucherOp::ClientCharge, 100_000_000);
    meter.note("charge", &charge);
    let payout = meter.world.submit(VoucherOp::WorkerPayout, 100_000_000);
    meter.note("payout", &payout);
    let payout = meter.world.submit(VoucherOp::WorkerLastPayout, 100_000_001);
    meter.note("last payout", &payout);
    let withdraw = meter.world.withdraw();
    meter.note("withdraw", &withdraw);
    meter.world.top_up("3").assert_success();
    let before = meter.world.chain.snapshot();
    let refund = meter.world.submit(VoucherOp::ClientRefund, 110_000_000);
    meter.note("granted refund", &refund);
    meter.world.chain.restore(&before).unwrap();
    let refund = meter.world.request_refund();
    meter.note("refund request", &refund);
    meter.world.chain.advance(301).unwrap();
    let refund = meter.world.request_refund();
    meter.note("forced refund", &refund);
}
