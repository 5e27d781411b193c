//! What the proxy refuses comes back, and nothing is lost on the way.

use cocoon_bindings::Nanoton;
use cocoon_bindings::client::{AskToTopUp, ReopenFromOwner};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, FEE, PRICE, WORKER_OWNER, World, body, tokens, ton};
use cocoon_emulator::NetworkConfig;

/// Tokens whose worker's part is just below 16 TON.
const MANY: u64 = 842_000_000;

/// A proxy whose coins have gone to a worker, while the client's balance of 15 TON is still on the books.
fn drained() -> World {
    let mut world = World::new();
    world.stake("1").assert_success();
    world.top_up("15").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, MANY).assert_success();
    assert_eq!(world.client_data().balance, ton("15"));
    assert!(world.balance(&world.proxy) < ton("0.3"));
    world
}

/// Gives a drained proxy coins that are nobody's.
fn refill(world: &mut World) {
    world.stake("30").assert_success();
}

#[test]
fn a_payout_that_the_proxy_cannot_cover_leaves_the_tokens_unpaid() {
    let mut world = drained();
    let held = world.balance(&world.worker);
    let outcome = world.submit(VoucherOp::WorkerPayout, 2 * MANY);
    outcome.assert_refused(&world.proxy, ExitCode::LowContractBalance);
    assert_eq!(world.worker_data().tokens, tokens(MANY));
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::ZERO);
    // The value is not stranded on the worker contract.
    assert_eq!(world.balance(&world.worker), held);
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );

    refill(&mut world);
    let outcome = world.submit(VoucherOp::WorkerPayout, 2 * MANY);
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::new(FEE * u128::from(MANY)));
    assert_eq!(world.worker_data().tokens, tokens(2 * MANY));
}

#[test]
fn the_same_voucher_is_paid_after_its_bounce() {
    let mut world = drained();
    let voucher = world.voucher(VoucherOp::WorkerPayout, 2 * MANY);
    let worker = world.worker.clone();
    world.send_cell(&EXCESSES, &worker, ton("0.7"), voucher.clone());
    refill(&mut world);
    let outcome = world.send_cell(&EXCESSES, &worker, ton("0.7"), voucher.clone());
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::new(FEE * u128::from(MANY)));
    world.refused(&EXCESSES, &worker, "0.7", voucher, ExitCode::OldMessage);
}

#[test]
fn a_last_payout_that_bounces_leaves_the_worker_open() {
    let mut world = drained();
    world
        .submit(VoucherOp::WorkerLastPayout, 2 * MANY)
        .assert_refused(&world.proxy, ExitCode::LowContractBalance);
    let worker = world.worker_data();
    assert_eq!((worker.tokens, worker.state), (tokens(MANY), Lifecycle::Normal));
    refill(&mut world);
    let outcome = world.submit(VoucherOp::WorkerLastPayout, 2 * MANY);
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::new(FEE * u128::from(MANY)));
    assert_eq!(world.worker_data().state, Lifecycle::Closed);
}

#[test]
fn a_bounce_that_comes_after_the_next_payout_takes_back_only_its_own_tokens() {
    let mut world = drained();
    let worker = world.worker.clone();
    let first = world.voucher(VoucherOp::WorkerPayout, 2 * MANY);
    world.start(&EXCESSES, &worker, ton("0.7"), first, None);
    // The proxy refuses the first payout, and before the bounce arrives a second one is under way.
    world.chain.step().unwrap();
    let second = world.voucher(VoucherOp::WorkerPayout, 2 * MANY + 1);
    world.start(&EXCESSES, &worker, ton("0.7"), second, None);
    assert_eq!(world.worker_data().tokens, tokens(2 * MANY + 1));
    world.chain.run().unwrap();
    assert_eq!(world.worker_data().tokens, tokens(MANY + 1));
    refill(&mut world);
    let outcome = world.submit(VoucherOp::WorkerPayout, 2 * MANY + 1);
    assert_eq!(outcome.received(&WORKER_OWNER), Nanoton::new(FEE * u128::from(MANY)));
}

#[test]
fn a_withdrawal_that_bounces_is_on_the_books_again() {
    let mut world = drained();
    let outcome = world.withdraw();
    outcome.assert_refused(&world.proxy, ExitCode::LowContractBalance);
    let client = world.client_data();
    assert_eq!((client.balance, client.state), (ton("15"), Lifecycle::Normal));
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );

    refill(&mut world);
    let outcome = world.withdraw();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("14"));
    assert_eq!(world.client_data().balance, ton("1"));
}

#[test]
fn a_refund_that_bounces_leaves_the_client_closing_with_its_balance() {
    let mut world = drained();
    world
        .request_refund()
        .assert_refused(&world.proxy, ExitCode::LowContractBalance);
    let client = world.client_data();
    assert_eq!((client.balance, client.state), (ton("15"), Lifecycle::Closing));
    assert!(client.unlock_ts > world.chain.now());
}

#[test]
fn a_granted_refund_that_bounces_can_be_repeated() {
    let mut world = drained();
    let grant = world.voucher(VoucherOp::ClientRefund, 1000);
    let client = world.client.clone();
    let left = ton("15").checked_sub(Nanoton::new(1000 * PRICE)).unwrap();
    for state in [Lifecycle::Normal, Lifecycle::Closing] {
        let outcome = world.send_cell(&EXCESSES, &client, ton("0.7"), grant.clone());
        outcome.assert_refused(&world.proxy, ExitCode::LowContractBalance);
        let data = world.client_data();
        assert_eq!(
            (data.balance, data.state, data.tokens_used),
            (left, state, tokens(1000))
        );
        if state == Lifecycle::Normal {
            world.request_refund();
        }
    }
    refill(&mut world);
    let outcome = world.send_cell(&EXCESSES, &client, ton("0.7"), grant.clone());
    assert_eq!(outcome.received(&CLIENT_OWNER), left);
    assert_eq!(world.client_data().state, Lifecycle::Closed);
    world.refused(&EXCESSES, &client, "0.7", grant, ExitCode::Closed);
}

#[test]
fn a_forced_refund_that_bounces_can_be_repeated() {
    let mut world = drained();
    world.request_refund();
    world.chain.advance(301).unwrap();
    world
        .request_refund()
        .assert_refused(&world.proxy, ExitCode::LowContractBalance);
    let client = world.client_data();
    assert_eq!((client.balance, client.state), (ton("15"), Lifecycle::Closing));
    assert_eq!(world.proxy_data().stake, ton("1"));

    refill(&mut world);
    let outcome = world.request_refund();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("15"));
    assert_eq!(world.client_data().state, Lifecycle::Closed);
    assert_eq!(world.proxy_data().stake, ton("16"));
}

#[test]
fn a_top_up_that_no_proxy_takes_goes_back_to_the_owner() {
    let mut world = World::without_proxy(&NetworkConfig::october_2025());
    let outcome = world.top_up("5");
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("5"));
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
    assert_eq!(world.balance(&world.client), ton("0.11"));
    let spent = outcome.cost().checked_add(ton("5.11")).unwrap();
    assert_eq!(outcome.received(&EXCESSES), ton("5.5").checked_sub(spent).unwrap());
}

#[test]
fn of_a_top_up_that_bounces_the_proxy_gets_what_was_charged_meanwhile() {
    let mut world = World::without_proxy(&NetworkConfig::october_2025());
    world.deploy_client();
    let (client, proxy) = (world.client.clone(), world.proxy.clone());
    let message = AskToTopUp {
        query_id: world.next_query(),
        top_up_amount: ton("5"),
        send_excesses_to: EXCESSES,
    };
    world.start(&CLIENT_OWNER, &client, ton("5.5"), body(&message), None);
    let charge = world.voucher(VoucherOp::ClientCharge, 100_000_000);
    let outcome = world.start(&EXCESSES, &client, ton("0.7"), charge, None);
    assert_eq!(world.client_data().balance, ton("3"));
    let outcome = world.finish(outcome);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("3"));
    // The charge's notice brings one nanoton more.
    assert_eq!(world.balance(&proxy), ton("2.000000001"));
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
}

#[test]
fn a_reopening_that_bounces_returns_the_coins() {
    let mut world = World::without_proxy(&NetworkConfig::october_2025());
    world.deploy_client();
    world.request_refund();
    world.chain.advance(301).unwrap();
    world.request_refund();
    // There was nothing to refund and nobody to ask, so the close was undone.
    assert_eq!(world.client_data().state, Lifecycle::Closing);
    let message = ReopenFromOwner {
        query_id: world.next_query(),
        top_up_amount: ton("5"),
        send_excesses_to: EXCESSES,
    };
    let outcome = world.send(&CLIENT_OWNER, &world.client.clone(), ton("5.7"), &message);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("5"));
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
}
