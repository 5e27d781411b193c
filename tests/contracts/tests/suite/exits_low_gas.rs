//! A message either does all that it is for or nothing, whatever value it brings.

use cocoon_bindings::client::{
    AskToTopUp, ChangeSecretHashFromOwner, IncreaseStakeFromOwner, RegisterFromOwner, RequestRefundFromOwner,
    WithdrawFromOwner,
};
use cocoon_bindings::proxy::{AskToIncreaseProxyStake, AskToWithdrawEarnings, CloseProxyFromOwner};
use cocoon_bindings::root::{AddWorkerHashFromOwner, RegisterProxyFromOwner};
use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_bindings::{Nanoton, ProxyEndpoints, StateInit};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, OWNER, Outcome, WORKER_OWNER, World, body, query, ton};
use cocoon_emulator::Snapshot;
use proptest::prelude::*;

/// A message that is sent again and again to the same chain, each time with another value.
struct Trial {
    name: &'static str,
    from: Address,
    to: Address,
    message: Cell,
    init: Option<StateInit>,
    /// What it must bring at least, beyond what it moves.
    moved: Nanoton,
}

/// What all contracts store.
type Books = [Option<Cell>; 4];

fn books(world: &World) -> Books {
    let data = |address: &Address| world.chain.account(address).unwrap().and_then(|account| account.data);
    [&world.root, &world.proxy, &world.client, &world.worker].map(data)
}

fn world() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, 1_000_000).assert_success();
    world
}

fn trials(world: &mut World) -> Vec<Trial> {
    let (root, proxy, client, worker) = (
        world.root.clone(),
        world.proxy.clone(),
        world.client.clone(),
        world.worker.clone(),
    );
    let mut trials = Vec::new();
    let mut add = |name, from: &Address, to: &Address, moved: &str, message: Cell| {
        let (from, to, moved) = (from.clone(), to.clone(), ton(moved));
        trials.push(Trial {
            name,
            from,
            to,
            message,
            init: None,
            moved,
        });
    };
    let (query_id, send_excesses_to) = (query(43), EXCESSES);
    let top_up_amount = ton("1");
    add(
        "top up",
        &ANYONE,
        &client,
        "1",
        body(&AskToTopUp {
            query_id,
            top_up_amount,
            send_excesses_to,
        }),
    );
    add(
        "withdraw",
        &CLIENT_OWNER,
        &client,
        "0",
        body(&WithdrawFromOwner {
            query_id,
            send_excesses_to: EXCESSES,
        }),
    );
    let refund = RequestRefundFromOwner {
        query_id,
        send_excesses_to: EXCESSES,
    };
    add("refund request", &CLIENT_OWNER, &client, "0", body(&refund));
    let register = RegisterFromOwner {
        query_id,
        nonce: 7,
        send_excesses_to: EXCESSES,
    };
    add("register", &CLIENT_OWNER, &client, "0", body(&register));
    let new_secret_hash = HashBytes([3; 32]);
    let secret = ChangeSecretHashFromOwner {
        query_id,
        new_secret_hash,
        send_excesses_to: EXCESSES,
    };
    add("secret", &CLIENT_OWNER, &client, "0", body(&secret));
    let stake = IncreaseStakeFromOwner {
        query_id,
        new_stake: ton("2"),
        send_excesses_to: EXCESSES,
    };
    add("client stake", &CLIENT_OWNER, &client, "0", body(&stake));
    let charge = world.voucher(VoucherOp::ClientCharge, 5_000_000);
    add("charge", &EXCESSES, &client, "0", charge);
    let grant = world.voucher(VoucherOp::ClientRefund, 5_000_000);
    add("granted refund", &EXCESSES, &client, "0", grant);
    let payout = world.voucher(VoucherOp::WorkerPayout, 5_000_000);
    add("payout", &EXCESSES, &worker, "0", payout);
    let payout = world.voucher(VoucherOp::WorkerLastPayout, 5_000_000);
    add("last payout", &EXCESSES, &worker, "0", payout);
    let register = RegisterWorkerFromOwner {
        query_id,
        send_excesses_to: EXCESSES,
    };
    add("worker", &WORKER_OWNER, &worker, "0", body(&register));
    let stake = AskToIncreaseProxyStake {
        query_id,
        stake_amount: ton("1"),
        send_excesses_to: EXCESSES,
    };
    add("proxy stake", &ANYONE, &proxy, "1", body(&stake));
    add(
        "earnings",
        &ANYONE,
        &proxy,
        "0",
        body(&AskToWithdrawEarnings {
            query_id,
            send_excesses_to: EXCESSES,
        }),
    );
    add(
        "close",
        &OWNER,
        &proxy,
        "0",
        body(&CloseProxyFromOwner {
            query_id,
            send_excesses_to: EXCESSES,
        }),
    );
    let close = world.close(CloseOp::Request);
    add("signed close", &EXCESSES, &proxy, "0", close);
    add(
        "add hash",
        &OWNER,
        &root,
        "0",
        body(&AddWorkerHashFromOwner {
            query_id,
            hash: new_secret_hash,
        }),
    );
    let endpoints = ProxyEndpoints {
        workers: "a:1".to_owned(),
        clients: "b:1".to_owned(),
    };
    add(
        "register proxy",
        &OWNER,
        &root,
        "0",
        body(&RegisterProxyFromOwner { query_id, endpoints }),
    );
    trials
}

/// The chain as it was, with every message that is tried on it.
struct Bench {
    world: World,
    start: Snapshot,
    trials: Vec<Trial>,
}

impl Bench {
    fn new(mut world: World) -> Self {
        let trials = trials(&mut world);
        let start = world.chain.snapshot();
        Self { world, start, trials }
    }

    fn send(&mut self, at: usize, value: Nanoton) -> Outcome {
        self.world.chain.restore(&self.start).unwrap();
        let trial = &self.trials[at];
        let first = self
            .world
            .start(&trial.from, &trial.to, value, trial.message.clone(), trial.init.clone());
        self.world.finish(first)
    }

    /// What the message does when it brings plenty.
    fn expect(&mut self, at: usize) -> Expected {
        self.world.chain.restore(&self.start).unwrap();
        let (before, held_before) = (books(&self.world), held(&self.world));
        let plenty = self.trials[at].moved.checked_add(ton("1")).unwrap();
        self.send(at, plenty).assert_success();
        Expected {
            before,
            held_before,
            done: books(&self.world),
            held_after: held(&self.world),
        }
    }

    /// Sends a message with a value and checks that the contracts' books and coins are as before or as after success.
    fn all_or_nothing(&mut self, at: usize, value: Nanoton, expected: &Expected) -> bool {
        let outcome = self.send(at, value);
        let name = self.trials[at].name;
        let (now, held) = (books(&self.world), held(&self.world));
        let succeeded = outcome.at(&self.trials[at].to).success() && !outcome.reports.iter().any(|step| step.bounced);
        if succeeded {
            assert_eq!(now, expected.done, "{name} with {value}: all of it");
            assert_eq!(held, expected.held_after, "{name} with {value}");
        } else {
            assert_eq!(now, expected.before, "{name} with {value}: nothing of it");
            for (now, before) in held.iter().zip(&expected.held_before) {
                // A value that cannot even pay for its way back stays, and is at most what a bounce costs.
                let more = now.get().saturating_sub(before.get());
                assert!(
                    now >= before && more <= 2_000_000,
                    "{name} with {value}: {before} became {now}"
                );
            }
        }
        succeeded
    }
}

/// The contracts before a message and after its success.
struct Expected {
    before: Books,
    held_before: [Nanoton; 4],
    done: Books,
    held_after: [Nanoton; 4],
}

/// Coins of all contracts.
fn held(world: &World) -> [Nanoton; 4] {
    [&world.root, &world.proxy, &world.client, &world.worker].map(|address| world.balance(address))
}

#[test]
fn every_message_does_all_or_nothing_at_every_value() {
    let mut bench = Bench::new(world());
    for at in 0..bench.trials.len() {
        let (moved, expected) = (bench.trials[at].moved, bench.expect(at));
        let mut successes = 0u32;
        // Gas is bought with the value: in the first part the code ends early, in the second a way is cut short.
        let values = (0..50u128)
            .map(|step| step * 100_000)
            .chain((0..30).map(|step| 5_000_000 + step * 5_000_000));
        for value in values {
            for value in [Nanoton::new(value), moved.checked_add(Nanoton::new(value)).unwrap()] {
                successes += u32::from(bench.all_or_nothing(at, value, &expected));
            }
        }
        assert!(successes > 0, "{} succeeds at last", bench.trials[at].name);
    }
}

#[test]
fn the_commission_pays_for_the_way_there_and_back() {
    let mut bench = Bench::new(world());
    for at in 0..bench.trials.len() {
        let trial = &bench.trials[at];
        let least = trial.moved.checked_add(ton("0.100000001")).unwrap();
        let outcome = bench.send(at, least);
        outcome.assert_success();
        let cost = outcome.cost();
        assert!(
            cost < ton("0.02"),
            "{} costs {cost}, a fifth of the commission",
            bench.trials[at].name
        );
    }
}

/// A worker contract without a reserve: what the value leaves must do for the proxy's step and for the bounce, or the
/// payout is refused; once the deployed contract lost it.
#[test]
fn a_payout_by_a_contract_without_a_reserve_is_made_or_refused() {
    for op in [VoucherOp::WorkerPayout, VoucherOp::WorkerLastPayout] {
        let mut world = World::new();
        world.stake("20").assert_success();
        let voucher = world.voucher(op, 1_000);
        let (worker, init) = (world.worker.clone(), world.worker_init.clone());
        let start = world.chain.snapshot();
        let mut paid = 0;
        for step in 0..130u128 {
            world.chain.restore(&start).unwrap();
            let value = Nanoton::new(90_000_000 + step * 1_000_000);
            let outcome = world.deploy(&ANYONE, &worker, value, voucher.clone(), init.clone());
            let received = outcome.received(&WORKER_OWNER);
            if outcome.at(&worker).success() {
                assert_eq!(received, Nanoton::new(19_000), "{value}");
                paid += 1;
            } else {
                assert_eq!(received, Nanoton::ZERO, "{value}");
                assert_eq!(world.worker_data().tokens.get(), 0, "{value}");
            }
        }
        assert!(paid > 0);
        world.chain.restore(&start).unwrap();
        let outcome = world.deploy(&ANYONE, &worker, ton("0.209999999"), voucher, init);
        outcome.assert_refused(&worker, ExitCode::LowContractBalance);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_message_does_all_or_nothing_at_any_value(at in any::<prop::sample::Index>(), value in 0..1_200_000_000u64) {
        let mut bench = Bench::new(world());
        let at = at.index(bench.trials.len());
        let expected = bench.expect(at);
        bench.all_or_nothing(at, Nanoton::new(u128::from(value)), &expected);
    }
}
