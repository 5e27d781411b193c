//! The stories of contracts/README.md, told by the emulated chain: that page shows these traces.

use cocoon_bindings::checkpoint::{ReportEquivocation, SignedCheckpoint};
use cocoon_bindings::root::{AddWorkerHashFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::ton::{Cell, HashBytes};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::receipts::{settle, worker_claims};
use cocoon_contract_tests::{
    ANYONE, CHANGE_DELAY, Cast, DAY, EXCESSES, Governed, Outcome, SIGNERS, World, body, query, ton,
};

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
fn dispute() {
    let mut story = Story::in_use();
    let outcome = worker_claims(&mut story.world, 100_000_000);
    story.tell(outcome.assert_success());
    story.later(300);
    let worker = story.world.worker.clone();
    let outcome = story
        .world
        .send_cell(&ANYONE, &worker, ton("0.7"), settle(QueryId::new(60)));
    story.tell(outcome.assert_success());
    assert_eq!(story.world.worker_data().tokens.get(), 100_000_000);
    story.end("dispute");
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

#[test]
fn a_proof_of_equivocation() {
    let mut story = Story::in_use();
    let proxy = story.world.proxy.clone();
    let [first, second] = [1, 2].map(|root| {
        let checkpoint = crate::anchor::checkpoint(&story.world, root, 10, u8::try_from(root).unwrap(), 5);
        SignedCheckpoint::sign(checkpoint, &story.world.key).unwrap()
    });
    let anchor = first.anchor(query(7), &EXCESSES);
    let outcome = story.world.send(&EXCESSES, &proxy, ton("0.2"), &anchor);
    story.tell(outcome.assert_success());
    let report = ReportEquivocation {
        query_id: query(8),
        reporter: ANYONE,
        first,
        second,
    };
    let outcome = story.world.send(&ANYONE, &proxy, ton("0.2"), &report);
    story.tell(outcome.assert_success());
    story.end("equivocation");
}

/// The traces of a governed network.
struct Council {
    governed: Governed,
    story: Story,
}

impl Council {
    fn begin() -> Self {
        let governed = Governed::new();
        let mut story = Story::begin();
        story.cast = Cast::of(&governed.world);
        story.cast.contract(&governed.governor, "governor");
        for (signer, name) in SIGNERS.iter().zip(["first signer", "second signer", "third signer"]) {
            story.cast.person(signer, name);
        }
        Self { governed, story }
    }

    fn propose(&mut self, signer_index: u8, message: impl FnOnce(QueryId) -> Cell) -> u64 {
        let id = self.governed.next_id(signer_index);
        let proposal = self.governed.proposal_of(signer_index, message(query(id)), 30 * DAY);
        let signer = &SIGNERS[usize::from(signer_index)];
        let outcome = self.governed.send(signer, &proposal);
        self.story.tell(outcome.assert_success());
        id
    }

    fn execute(&mut self, id: u64) {
        let outcome = self.governed.execute(id);
        self.story.tell(outcome.assert_success());
    }
}

#[test]
fn a_change_by_the_governor() {
    let mut council = Council::begin();
    let hash = HashBytes([5; 32]);
    let id = council.propose(0, |query_id| body(&AddWorkerHashFromOwner { query_id, hash }));
    let approval = council.governed.approval_of(1, id);
    let outcome = council.governed.send(&SIGNERS[1], &approval);
    council.story.tell(outcome.assert_success());
    council.governed.world.chain.advance(CHANGE_DELAY).unwrap();
    council.story.text += &format!("... {CHANGE_DELAY} seconds later\n");
    council.execute(id);
    council.story.end("governance_change");
}

#[test]
fn a_revocation_by_the_governor() {
    let mut council = Council::begin();
    let hash = HashBytes([5; 32]);
    let id = council.propose(0, |query_id| body(&DeleteWorkerHashFromOwner { query_id, hash }));
    council.execute(id);
    council.story.end("revoke");
}
