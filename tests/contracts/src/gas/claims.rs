//! Claims by what the proxy has signed, and payouts that bring a score.

use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_bindings::worker::{LatencyBuckets, WorkerScore};
use cocoon_emulator::NetworkConfig;

use crate::gas::common::QUERY;
use crate::gas::{Meter, Row};
use crate::messages::tokens;
use crate::people::{ANYONE, EXCESSES};
use crate::receipts::{client_claims, settle, worker_claims};
use crate::world::World;

/// Longer than the delay of a claim.
const DELAY: u32 = 400;

/// A dispute of a worker and of a client, and two payouts with a score.
pub(super) fn walk(network: &NetworkConfig) -> Vec<Row> {
    let mut meter = Meter::new(World::on(network));
    meter.world.stake("5").assert_success();
    meter.world.top_up("15").assert_success();
    meter.world.deploy_worker();
    let (worker, client) = (meter.world.worker.clone(), meter.world.client.clone());
    let outcome = worker_claims(&mut meter.world, 1_000_000);
    meter.note("claim", &outcome);
    let outcome = client_claims(&mut meter.world, 1_000_000);
    meter.note("claim", &outcome);
    meter.world.chain.advance(DELAY).unwrap();
    meter.send_cell("settle a claim", &ANYONE, &worker, settle(QUERY));
    meter.send_cell("settle a claim", &ANYONE, &client, settle(QUERY));
    for (step, requests) in [("first payout with a score", 10), ("next payout with a score", 20)] {
        let score = WorkerScore {
            requests,
            failures: 1,
            tokens: tokens(1_000_000),
            latency: LatencyBuckets {
                within100_ms: 0,
                within250_ms: 9,
                within500_ms: 0,
                within1_s: 0,
                within2500_ms: 0,
                within5_s: 0,
                within10_s: 0,
                later: 0,
            },
        };
        let count = tokens(1_000_000 + requests);
        let voucher = SignedVoucher::sign_with_score(
            VoucherOp::WorkerPayout,
            QUERY,
            count,
            &worker,
            &EXCESSES,
            score,
            &meter.world.key,
        );
        meter.send_cell(step, &ANYONE, &worker, voucher.unwrap().to_cell().unwrap());
    }
    meter.rows
}
