//! Every message that a client or worker contract passes on to the proxy contract, against every reason why it comes
//! back: what was on the books is on the books again, the coins are back, and the message can be repeated.

use cocoon_bindings::Nanoton;
use cocoon_bindings::client::{
    AskToTopUp, ClientSummary, ReopenFromOwner, RequestRefundFromOwner, TopUpWithSecretFromOwner, WithdrawFromOwner,
};
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::voucher::{CloseOp, SignedVoucher, VoucherOp};
use cocoon_bindings::worker::WorkerSummary;
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, FEE, Outcome, PRICE, WORKER_OWNER, World, body, tokens, ton};
use cocoon_emulator::{AccountStatus, AccountView, Compute, NetworkConfig, SkipReason};

/// An address of a workchain that does not exist: no message can be sent there.
const NOWHERE: Address = Address::new(7, HashBytes([0x0a; 32]));
const SECRET: HashBytes = HashBytes([0x77; 32]);
/// Tokens that a grant or payout is about.
const COUNT: u64 = 50_000_000;
/// A debt in nanoton with which an account is frozen, and not deleted yet.
const FREEZING: u64 = 500_000_000;

/// What is passed on to the proxy contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    TopUp,
    TopUpWithSecret,
    Reopen,
    Withdraw,
    RequestRefund,
    ForcedRefund,
    Grant,
    GrantWhileClosing,
    Payout,
    LastPayout,
}

const TOP_UPS: [Path; 3] = [Path::TopUp, Path::TopUpWithSecret, Path::Reopen];
const PAYMENTS: [Path; 7] = [
    Path::Withdraw,
    Path::RequestRefund,
    Path::ForcedRefund,
    Path::Grant,
    Path::GrantWhileClosing,
    Path::Payout,
    Path::LastPayout,
];

fn every_path() -> impl Iterator<Item = Path> {
    TOP_UPS.into_iter().chain(PAYMENTS)
}

/// A client with 5 TON at a proxy that can pay, and a worker; each in the state that the path needs.
fn ready(path: Path) -> World {
    ready_on(&NetworkConfig::october_2025(), path)
}

fn ready_on(network: &NetworkConfig, path: Path) -> World {
    let mut world = World::on(network);
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    match path {
        Path::Reopen => {
            world.submit(VoucherOp::ClientRefund, 10).assert_success();
        }
        Path::GrantWhileClosing | Path::ForcedRefund => {
            world.request_refund().assert_success();
            // Something is left to be paid.
            world.top_up("3").assert_success();
            world.chain.advance(301).unwrap();
        }
        _ => {}
    }
    world
}

/// The message: who sends it, to which contract, with which value.
fn message(world: &mut World, path: Path, send_excesses_to: &Address) -> (Address, Address, Nanoton, Cell) {
    let (client, worker) = (world.client.clone(), world.worker.clone());
    let (query_id, send_excesses_to) = (world.next_query(), send_excesses_to.clone());
    let top_up_amount = ton("2");
    let mut signed = |op: VoucherOp| {
        let voucher = SignedVoucher::from_cell(&world.voucher(op, COUNT)).unwrap();
        voucher.with_excesses(&send_excesses_to).to_cell().unwrap()
    };
    match path {
        Path::Grant | Path::GrantWhileClosing => (EXCESSES, client, ton("0.7"), signed(VoucherOp::ClientRefund)),
        Path::Payout => (EXCESSES, worker, ton("0.7"), signed(VoucherOp::WorkerPayout)),
        Path::LastPayout => (EXCESSES, worker, ton("0.7"), signed(VoucherOp::WorkerLastPayout)),
        Path::TopUp => {
            let message = AskToTopUp {
                query_id,
                top_up_amount,
                send_excesses_to,
            };
            (CLIENT_OWNER, client, ton("2.7"), body(&message))
        }
        Path::TopUpWithSecret => {
            let message = TopUpWithSecretFromOwner {
                query_id,
                top_up_amount,
                new_secret_hash: SECRET,
                send_excesses_to,
            };
            (CLIENT_OWNER, client, ton("2.7"), body(&message))
        }
        Path::Reopen => {
            let message = ReopenFromOwner {
                query_id,
                top_up_amount,
                send_excesses_to,
            };
            (CLIENT_OWNER, client, ton("2.7"), body(&message))
        }
        Path::Withdraw => {
            let message = WithdrawFromOwner {
                query_id,
                send_excesses_to,
            };
            (CLIENT_OWNER, client, ton("0.7"), body(&message))
        }
        Path::RequestRefund | Path::ForcedRefund => {
            let message = RequestRefundFromOwner {
                query_id,
                send_excesses_to,
            };
            (CLIENT_OWNER, client, ton("0.7"), body(&message))
        }
    }
}

/// What remains of a step that the proxy did not take: only what the message itself decided.
fn undone(path: Path, before: &ClientSummary, now: u32) -> ClientSummary {
    let mut after = before.clone();
    match path {
        Path::TopUpWithSecret => after.secret_hash = SECRET,
        Path::Reopen => (after.state, after.unlock_ts) = (Lifecycle::Normal, 0),
        Path::RequestRefund => (after.state, after.unlock_ts) = (Lifecycle::Closing, now + 300),
        Path::Grant | Path::GrantWhileClosing => {
            let used = Nanoton::new(PRICE * u128::from(COUNT - before.tokens_used.get()));
            after.balance = before.balance.checked_sub(used).unwrap();
            after.tokens_used = tokens(COUNT);
        }
        _ => {}
    }
    after
}

/// Sends the message and checks that the proxy's refusal undid everything.
fn comes_back(world: &mut World, path: Path, send_excesses_to: &Address) -> Outcome {
    let books = |world: &World| -> (ClientSummary, WorkerSummary) { (world.client_data(), world.worker_data()) };
    let held = |world: &World| (world.balance(&world.client), world.balance(&world.worker));
    let (client, worker) = books(world);
    let at_proxy = world.balance(&world.proxy);
    let (from, to, value, message) = message(world, path, send_excesses_to);
    let before = held(world);
    let outcome = world.send_cell(&from, &to, value, message);
    let proxy = world.proxy.clone();
    assert!(outcome.at(&proxy).bounced, "{path:?} comes back: {outcome:?}");
    let expected = (undone(path, &client, world.chain.now()), worker);
    assert_eq!(books(world), expected, "{path:?} is undone");

    let top_up = TOP_UPS.contains(&path);
    let returned = if top_up { ton("2") } else { Nanoton::ZERO };
    assert_eq!(outcome.received(&CLIENT_OWNER), returned, "{path:?}");
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::ZERO);
    let sum = |parts: &[Nanoton]| parts.iter().copied().try_fold(Nanoton::ZERO, Nanoton::checked_add);
    let after = held(world);
    let storage = [&world.client, &world.worker].map(|child| outcome.storage_fees(child));
    let excesses = outcome.received(&EXCESSES);
    let out = [
        after.0,
        after.1,
        excesses,
        returned,
        outcome.cost(),
        storage[0],
        storage[1],
    ];
    assert_eq!(
        sum(&out),
        sum(&[before.0, before.1, value]),
        "{path:?}: every coin is accounted for"
    );
    if *send_excesses_to == NOWHERE {
        assert_eq!(excesses, Nanoton::ZERO, "{path:?}: what cannot be sent stays");
    } else {
        let stranded = after.0 > before.0.max(ton("0.11")) || after.1 > before.1.max(ton("0.11"));
        assert!(!stranded, "{path:?}: {before:?} {after:?}");
    }
    let storage = outcome.storage_fees(&proxy);
    assert!(
        world.balance(&proxy) >= at_proxy.saturating_sub(storage),
        "{path:?}: the proxy has what it had"
    );
    outcome
}

/// The same message once more, this time with success.
fn is_repeated(world: &mut World, path: Path) {
    let balance = world.client_data().balance;
    let (from, to, value, message) = message(world, path, &EXCESSES);
    let outcome = world.send_cell(&from, &to, value, message);
    outcome.assert_success();
    let (client, worker) = (world.client_data(), world.worker_data());
    let paid = Nanoton::new(FEE * u128::from(COUNT));
    match path {
        Path::TopUp | Path::TopUpWithSecret | Path::Reopen => {
            assert_eq!(client.balance, balance.checked_add(ton("2")).unwrap(), "{path:?}");
        }
        Path::Withdraw => {
            assert_eq!(outcome.received(&CLIENT_OWNER), balance.checked_sub(ton("1")).unwrap());
        }
        Path::Payout | Path::LastPayout => {
            assert_eq!(outcome.received(&WORKER_OWNER), paid, "{path:?}");
            assert_eq!(worker.tokens, tokens(COUNT));
        }
        _ => {
            assert_eq!(outcome.received(&CLIENT_OWNER), balance, "{path:?}");
            assert_eq!((client.balance, client.state), (Nanoton::ZERO, Lifecycle::Closed));
        }
    }
}

/// Ready for the request of a refund to be repeated: the delay has passed.
fn wait(world: &mut World, path: Path) {
    if path == Path::RequestRefund {
        world.chain.advance(301).unwrap();
    }
}

/// The proxy has nothing for a time; its clients and workers can pay for theirs.
fn idle_without_coins(world: &mut World, seconds: u32) {
    let (proxy, client, worker) = (world.proxy.clone(), world.client.clone(), world.worker.clone());
    world.chain.set_balance(&proxy, Nanoton::ZERO).unwrap();
    world.chain.set_balance(&client, ton("5")).unwrap();
    world.chain.set_balance(&worker, ton("5")).unwrap();
    world.chain.advance(seconds).unwrap();
}

/// Seconds after which an account without coins owes so many nanoton.
fn until_debt(account: &AccountView, nanoton: u64) -> u32 {
    // Prices of October 2025: 500 for a cell and 1 for a bit, in nanoton times 65,536 per second.
    u32::try_from(nanoton * 65_536 / (account.cells * 500 + account.bits)).unwrap()
}

fn refill(world: &mut World) {
    let proxy = world.proxy.clone();
    world.chain.set_balance(&proxy, ton("50")).unwrap();
}

#[test]
fn the_proxy_is_not_deployed() {
    for path in every_path() {
        let mut world = ready(path);
        let proxy = world.proxy.clone();
        world.chain.remove_account(&proxy).unwrap();
        let outcome = comes_back(&mut world, path, &EXCESSES);
        assert_eq!(outcome.at(&proxy).compute, Compute::Skipped(SkipReason::NoState));
        let init = world.proxy_init.clone();
        world
            .deploy(&EXCESSES, &proxy, ton("1"), Cell::empty_cell(), init)
            .assert_success();
        world.stake("50").assert_success();
        wait(&mut world, path);
        is_repeated(&mut world, path);
    }
}

#[test]
fn the_proxy_cannot_cover_the_payment() {
    for path in PAYMENTS {
        let mut world = ready(path);
        let proxy = world.proxy.clone();
        world.chain.set_balance(&proxy, ton("0.05")).unwrap();
        let outcome = comes_back(&mut world, path, &EXCESSES);
        assert_eq!(outcome.exit(&proxy), 1001);
        refill(&mut world);
        wait(&mut world, path);
        is_repeated(&mut world, path);
    }
}

#[test]
fn the_rest_of_the_value_cannot_be_sent() {
    for path in every_path() {
        let mut world = ready(path);
        let outcome = comes_back(&mut world, path, &NOWHERE);
        let proxy = outcome.at(&world.proxy);
        assert_eq!(
            (proxy.exit_code(), proxy.action_code()),
            (Some(0), Some(36)),
            "{path:?}"
        );
        wait(&mut world, path);
        is_repeated(&mut world, path);
    }
}

#[test]
fn the_proxy_is_closing_or_closed() {
    for path in every_path() {
        let mut world = ready(path);
        let proxy = world.proxy.clone();
        let request = world.close(CloseOp::Request);
        world.send_cell(&EXCESSES, &proxy, ton("0.7"), request).assert_success();
        if TOP_UPS.contains(&path) {
            let outcome = comes_back(&mut world, path, &EXCESSES);
            assert_eq!(outcome.exit(&proxy), 1006);
        }
        world.chain.advance(600).unwrap();
        let complete = world.close(CloseOp::Complete);
        world
            .send_cell(&EXCESSES, &proxy, ton("0.7"), complete)
            .assert_success();
        // A forced refund is paid from the stake, of which a closed proxy has nothing; it is not refused.
        if path != Path::ForcedRefund {
            let outcome = comes_back(&mut world, path, &EXCESSES);
            assert_eq!(outcome.exit(&proxy), 1006);
        }
    }
}

#[test]
fn the_proxy_is_frozen() {
    for path in every_path() {
        let mut world = ready(path);
        let proxy = world.proxy.clone();
        let account = world.chain.account(&proxy).unwrap().unwrap();
        let (state, seconds) = (account.state_init().unwrap(), until_debt(&account, FREEZING));
        idle_without_coins(&mut world, seconds);
        // The first message finds it in debt and freezes it, the second finds it frozen.
        for _ in 0..2 {
            let outcome = comes_back(&mut world, path, &EXCESSES);
            assert_eq!(outcome.at(&proxy).compute, Compute::Skipped(SkipReason::NoState));
            assert_eq!(outcome.at(&proxy).status_after, AccountStatus::Frozen);
            if path != Path::TopUp {
                break;
            }
        }
        world
            .deploy(&EXCESSES, &proxy, ton("2"), Cell::empty_cell(), state)
            .assert_success();
        refill(&mut world);
        wait(&mut world, path);
        is_repeated(&mut world, path);
    }
}

#[test]
fn the_proxy_owes_for_its_storage() {
    for path in PAYMENTS {
        let mut world = ready(path);
        let proxy = world.proxy.clone();
        let account = world.chain.account(&proxy).unwrap().unwrap();
        let seconds = until_debt(&account, 50_000_000);
        idle_without_coins(&mut world, seconds);
        let outcome = comes_back(&mut world, path, &EXCESSES);
        assert_eq!(outcome.exit(&proxy), 1001);
        let due = world.chain.account(&proxy).unwrap().unwrap().due;
        assert!(due > Nanoton::ZERO && due < ton("0.1"), "{due}");
        refill(&mut world);
        wait(&mut world, path);
        is_repeated(&mut world, path);
    }
}

/// Gas and forwarding at four times the dearest prices that the chain has had: what a message must bring still pays
/// for the way to the proxy, for its refusal, for the way back and for the undoing.
#[test]
fn the_commission_would_do_at_four_times_the_fees() {
    let mut network = NetworkConfig::october_2025();
    network.gas.gas_price *= 4;
    network.gas.flat_gas_price *= 4;
    network.forward.lump_price *= 4;
    network.forward.bit_price *= 4;
    network.forward.cell_price *= 4;
    for path in every_path() {
        let mut world = ready_on(&network, path);
        let (proxy, client, worker) = (world.proxy.clone(), world.client.clone(), world.worker.clone());
        for child in [client, worker] {
            world.chain.set_balance(&child, ton("0.12")).unwrap();
        }
        world.chain.set_balance(&proxy, Nanoton::ZERO).unwrap();
        let before = (world.client_data(), world.worker_data());
        let refused_by_its_actions = TOP_UPS.contains(&path);
        let excesses = if refused_by_its_actions { NOWHERE } else { EXCESSES };
        let (from, to, value, message) = message(&mut world, path, &excesses);
        let least = value
            .checked_sub(ton("0.6"))
            .and_then(|value| value.checked_add(Nanoton::new(1)));
        let outcome = world.send_cell(&from, &to, least.unwrap(), message);
        assert!(outcome.at(&proxy).bounced, "{path:?}");
        assert_eq!(
            outcome
                .reports
                .iter()
                .filter(|report| report.address == to && report.success())
                .count(),
            2
        );
        let expected = (undone(path, &before.0, world.chain.now()), before.1);
        assert_eq!((world.client_data(), world.worker_data()), expected, "{path:?}");
    }
}
