//! Gas of the common messages, compute phase only, against the yardstick of the deployed contracts.

use std::fmt::Write as _;

use cocoon_bindings::client::{IncreaseStakeFromOwner, RegisterFromOwner};
use cocoon_bindings::message::{InternalMessage, StateCommit, wallet_external};
use cocoon_bindings::root::{AddWorkerHashFromOwner, DeleteWorkerHashFromOwner, RegisterProxyFromOwner};
use cocoon_bindings::ton::{Address, HashBytes, Store};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_bindings::{Nanoton, ProxyEndpoints, PublicKey, QueryId, wallet_state_init};
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, OWNER, Outcome, START, WORKER_OWNER, World, query, ton};
use ed25519_dalek::SigningKey;

const QUERY: QueryId = query(46);

/// Lines of message, contract, gas and the most that it may use.
#[derive(Default)]
struct Table(Vec<(&'static str, &'static str, u64, u64)>);

impl Table {
    fn add(&mut self, message: &'static str, contract: &'static str, gas: u64, yardstick: u64) {
        self.0.push((message, contract, gas, yardstick));
    }

    fn pair(
        &mut self,
        message: &'static str,
        outcome: &Outcome,
        at: (&Address, &'static str, u64),
        proxy: (&Address, u64),
    ) {
        outcome.assert_success();
        self.add(message, at.1, outcome.gas(at.0), at.2);
        self.add(message, "proxy", outcome.gas(proxy.0), proxy.1);
    }

    fn text(&self) -> String {
        let mut text = format!("{:<22} {:<8} {:>6} {:>10}\n", "message", "contract", "gas", "yardstick");
        for (message, contract, gas, yardstick) in &self.0 {
            writeln!(text, "{message:<22} {contract:<8} {gas:>6} {yardstick:>10}").unwrap();
        }
        text
    }
}

fn sent(world: &mut World, from: &Address, to: &Address, message: &impl Store) -> u64 {
    let outcome = world.send(from, to, ton("0.7"), message);
    outcome.assert_success();
    outcome.gas(to)
}

fn measure() -> Table {
    let mut table = Table::default();
    let mut world = World::new();
    let (root, proxy, client, worker) = (
        world.root.clone(),
        world.proxy.clone(),
        world.client.clone(),
        world.worker.clone(),
    );
    let stake = world.stake("5");
    table.add("stake increase", "proxy", stake.gas(&proxy), 5_652);
    world.deploy_client();
    world.deploy_worker();
    let top_up = world.top_up("15");
    table.pair("top up", &top_up, (&client, "client", 7_912), (&proxy, 9_957));
    let register = RegisterFromOwner {
        query_id: QUERY,
        nonce: 77,
        send_excesses_to: EXCESSES,
    };
    table.add(
        "register",
        "client",
        sent(&mut world, &CLIENT_OWNER, &client, &register),
        9_417,
    );
    let stake = IncreaseStakeFromOwner {
        query_id: QUERY,
        new_stake: ton("2"),
        send_excesses_to: EXCESSES,
    };
    table.add(
        "stake increase",
        "client",
        sent(&mut world, &CLIENT_OWNER, &client, &stake),
        9_293,
    );
    let register = RegisterWorkerFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    table.add(
        "register",
        "worker",
        sent(&mut world, &WORKER_OWNER, &worker, &register),
        5_187,
    );
    let charge = world.submit(VoucherOp::ClientCharge, 100_000_000);
    table.add("charge", "client", charge.assert_success().gas(&client), 11_549);
    let payout = world.submit(VoucherOp::WorkerPayout, 100_000_000);
    table.pair("payout", &payout, (&worker, "worker", 7_471), (&proxy, 10_511));
    let payout = world.submit(VoucherOp::WorkerLastPayout, 100_000_001);
    table.pair("last payout", &payout, (&worker, "worker", 7_471), (&proxy, 10_511));
    let withdraw = world.withdraw();
    table.pair("withdraw", &withdraw, (&client, "client", 9_016), (&proxy, 11_506));
    world.top_up("3").assert_success();
    let before = world.chain.snapshot();
    let refund = world.submit(VoucherOp::ClientRefund, 110_000_000);
    table.pair("granted refund", &refund, (&client, "client", 11_288), (&proxy, 11_506));
    world.chain.restore(&before).unwrap();
    let refund = world.request_refund();
    table.pair("refund request", &refund, (&client, "client", 10_077), (&proxy, 11_506));
    world.chain.advance(301).unwrap();
    let refund = world.request_refund();
    table.pair("forced refund", &refund, (&client, "client", 8_962), (&proxy, 11_615));
    measure_root(&mut table, &mut world, &root);
    table.add("state commit", "wallet", state_commit(&mut world), 3_003);
    table
}

fn measure_root(table: &mut Table, world: &mut World, root: &Address) {
    // A few hashes, as a network has; each doubling of their number costs one more level of the dictionary.
    for number in 1..4u8 {
        let hash = HashBytes([number.wrapping_mul(37); 32]);
        sent(world, &OWNER, root, &AddWorkerHashFromOwner { query_id: QUERY, hash });
    }
    let hash = HashBytes([5; 32]);
    table.add(
        "add hash",
        "root",
        sent(world, &OWNER, root, &AddWorkerHashFromOwner { query_id: QUERY, hash }),
        8_000,
    );
    let delete = DeleteWorkerHashFromOwner { query_id: QUERY, hash };
    table.add("delete hash", "root", sent(world, &OWNER, root, &delete), 8_000);
    let endpoints = ProxyEndpoints {
        workers: "10.0.0.1:11001".to_owned(),
        clients: "10.0.0.1:11002".to_owned(),
    };
    let register = RegisterProxyFromOwner {
        query_id: QUERY,
        endpoints,
    };
    table.add("register proxy", "root", sent(world, &OWNER, root, &register), 9_000);
}

/// The second message of a wallet, so that its deployment does not count.
fn state_commit(world: &mut World) -> u64 {
    let key = SigningKey::from_bytes(&[9; 32]);
    let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
    let wallet = init.address().unwrap();
    world.chain.fund(&wallet, ton("10")).unwrap();
    let commit = StateCommit {
        query_id: QUERY,
        seqno: 7,
        session_hash: [3; 32],
    };
    let message = InternalMessage {
        to: world.proxy.clone(),
        value: Nanoton::new(1),
        bounce: false,
        body: commit.to_cell().unwrap(),
        state_init: None,
    };
    let mut gas = 0;
    for seqno in 0..2 {
        let init = (seqno == 0).then_some(&init);
        let messages = [(3, message.clone())];
        let external = wallet_external(&wallet, seqno, START + 1000, 0, &messages, &key, init).unwrap();
        let report = world.chain.send_external(external).unwrap();
        gas = report.gas_used();
        world.finish(report);
    }
    gas
}

#[test]
fn no_common_message_uses_more_gas_than_the_deployed_contracts() {
    let table = measure();
    insta::assert_snapshot!(table.text());
    for (message, contract, gas, yardstick) in &table.0 {
        assert!(gas <= yardstick, "{message} at {contract}: {gas} above {yardstick}");
    }
}
