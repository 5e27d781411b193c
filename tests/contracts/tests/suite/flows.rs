//! The stories of contracts/README.md, told by the emulated chain: that page shows these traces.

use cocoon_bindings::Nanoton;
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_contract_tests::{ANYONE, Cast, EXCESSES, Outcome, World, ton};

/// A world whose messages are told.
struct Story {
    world: World,
    cast: Cast,
    text: String,
}

impl Story {
    fn begin() -> Self {
        let world = World::new();
        let cast = Cast::of(&world);
        Self {
            world,
            cast,
            text: String::new(),
        }
    }

    /// With a stake, 15 TON paid in, and a worker.
    fn in_use() -> Self {
        let mut story = Self::begin();
        story.world.stake("5").assert_success();
        story.world.top_up("15").assert_success();
        story.world.deploy_worker();
        story
    }

    fn tell(&mut self, outcome: &Outcome) {
        self.text += &self.cast.tell(outcome);
    }

    fn later(&mut self, seconds: u32) {
        self.world.chain.advance(seconds).unwrap();
        self.text += &format!("... {seconds} seconds later\n");
    }

    fn end(&self, name: &str) {
        insta::with_settings!({ snapshot_path => "../../flows", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

#[test]
fn deploy_and_top_up() {
    let mut story = Story::begin();
    let outcome = story.world.top_up("15");
    story.tell(outcome.assert_success());
    assert_eq!(story.world.client_data().balance, ton("15"));
    story.end("top_up");
}

#[test]
fn charge() {
    let mut story = Story::in_use();
    let outcome = story.world.submit(VoucherOp::ClientCharge, 100_000_000);
    story.tell(outcome.assert_success());
    story.end("charge");
}

#[test]
fn payout() {
    let mut story = Story::in_use();
    let outcome = story.world.submit(VoucherOp::WorkerPayout, 100_000_000);
    story.tell(outcome.assert_success());
    story.end("payout");
}

#[test]
fn withdraw() {
    let mut story = Story::in_use();
    let outcome = story.world.withdraw();
    story.tell(outcome.assert_success());
    story.end("withdraw");
}

#[test]
fn granted_refund() {
    let mut story = Story::in_use();
    let outcome = story.world.submit(VoucherOp::ClientRefund, 100_000_000);
    story.tell(outcome.assert_success());
    story.end("granted_refund");
}

#[test]
fn forced_refund() {
    let mut story = Story::in_use();
    let outcome = story.world.request_refund();
    story.tell(outcome.assert_success());
    story.later(301);
    let outcome = story.world.request_refund();
    story.tell(outcome.assert_success());
    assert_eq!(story.world.client_data().balance, Nanoton::ZERO);
    story.end("forced_refund");
}

#[test]
fn a_payout_that_bounces() {
    let mut story = Story::in_use();
    let outcome = story.world.submit(VoucherOp::WorkerPayout, 2_000_000_000);
    story.tell(&outcome);
    assert_eq!(story.world.worker_data().tokens.get(), 0);
    story.end("bounce");
}

#[test]
fn close_of_a_proxy() {
    let mut story = Story::in_use();
    let proxy = story.world.proxy.clone();
    let close = story.world.close(CloseOp::Request);
    let outcome = story.world.send_cell(&EXCESSES, &proxy, ton("0.7"), close);
    story.tell(outcome.assert_success());
    story.later(600);
    let complete = story.world.close(CloseOp::Complete);
    let outcome = story.world.send_cell(&ANYONE, &proxy, ton("0.7"), complete);
    story.tell(outcome.assert_success());
    story.end("proxy_close");
}
