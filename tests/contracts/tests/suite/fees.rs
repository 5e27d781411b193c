//! The amounts in `contracts/fees.tolk`: what each must suffice for, under the dearer fees.

use cocoon_bindings::Nanoton;
use cocoon_bindings::checkpoint::{ReportEquivocation, SignedCheckpoint};
use cocoon_bindings::client::{ChangeSecretHashFromOwner, IncreaseStakeFromOwner, RegisterFromOwner, ReopenFromOwner};
use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, Outcome, WORKER_OWNER, World, body, query, ton};

use crate::anchor::{anchor, checkpoint};

/// What `fees.tolk` calls COMMISSION.
const COMMISSION: &str = "0.1";
/// Seconds of a day.
const DAY: u32 = 24 * 3600;

/// Messages with what gas and forwarding cost on their whole way.
#[derive(Default)]
struct Costs(Vec<(&'static str, Nanoton)>);

impl Costs {
    fn add(&mut self, message: &'static str, outcome: &Outcome) {
        self.0.push((message, outcome.assert_success().cost()));
    }

    /// Ways that end in a bounce count too.
    fn bounced(&mut self, message: &'static str, outcome: &Outcome) {
        self.0.push((message, outcome.cost()));
    }
}

/// A world whose proxy has a tail, so that no way is cheaper than it can be.
fn seasoned() -> World {
    let mut world = World::new();
    let message = anchor(&world, checkpoint(&world, 1, 1, 1, 1));
    let proxy = world.proxy.clone();
    world.send_cell(&ANYONE, &proxy, ton("0.2"), message).assert_success();
    world.deploy_worker();
    world
}

fn of_proxy(costs: &mut Costs) {
    let mut world = seasoned();
    let proxy = world.proxy.clone();
    costs.add("stake increase", &world.stake("5"));
    let message = anchor(&world, checkpoint(&world, 2, 2, 2, 2));
    costs.add("anchor", &world.send_cell(&ANYONE, &proxy, ton("0.2"), message));
    let [first, second] = [1, 2].map(|root| {
        let checkpoint = checkpoint(&world, 9, 9, root, 9);
        SignedCheckpoint::sign(checkpoint, &world.key).unwrap()
    });
    let report = ReportEquivocation {
        query_id: query(1),
        reporter: ANYONE,
        first,
        second,
    };
    costs.add("equivocation", &world.send(&ANYONE, &proxy, ton("0.2"), &report));
}

fn of_client(costs: &mut Costs) {
    let mut world = seasoned();
    let client = world.client.clone();
    world.stake("5").assert_success();
    costs.add("top up with deployment", &world.top_up("15"));
    costs.add("top up", &world.top_up("15"));
    let (query_id, send_excesses_to) = (query(1), EXCESSES);
    let new_secret_hash = HashBytes([1; 32]);
    let owners = [
        body(&RegisterFromOwner {
            query_id,
            nonce: 7,
            send_excesses_to: send_excesses_to.clone(),
        }),
        body(&ChangeSecretHashFromOwner {
            query_id,
            new_secret_hash,
            send_excesses_to: send_excesses_to.clone(),
        }),
        body(&IncreaseStakeFromOwner {
            query_id,
            new_stake: ton("2"),
            send_excesses_to: send_excesses_to.clone(),
        }),
    ];
    for message in owners {
        costs.add(
            "owner's message",
            &world.send_cell(&CLIENT_OWNER, &client, ton("0.7"), message),
        );
    }
    costs.add("charge", &world.submit(VoucherOp::ClientCharge, 100_000_000));
    costs.add("withdraw", &world.withdraw());
    let before = world.chain.snapshot();
    costs.add("granted refund", &world.submit(VoucherOp::ClientRefund, 110_000_000));
    let reopen = ReopenFromOwner {
        query_id,
        top_up_amount: ton("5"),
        send_excesses_to,
    };
    costs.add("reopen", &world.send(&CLIENT_OWNER, &client, ton("5.5"), &reopen));
    costs.add(
        "charge after reopening",
        &world.submit(VoucherOp::ClientCharge, 120_000_000),
    );
    world.chain.restore(&before).unwrap();
    world.top_up("15").assert_success();
    costs.add("refund request", &world.request_refund());
    world.chain.advance(301).unwrap();
    costs.add("forced refund", &world.request_refund());
}

fn of_worker(costs: &mut Costs) {
    let mut world = seasoned();
    world.stake("5").assert_success();
    world.top_up("5").assert_success();
    let register = RegisterWorkerFromOwner {
        query_id: query(1),
        send_excesses_to: EXCESSES,
    };
    let worker = world.worker.clone();
    costs.add("register", &world.send(&WORKER_OWNER, &worker, ton("0.7"), &register));
    costs.add("payout", &world.submit(VoucherOp::WorkerPayout, 100_000_000));
    let before = world.chain.snapshot();
    costs.add("last payout", &world.submit(VoucherOp::WorkerLastPayout, 200_000_000));
    world.chain.restore(&before).unwrap();
    let outcome = world.submit(VoucherOp::WorkerPayout, 100_000_000_000);
    assert!(!outcome.at(&world.proxy).success(), "the proxy does not have that much");
    costs.bounced("payout that bounces", &outcome);
}

#[test]
fn the_commission_covers_gas_and_forwarding_of_every_message() {
    let mut costs = Costs::default();
    of_proxy(&mut costs);
    of_client(&mut costs);
    of_worker(&mut costs);
    for (message, cost) in &costs.0 {
        assert!(*cost < ton(COMMISSION), "{message} costs {cost}");
    }
    let dearest = costs.0.iter().map(|(_, cost)| *cost).max().unwrap();
    assert!(dearest < ton("0.01"), "the dearest message costs {dearest}");
}

/// What a contract pays for a year of storage.
fn yearly(world: &mut World, address: &Address) -> Nanoton {
    world.send_cell(&ANYONE, address, ton("1"), Cell::default());
    world.chain.advance(365 * DAY).unwrap();
    let outcome = world.send_cell(&ANYONE, address, ton("1"), Cell::default());
    outcome.storage_fees(address)
}

fn days(reserve: &str, yearly: Nanoton) -> u128 {
    ton(reserve).get() * 365 / yearly.get()
}

#[test]
fn the_reserves_pay_storage_for_the_time_that_fees_states() {
    let mut world = seasoned();
    world.top_up("5").assert_success();
    let (proxy, client, worker) = (world.proxy.clone(), world.client.clone(), world.worker.clone());
    let [proxy, client, worker] = [proxy, client, worker].map(|address| yearly(&mut world, &address));
    assert!(days("0.01", proxy) >= 49, "{}", days("0.01", proxy));
    assert!(days("0.11", client) >= 3 * 365, "{}", days("0.11", client));
    assert!(days("0.11", worker) >= 6 * 365, "{}", days("0.11", worker));
}
