//! No order of messages, refusals, bounces and delays mints, burns or strands coins.

use cocoon_bindings::Nanoton;
use cocoon_bindings::client::{AskToTopUp, ReopenFromOwner, RequestRefundFromOwner, WithdrawFromOwner};
use cocoon_bindings::proxy::AskToWithdrawEarnings;
use cocoon_bindings::ton::{Address, Cell, from_cell};
use cocoon_bindings::types::{ClientPayload, ClientStep, Lifecycle, WorkerStep};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, FEE, OWNER, PRICE, WORKER_OWNER, World, body, ton};
use cocoon_emulator::TransactionReport;
use proptest::prelude::*;

/// One thing that somebody does, or the chain.
#[derive(Debug, Clone)]
enum Step {
    TopUp(u64),
    Reopen(u64),
    Charge(u64),
    Grant(u64),
    Withdraw,
    RequestRefund,
    Pay(u64),
    LastPay(u64),
    WithdrawEarnings,
    Wait(u32),
    /// Delivers one of the messages under way, not necessarily the oldest.
    Deliver(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..8u64).prop_map(Step::TopUp),
        1 => (1..4u64).prop_map(Step::Reopen),
        3 => (0..100_000_000u64).prop_map(Step::Charge),
        1 => (0..100_000_000u64).prop_map(Step::Grant),
        1 => Just(Step::Withdraw),
        1 => Just(Step::RequestRefund),
        3 => (0..200_000_000u64).prop_map(Step::Pay),
        1 => (0..200_000_000u64).prop_map(Step::LastPay),
        1 => Just(Step::WithdrawEarnings),
        1 => (1..400u32).prop_map(Step::Wait),
        8 => (0..5usize).prop_map(Step::Deliver),
    ]
}

/// Coins of the network as they should be, computed from what the transactions did.
#[derive(Default)]
struct Model {
    /// Charged to the client and not paid to anybody yet, or owed: the proxy may pay workers ahead of charges.
    charged: i128,
    /// Paid to workers' owners.
    paid_to_workers: i128,
    /// Asked for by forced refunds: they are paid from the stake, and the client's own coins become the proxy's.
    forfeited: i128,
    /// Notices of one nanoton, storage fees of the proxy.
    notices: i128,
    storage: i128,
    /// Earnings that were withdrawn.
    withdrawn: i128,
    /// What messages brought to lift the contract to its storage reserve.
    lifted: i128,
}

struct Run {
    world: World,
    model: Model,
    start: i128,
    client_tokens: u64,
    worker_tokens: u64,
}

fn signed(amount: Nanoton) -> i128 {
    i128::try_from(amount.get()).unwrap()
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        let start = signed(world.balance(&world.proxy));
        world.stake("3").assert_success();
        world.deploy_client();
        world.deploy_worker();
        Self {
            world,
            model: Model::default(),
            start,
            client_tokens: 0,
            worker_tokens: 0,
        }
    }

    fn send(&mut self, from: &Address, to: Address, value: &str, message: Cell) {
        let before = self.world.client_data();
        let held = self.world.balance(&self.world.proxy);
        let report = self.world.start(from, &to, ton(value), message, None);
        self.account(&report, held);
        let after = self.world.client_data();
        // The only change of the client's balance that leaves the books of the client is a charge.
        if report.success() && to == self.world.client && after.tokens_used != before.tokens_used {
            let price = PRICE * u128::from(after.tokens_used.get() - before.tokens_used.get());
            self.model.charged += i128::try_from(price.min(before.balance.get())).unwrap();
        }
    }

    /// What a transaction of the proxy contract did to its coins.
    fn account(&mut self, report: &TransactionReport, held: Nanoton) {
        let Some(message) = report.in_msg.as_ref() else { return };
        if report.address != self.world.proxy {
            return;
        }
        self.model.storage += signed(report.fees.storage);
        if report.gas_used() == 0 {
            self.model.notices += signed(message.value);
        } else if report.success() {
            let paid = |to: &Address| {
                let messages = report
                    .out_msgs
                    .iter()
                    .filter(|sent| sent.destination.as_ref() == Some(to));
                messages.map(|sent| signed(sent.value)).sum::<i128>()
            };
            let out = [&WORKER_OWNER, &CLIENT_OWNER, &OWNER]
                .into_iter()
                .map(&paid)
                .sum::<i128>();
            let reserve = signed(ton("0.01"));
            let had = signed(held) - signed(report.fees.storage);
            let keep = had.max(reserve);
            self.model.lifted += keep - had + (reserve - (keep - out)).max(0);
            if from_cell::<WorkerStep>(&message.body).is_ok() {
                self.model.paid_to_workers += paid(&WORKER_OWNER);
            } else if let Ok(ClientStep {
                payload: Some(ClientPayload::ForcedRefundPayload(ask)),
                ..
            }) = from_cell(&message.body)
            {
                self.model.forfeited += signed(ask.refund_amount);
            } else {
                self.model.withdrawn += paid(&OWNER);
            }
        }
    }

    fn deliver(&mut self, index: usize) -> bool {
        let held = self.world.balance(&self.world.proxy);
        let delivered = self.world.chain.step_at(index).unwrap();
        if let Some(report) = &delivered {
            self.account(report, held);
        }
        delivered.is_some()
    }

    fn step(&mut self, step: &Step) {
        let query_id = self.world.next_query();
        let send_excesses_to = EXCESSES;
        let client = self.world.client.clone();
        let amount = |tons: u64| Nanoton::from_ton(tons);
        match *step {
            Step::TopUp(tons) => {
                let message = AskToTopUp {
                    query_id,
                    top_up_amount: amount(tons),
                    send_excesses_to,
                };
                self.send(&CLIENT_OWNER, client, &format!("{tons}.5"), body(&message));
            }
            Step::Reopen(tons) => {
                let message = ReopenFromOwner {
                    query_id,
                    top_up_amount: amount(tons),
                    send_excesses_to,
                };
                self.send(&CLIENT_OWNER, client, &format!("{tons}.5"), body(&message));
            }
            Step::Charge(more) => self.voucher(VoucherOp::ClientCharge, more),
            Step::Grant(more) => self.voucher(VoucherOp::ClientRefund, more),
            Step::Pay(more) => self.voucher(VoucherOp::WorkerPayout, more),
            Step::LastPay(more) => self.voucher(VoucherOp::WorkerLastPayout, more),
            Step::Withdraw => {
                let message = WithdrawFromOwner {
                    query_id,
                    send_excesses_to,
                };
                self.send(&CLIENT_OWNER, client, "0.5", body(&message));
            }
            Step::RequestRefund => {
                let message = RequestRefundFromOwner {
                    query_id,
                    send_excesses_to,
                };
                self.send(&CLIENT_OWNER, client, "0.5", body(&message));
            }
            Step::WithdrawEarnings => {
                let message = AskToWithdrawEarnings {
                    query_id,
                    send_excesses_to,
                };
                self.send(&EXCESSES, self.world.proxy.clone(), "0.5", body(&message));
            }
            Step::Wait(seconds) => self.world.chain.advance(seconds).unwrap(),
            Step::Deliver(index) => {
                self.deliver(index);
            }
        }
    }

    fn voucher(&mut self, op: VoucherOp, more: u64) {
        let (known, target) = match op {
            VoucherOp::ClientCharge | VoucherOp::ClientRefund => (&mut self.client_tokens, self.world.client.clone()),
            VoucherOp::WorkerPayout | VoucherOp::WorkerLastPayout => {
                (&mut self.worker_tokens, self.world.worker.clone())
            }
        };
        *known += more;
        let count = *known;
        let voucher = self.world.voucher(op, count);
        self.send(&EXCESSES, target, "0.5", voucher);
    }

    /// Delivers all and compares the proxy contract's coins with the books.
    fn settle(&mut self) {
        while self.deliver(0) {}
        assert!(self.world.chain.books().unwrap().balanced());
        let world = &self.world;
        let (client, proxy, worker) = (world.client_data(), world.proxy_data(), world.worker_data());
        let model = &self.model;
        let owed = signed(client.balance) + signed(proxy.stake);
        let earned = model.charged + model.forfeited - model.paid_to_workers - model.withdrawn;
        let expected = self.start + model.notices + model.lifted - model.storage + owed + earned;
        assert_eq!(
            signed(world.balance(&world.proxy)),
            expected,
            "coins of the proxy contract"
        );
        let paid = i128::from(worker.tokens.get()) * i128::try_from(FEE).unwrap();
        assert_eq!(
            model.paid_to_workers, paid,
            "a worker's tokens are those it was paid for"
        );
        let kept = i128::from(worker.tokens.get()) * i128::try_from(PRICE - FEE).unwrap();
        assert_eq!(
            signed(proxy.balance) + model.withdrawn,
            kept,
            "the proxy's part of the same tokens"
        );
        if client.state == Lifecycle::Closed {
            assert_eq!(client.balance, Nanoton::ZERO, "a closed client has got everything back");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn coins_are_where_the_books_say_after_any_sequence(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        run.settle();
    }
}
