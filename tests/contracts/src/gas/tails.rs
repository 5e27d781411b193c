//! Messages that write the tails of proxy and root.

use cocoon_bindings::checkpoint::{Checkpoint, ReportEquivocation, SignedCheckpoint};
use cocoon_bindings::proxy::ReclaimStakeFromOwner;
use cocoon_bindings::root::{AcceptOwnership, OfferOwnershipFromOwner};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_emulator::NetworkConfig;

use crate::gas::common::QUERY;
use crate::gas::{Meter, Row};
use crate::people::{ANYONE, EXCESSES, OWNER};
use crate::world::{START, World};

/// Longer than any delay of a proxy.
const LONG: u32 = 400 * 24 * 3600;

/// Checkpoints, the common messages at a proxy that has anchored one, the proof of equivocation, the owner's exit.
pub(super) fn anchors(network: &NetworkConfig) -> Vec<Row> {
    let mut meter = Meter::new(World::on(network));
    let proxy = meter.world.proxy.clone();
    meter.world.stake("5").assert_success();
    meter.world.top_up("15").assert_success();
    meter.world.deploy_worker();
    let signed = |world: &World, seqno: u64, size: u64, root: u8| {
        let checkpoint = Checkpoint {
            proxy: world.proxy.clone(),
            seqno,
            size,
            root_hash: HashBytes([root; 32]),
            time: u64::from(START),
        };
        SignedCheckpoint::sign(checkpoint, &world.key).unwrap()
    };
    for (step, seqno) in [("first anchor", 1), ("next anchor", 2)] {
        let anchor = signed(&meter.world, seqno, seqno, 1).anchor(QUERY, &EXCESSES);
        meter.send(step, &EXCESSES, &proxy, &anchor);
    }
    let top_up = meter.world.top_up("3");
    meter.note("top up, anchored", &top_up);
    let payout = meter.world.submit(VoucherOp::WorkerPayout, 1_000_000);
    meter.note("payout, anchored", &payout);
    let withdraw = meter.world.withdraw();
    meter.note("withdraw, anchored", &withdraw);
    let report = ReportEquivocation {
        query_id: QUERY,
        reporter: ANYONE,
        first: signed(&meter.world, 1, 10, 1),
        second: signed(&meter.world, 2, 10, 2),
    };
    meter.send("equivocation", &ANYONE, &proxy, &report);
    let close = meter.world.close(CloseOp::Request);
    meter.send_cell("close, anchored", &ANYONE, &proxy, close);
    meter.world.chain.advance(LONG).unwrap();
    let reclaim = ReclaimStakeFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    meter.send("reclaim the stake", &OWNER, &proxy, &reclaim);
    meter.rows
}

/// The root changes hands in two steps.
pub(super) fn ownership(network: &NetworkConfig) -> Vec<Row> {
    let mut meter = Meter::new(World::on(network));
    let root = meter.world.root.clone();
    let offer = OfferOwnershipFromOwner {
        query_id: QUERY,
        new_owner: ANYONE,
        until: START + 1000,
    };
    meter.send("offer the root", &OWNER, &root, &offer);
    meter.send("accept the root", &ANYONE, &root, &AcceptOwnership { query_id: QUERY });
    meter.rows
}
