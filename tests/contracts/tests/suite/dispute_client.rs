//! A client whom the proxy does not charge settles with a receipt that the proxy signed.

use cocoon_bindings::client::ReopenFromOwner;
use cocoon_bindings::ton::{Cell, CellBuilder, from_cell};
use cocoon_bindings::types::{ClientStep, ExitCode, Lifecycle, Receipt};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, PRICE, START, World, body, corrupted, query, tokens, ton};
use ed25519_dalek::SigningKey;

use cocoon_contract_tests::receipts::{claim_by_receipt, client_claim, client_claims, receipt, refused, settle};

const QUERY: QueryId = query(61);
/// Tokens that cost 1 TON.
const USE: u64 = 50_000_000;
/// Seconds before a claim may be settled.
const DELAY: u32 = 300;
const NOTHING: (u64, u32, u64) = (0, 0, 0);

fn funded() -> World {
    let mut world = World::new();
    world.top_up("5").assert_success();
    world
}

fn signed(world: &World, receipt: Receipt) -> Cell {
    claim_by_receipt(QUERY, receipt, &world.key)
}

fn settled(world: &mut World) {
    let client = world.client.clone();
    world
        .send_cell(&ANYONE, &client, ton("0.7"), settle(QUERY))
        .assert_success();
}

fn reopened(world: &mut World) {
    let reopen = ReopenFromOwner {
        query_id: QUERY,
        top_up_amount: ton("3"),
        send_excesses_to: EXCESSES,
    };
    let client = world.client.clone();
    world.send(&CLIENT_OWNER, &client, ton("3.7"), &reopen).assert_success();
}

#[test]
fn a_silent_proxy_is_settled_with_by_receipt_after_the_delay() {
    let mut world = funded();
    let client = world.client.clone();
    let outcome = client_claims(&mut world, USE);
    outcome.assert_success();
    assert!(
        outcome.spared(&world.proxy),
        "a claim is between the owner and the contract"
    );
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.7").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(client_claim(&world), (USE, START, u64::from(START + DELAY)));
    assert_eq!(world.client_data().balance, ton("5"));

    world.chain.advance(DELAY - 1).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &client,
        "0.7",
        settle(QUERY),
        ExitCode::NotUnlockedYet,
    );
    world.chain.advance(1).unwrap();
    let kept = world.balance(&client);
    let outcome = world.send_cell(&ANYONE, &client, ton("0.7"), settle(QUERY));
    outcome.assert_success();
    let data = world.client_data();
    assert_eq!((data.balance, data.tokens_used), (ton("4"), tokens(USE)));
    assert_eq!(outcome.received(&world.proxy), Nanoton::new(1));
    let notice = outcome.at(&world.proxy).in_msg.clone().unwrap();
    let step: ClientStep = from_cell(&notice.body).unwrap();
    assert_eq!((step.client_state.tokens_used, step.payload), (tokens(USE), None));
    // The contract is lifted to its reserve again.
    let left = kept.checked_sub(outcome.storage_fees(&client)).unwrap();
    let lifted = ton("0.11").checked_sub(left).unwrap();
    let spent = outcome.cost().checked_add(lifted).unwrap();
    let spent = spent.checked_add(Nanoton::new(1)).unwrap();
    assert_eq!(outcome.received(&EXCESSES), ton("0.7").checked_sub(spent).unwrap());
    assert_eq!(world.balance(&client), ton("0.11"));
    // It is charged once.
    assert_eq!(client_claim(&world), NOTHING);
    refused(&mut world, &ANYONE, &client, "0.7", settle(QUERY), ExitCode::NoClaim);
    let again = signed(&world, receipt(&world, USE));
    refused(&mut world, &CLIENT_OWNER, &client, "0.7", again, ExitCode::OldMessage);
    let charge = world.voucher(VoucherOp::ClientCharge, USE);
    refused(&mut world, &EXCESSES, &client, "0.7", charge, ExitCode::OldMessage);
    world.submit(VoucherOp::ClientCharge, 2 * USE).assert_success();
    assert_eq!(world.client_data().balance, ton("3"));
}

#[test]
fn a_settlement_beyond_the_balance_stops_at_zero() {
    let mut world = funded();
    client_claims(&mut world, 100 * USE).assert_success();
    world.chain.advance(DELAY).unwrap();
    settled(&mut world);
    let data = world.client_data();
    assert_eq!((data.balance, data.tokens_used), (Nanoton::ZERO, tokens(100 * USE)));
}

#[test]
fn only_the_owner_claims_and_with_enough_value() {
    let mut world = funded();
    let client = world.client.clone();
    let claim = signed(&world, receipt(&world, USE));
    refused(
        &mut world,
        &ANYONE,
        &client,
        "0.7",
        claim.clone(),
        ExitCode::ExpectedMessageFromOwner,
    );
    refused(
        &mut world,
        &CLIENT_OWNER,
        &client,
        "0.099999999",
        claim.clone(),
        ExitCode::LowMessageValue,
    );
    refused(
        &mut world,
        &CLIENT_OWNER,
        &client,
        "0.7",
        corrupted(&claim),
        ExitCode::MessageFormat,
    );
    world
        .send_cell(&CLIENT_OWNER, &client, ton("0.1"), claim)
        .assert_success();
    world.chain.advance(DELAY).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &client,
        "0.099999999",
        settle(QUERY),
        ExitCode::LowMessageValue,
    );
    refused(
        &mut world,
        &ANYONE,
        &client,
        "0.7",
        corrupted(&settle(QUERY)),
        ExitCode::MessageFormat,
    );
    world
        .send_cell(&ANYONE, &client, ton("0.11"), settle(QUERY))
        .assert_success();
    assert_eq!(world.client_data().balance, ton("4"));
}

#[test]
fn a_receipt_of_another_key_kind_version_or_contract_is_refused() {
    let mut world = funded();
    let client = world.client.clone();
    let stranger = claim_by_receipt(QUERY, receipt(&world, USE), &SigningKey::from_bytes(&[8; 32]));
    refused(
        &mut world,
        &CLIENT_OWNER,
        &client,
        "0.7",
        stranger,
        ExitCode::BadSignature,
    );
    let fine = receipt(&world, USE);
    let version = Receipt {
        version: 2,
        ..fine.clone()
    };
    let mut statement_version = fine.clone();
    statement_version.statement.version = 0;
    for wrong in [version, statement_version] {
        let claim = signed(&world, wrong);
        refused(
            &mut world,
            &CLIENT_OWNER,
            &client,
            "0.7",
            claim,
            ExitCode::SignedMessageFormat,
        );
    }
    let other_client = Receipt {
        client: ANYONE,
        ..fine.clone()
    };
    let mut other_proxy = fine;
    other_proxy.statement.parties.proxy = ANYONE;
    for wrong in [other_client, other_proxy] {
        let claim = signed(&world, wrong);
        refused(
            &mut world,
            &CLIENT_OWNER,
            &client,
            "0.7",
            claim,
            ExitCode::ReceiptMismatch,
        );
    }
    // A signature is for one kind of cell: that of a charge opens no claim.
    let charge = world.voucher(VoucherOp::ClientCharge, USE);
    let mut disguised = CellBuilder::new();
    disguised.store_u32(0x866e_3ecf).unwrap();
    let mut rest = charge.as_ref().as_slice().unwrap();
    rest.skip_first(32, 0).unwrap();
    disguised.store_slice(rest).unwrap();
    let disguised = disguised.build().unwrap();
    refused(
        &mut world,
        &CLIENT_OWNER,
        &client,
        "0.7",
        disguised,
        ExitCode::SignedMessageFormat,
    );
    assert_eq!(client_claim(&world), NOTHING);
}

#[test]
fn a_higher_claim_starts_the_delay_again_and_a_lower_one_is_refused() {
    let mut world = funded();
    let client = world.client.clone();
    client_claims(&mut world, USE).assert_success();
    world.chain.advance(200).unwrap();
    for lower in [USE, USE - 1, 0] {
        let claim = signed(&world, receipt(&world, lower));
        refused(&mut world, &CLIENT_OWNER, &client, "0.7", claim, ExitCode::OldMessage);
    }
    client_claims(&mut world, 2 * USE).assert_success();
    assert_eq!(
        client_claim(&world),
        (2 * USE, START + 200, u64::from(START + 200 + DELAY))
    );
    world.chain.advance(DELAY - 1).unwrap();
    refused(
        &mut world,
        &ANYONE,
        &client,
        "0.7",
        settle(QUERY),
        ExitCode::NotUnlockedYet,
    );
    world.chain.advance(1).unwrap();
    settled(&mut world);
    assert_eq!(world.client_data().balance, ton("3"));
}

#[test]
fn a_claim_is_moot_once_the_proxy_charges_by_itself() {
    let mut world = funded();
    let client = world.client.clone();
    refused(&mut world, &ANYONE, &client, "0.7", settle(QUERY), ExitCode::NoClaim);
    client_claims(&mut world, USE).assert_success();
    world.submit(VoucherOp::ClientCharge, USE).assert_success();
    assert_eq!(client_claim(&world), NOTHING);
    world.chain.advance(DELAY).unwrap();
    refused(&mut world, &ANYONE, &client, "0.7", settle(QUERY), ExitCode::NoClaim);
    // Of a claim above what is charged meanwhile the rest is settled.
    client_claims(&mut world, 3 * USE).assert_success();
    world.submit(VoucherOp::ClientCharge, 2 * USE).assert_success();
    world.chain.advance(DELAY).unwrap();
    settled(&mut world);
    assert_eq!(world.client_data().balance, ton("2"));
}

#[test]
fn a_closing_client_settles_before_it_forces_its_refund() {
    let mut world = funded();
    world.stake("5").assert_success();
    client_claims(&mut world, USE / 2).assert_success();
    let outcome = world.request_refund();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    world.chain.advance(DELAY + 1).unwrap();
    settled(&mut world);
    let data = world.client_data();
    assert_eq!((data.state, data.balance), (Lifecycle::Closing, ton("0.5")));
    let outcome = world.request_refund();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("0.5"));
    assert_eq!(world.proxy_data().stake, ton("4.5"));
}

#[test]
fn a_closed_client_owes_nothing_and_its_claim_ends_with_the_reopening() {
    let mut world = funded();
    let client = world.client.clone();
    client_claims(&mut world, 2 * USE).assert_success();
    let outcome = world.submit(VoucherOp::ClientRefund, USE);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    world.chain.advance(DELAY).unwrap();
    refused(&mut world, &ANYONE, &client, "0.7", settle(QUERY), ExitCode::Closed);
    let claim = signed(&world, receipt(&world, 3 * USE));
    refused(&mut world, &CLIENT_OWNER, &client, "0.7", claim, ExitCode::Closed);

    reopened(&mut world);
    assert_eq!(client_claim(&world), NOTHING);
    refused(&mut world, &ANYONE, &client, "0.7", settle(QUERY), ExitCode::NoClaim);
    // The owner may claim anew; the rule about grants from before the reopening stays.
    client_claims(&mut world, 2 * USE).assert_success();
    let grant = world.voucher(VoucherOp::ClientRefund, USE);
    refused(&mut world, &EXCESSES, &client, "0.7", grant, ExitCode::OldMessage);
    world.chain.advance(DELAY).unwrap();
    settled(&mut world);
    assert_eq!(world.client_data().balance, ton("2"));
    let outcome = world.submit(VoucherOp::ClientRefund, 2 * USE);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("2"));
}

#[test]
fn a_claim_alone_does_not_void_a_grant() {
    let mut world = funded();
    client_claims(&mut world, USE).assert_success();
    // Nothing was charged and nothing reopened: a grant without tokens is fine.
    let outcome = world.submit(VoucherOp::ClientRefund, 0);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("5"));
    assert_eq!(world.client_data().state, Lifecycle::Closed);
}

#[test]
fn a_grant_below_what_was_settled_is_old() {
    let mut world = funded();
    let client = world.client.clone();
    let grant = world.voucher(VoucherOp::ClientRefund, USE - 1);
    client_claims(&mut world, USE).assert_success();
    world.chain.advance(DELAY).unwrap();
    settled(&mut world);
    refused(&mut world, &EXCESSES, &client, "0.7", grant, ExitCode::OldMessage);
    let outcome = world.submit(VoucherOp::ClientRefund, USE);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
}

#[test]
fn a_refund_that_bounces_leaves_the_claim_as_it_was() {
    let mut world = funded();
    world.deploy_worker();
    // The proxy's coins go to a worker.
    world.submit(VoucherOp::WorkerPayout, 250_000_000).assert_success();
    client_claims(&mut world, USE).assert_success();
    let claim = client_claim(&world);
    world
        .submit(VoucherOp::ClientRefund, 0)
        .assert_refused(&world.proxy.clone(), ExitCode::LowContractBalance);
    let data = world.client_data();
    assert_eq!((data.state, data.balance), (Lifecycle::Normal, ton("5")));
    assert_eq!(client_claim(&world), claim);
    world.chain.advance(DELAY).unwrap();
    settled(&mut world);
    let left = ton("5").checked_sub(Nanoton::new(PRICE * u128::from(USE))).unwrap();
    assert_eq!(world.client_data().balance, left);
}

#[test]
fn top_ups_and_charges_carry_the_claim_along() {
    let mut world = funded();
    client_claims(&mut world, USE).assert_success();
    let claim = client_claim(&world);
    world.top_up("2").assert_success();
    world.submit(VoucherOp::ClientCharge, 10).assert_success();
    assert_eq!(client_claim(&world), claim);
    let note = body(&cocoon_bindings::types::DoNotProcess {
        query_id: QUERY,
        note: Cell::default(),
    });
    let client = world.client.clone();
    world.send_cell(&ANYONE, &client, ton("0.1"), note).assert_success();
    assert_eq!(client_claim(&world), claim);
}
