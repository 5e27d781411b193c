//! The whole life of a small network, every balance checked to the nanoton.

use cocoon_bindings::client::{
    AskToTopUp, GetCocoonClientData, RegisterFromOwner, RequestRefundFromOwner, WithdrawFromOwner,
};
use cocoon_bindings::proxy::{AskToIncreaseProxyStake, AskToWithdrawEarnings, GetCocoonProxyData};
use cocoon_bindings::types::{ExitCode, Lifecycle};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_bindings::worker::{GetCocoonWorkerData, RegisterWorkerFromOwner};
use cocoon_bindings::{Nanoton, TokenCount};
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, FEE, OWNER, Outcome, PRICE, WORKER_OWNER, World, body, ton};
use cocoon_emulator::NetworkConfig;

/// Value of messages that move nothing themselves.
const VALUE: &str = "0.7";
/// What a client or worker contract keeps.
const KEPT: &str = "0.11";

/// The world with what every account must hold.
struct Life {
    world: World,
    proxy: Nanoton,
    client: Nanoton,
    worker: Nanoton,
}

impl Life {
    fn begin(network: &NetworkConfig) -> Self {
        let world = World::on(network);
        let proxy = world.balance(&world.proxy);
        Self {
            world,
            proxy,
            client: Nanoton::ZERO,
            worker: Nanoton::ZERO,
        }
    }

    /// What a message led to: the excesses are the value less what moved and what gas and forwarding cost, and every
    /// contract holds what it must.
    fn check(&mut self, outcome: &Outcome, value: Nanoton, moved: Nanoton) {
        outcome.assert_success();
        let spent = moved.checked_add(outcome.cost()).unwrap();
        assert_eq!(
            outcome.received(&EXCESSES),
            value.checked_sub(spent).unwrap(),
            "excesses"
        );
        self.check_balances();
    }

    fn check_balances(&self) {
        let world = &self.world;
        assert_eq!(world.balance(&world.proxy), self.proxy, "proxy contract");
        assert_eq!(world.balance(&world.client), self.client, "client contract");
        assert_eq!(world.balance(&world.worker), self.worker, "worker contract");
    }

    /// A notice to the proxy contract carries one nanoton.
    fn notice(&mut self) -> Nanoton {
        self.proxy = add(self.proxy, Nanoton::new(1));
        Nanoton::new(1)
    }

    fn client_books(&self) -> (Nanoton, TokenCount, Lifecycle) {
        let client = self.world.get(&self.world.client, &GetCocoonClientData);
        (client.balance, client.tokens_used, client.state)
    }

    fn proxy_books(&self) -> (Nanoton, Nanoton, Lifecycle) {
        let proxy = self.world.get(&self.world.proxy, &GetCocoonProxyData);
        (proxy.balance, proxy.stake, proxy.state)
    }

    fn worker_tokens(&self) -> TokenCount {
        self.world.get(&self.world.worker, &GetCocoonWorkerData).tokens
    }

    fn stake(&mut self) {
        let world = &mut self.world;
        let message = AskToIncreaseProxyStake {
            query_id: world.next_query(),
            stake_amount: ton("1"),
            send_excesses_to: EXCESSES,
        };
        let outcome = world.send(&OWNER, &world.proxy.clone(), ton("1.5"), &message);
        self.proxy = add(self.proxy, ton("1"));
        self.check(&outcome, ton("1.5"), ton("1"));
        assert_eq!(self.proxy_books(), (Nanoton::ZERO, ton("1"), Lifecycle::Normal));
    }

    fn deploy_client_with_top_up(&mut self) {
        let world = &mut self.world;
        let message = AskToTopUp {
            query_id: world.next_query(),
            top_up_amount: ton("15"),
            send_excesses_to: EXCESSES,
        };
        let (to, init) = (world.client.clone(), world.client_init.clone());
        let outcome = world.deploy(&CLIENT_OWNER, &to, ton("15.5"), body(&message), init);
        self.client = ton(KEPT);
        self.proxy = add(self.proxy, ton("15"));
        self.check(&outcome, ton("15.5"), add(ton("15"), ton(KEPT)));
        assert_eq!(self.client_books(), (ton("15"), TokenCount::new(0), Lifecycle::Normal));
    }

    fn register_client(&mut self) {
        let world = &mut self.world;
        let message = RegisterFromOwner {
            query_id: world.next_query(),
            nonce: 77,
            send_excesses_to: EXCESSES,
        };
        let outcome = world.send(&CLIENT_OWNER, &world.client.clone(), ton(VALUE), &message);
        let notice = self.notice();
        self.check(&outcome, ton(VALUE), notice);
    }

    fn deploy_worker_with_register(&mut self) {
        let world = &mut self.world;
        let message = RegisterWorkerFromOwner {
            query_id: world.next_query(),
            send_excesses_to: EXCESSES,
        };
        let (to, init) = (world.worker.clone(), world.worker_init.clone());
        let outcome = world.deploy(&WORKER_OWNER, &to, ton(VALUE), body(&message), init);
        self.worker = ton(KEPT);
        let moved = add(self.notice(), ton(KEPT));
        self.check(&outcome, ton(VALUE), moved);
    }

    fn charge(&mut self, count: u64) {
        let before = self.client_books();
        let outcome = self.world.submit(VoucherOp::ClientCharge, count);
        let notice = self.notice();
        self.check(&outcome, ton(VALUE), notice);
        let charged = price(PRICE, count - before.1.get());
        let left = before.0.checked_sub(charged).unwrap();
        assert_eq!(self.client_books(), (left, TokenCount::new(count), Lifecycle::Normal));
    }

    fn pay_worker(&mut self, op: VoucherOp, count: u64) {
        let (tokens, earned) = (self.worker_tokens().get(), self.proxy_books().0);
        let outcome = self.world.submit(op, count);
        let paid = price(FEE, count - tokens);
        self.proxy = self.proxy.checked_sub(paid).unwrap();
        self.check(&outcome, ton(VALUE), Nanoton::ZERO);
        assert_eq!(outcome.received(&WORKER_OWNER), paid);
        assert_eq!(self.worker_tokens(), TokenCount::new(count));
        assert_eq!(self.proxy_books().0, add(earned, price(PRICE - FEE, count - tokens)));
    }

    fn withdraw_earnings(&mut self) {
        let earned = self.proxy_books().0;
        let world = &mut self.world;
        let message = AskToWithdrawEarnings {
            query_id: world.next_query(),
            send_excesses_to: EXCESSES,
        };
        let outcome = world.send(&EXCESSES, &world.proxy.clone(), ton(VALUE), &message);
        self.proxy = self.proxy.checked_sub(earned).unwrap();
        self.check(&outcome, ton(VALUE), Nanoton::ZERO);
        assert_eq!(outcome.received(&OWNER), earned);
        assert_eq!(self.proxy_books().0, Nanoton::ZERO);
    }

    fn withdraw(&mut self, expected: Nanoton) {
        let world = &mut self.world;
        let message = WithdrawFromOwner {
            query_id: world.next_query(),
            send_excesses_to: EXCESSES,
        };
        let outcome = world.send(&CLIENT_OWNER, &world.client.clone(), ton(VALUE), &message);
        self.proxy = self.proxy.checked_sub(expected).unwrap();
        self.check(&outcome, ton(VALUE), Nanoton::ZERO);
        assert_eq!(outcome.received(&CLIENT_OWNER), expected);
    }

    fn request_refund(&mut self) -> Outcome {
        let world = &mut self.world;
        let message = RequestRefundFromOwner {
            query_id: world.next_query(),
            send_excesses_to: EXCESSES,
        };
        world.send(&CLIENT_OWNER, &world.client.clone(), ton(VALUE), &message)
    }

    /// The forced refund: after the delay the client's owner gets the balance out of the proxy's stake.
    fn force_refund(&mut self, expected: Nanoton) {
        let outcome = self.request_refund();
        let notice = self.notice();
        self.check(&outcome, ton(VALUE), notice);
        assert_eq!(self.client_books().2, Lifecycle::Closing);
        self.request_refund()
            .assert_refused(&self.world.client, ExitCode::NotUnlockedYet);
        self.check_balances();
        self.world.chain.advance(301).unwrap();
        let outcome = self.request_refund();
        let (client, proxy) = (&self.world.client, &self.world.proxy);
        // The message makes up for the client's storage; the proxy pays for its own.
        let made_up = outcome.storage_fees(client);
        let spent = add(self.proxy, outcome.cost()).checked_sub(self.proxy).unwrap();
        self.proxy = self
            .proxy
            .checked_sub(add(expected, outcome.storage_fees(proxy)))
            .unwrap();
        let excesses = ton(VALUE).checked_sub(add(spent, made_up)).unwrap();
        assert_eq!(outcome.received(&EXCESSES), excesses);
        assert_eq!(outcome.received(&CLIENT_OWNER), expected);
        outcome.assert_success();
        self.check_balances();
        assert_eq!(self.client_books().2, Lifecycle::Closed);
        assert_eq!(self.client_books().0, Nanoton::ZERO);
    }

    fn close_proxy(&mut self) {
        let proxy = self.world.proxy.clone();
        let request = self.world.close(CloseOp::Request);
        let outcome = self.world.send_cell(&EXCESSES, &proxy, ton(VALUE), request);
        self.check(&outcome, ton(VALUE), Nanoton::ZERO);
        let complete = self.world.close(CloseOp::Complete);
        let early = self.world.send_cell(&EXCESSES, &proxy, ton(VALUE), complete.clone());
        early.assert_refused(&proxy, ExitCode::NotUnlockedYet);
        self.world.chain.advance(600).unwrap();
        let outcome = self.world.send_cell(&EXCESSES, &proxy, ton(VALUE), complete);
        outcome.assert_success();
        let had = add(self.proxy, ton(VALUE));
        let spent = add(outcome.cost(), outcome.storage_fees(&proxy));
        self.proxy = ton("0.01");
        assert_eq!(
            outcome.received(&OWNER),
            had.checked_sub(add(spent, self.proxy)).unwrap()
        );
        self.check_balances();
        assert_eq!(self.proxy_books(), (Nanoton::ZERO, Nanoton::ZERO, Lifecycle::Closed));
    }
}

fn add(one: Nanoton, other: Nanoton) -> Nanoton {
    one.checked_add(other).unwrap()
}

fn price(per_token: u128, count: u64) -> Nanoton {
    Nanoton::new(per_token * u128::from(count))
}

fn live_on(network: &NetworkConfig) {
    let mut life = Life::begin(network);
    life.stake();
    life.deploy_client_with_top_up();
    life.register_client();
    life.deploy_worker_with_register();
    life.charge(100_000_000);
    life.charge(100_000_001);
    life.charge(300_000_000);
    life.pay_worker(VoucherOp::WorkerPayout, 100_000_000);
    life.pay_worker(VoucherOp::WorkerPayout, 250_000_001);
    life.withdraw_earnings();
    // 15 paid in, 300 million tokens at 20 nanoton charged, a stake of 1 stays.
    life.withdraw(ton("8"));
    life.force_refund(ton("1"));
    life.close_worker();
    life.close_proxy();
}

impl Life {
    /// The last payout closes the worker contract. Time has passed since its last message.
    fn close_worker(&mut self) {
        let outcome = self.world.submit(VoucherOp::WorkerLastPayout, 300_000_000);
        outcome.assert_success();
        let paid = price(FEE, 300_000_000 - 250_000_001);
        self.proxy = self
            .proxy
            .checked_sub(add(paid, outcome.storage_fees(&self.world.proxy)))
            .unwrap();
        let spent = add(outcome.cost(), outcome.storage_fees(&self.world.worker));
        assert_eq!(outcome.received(&WORKER_OWNER), paid);
        assert_eq!(outcome.received(&EXCESSES), ton(VALUE).checked_sub(spent).unwrap());
        self.check_balances();
        let closed = self.world.submit(VoucherOp::WorkerPayout, 400_000_000);
        closed.assert_refused(&self.world.worker, ExitCode::Closed);
    }
}

#[test]
fn a_network_lives_and_closes_with_every_nanoton_in_its_place() {
    live_on(&NetworkConfig::october_2025());
}

#[test]
fn the_same_life_under_cheaper_fees() {
    live_on(&NetworkConfig::spring_2026());
}
