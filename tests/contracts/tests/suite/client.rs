//! The client contract, message by message.

use cocoon_bindings::client::{
    AskToTopUp, ChangeSecretHashFromOwner, IncreaseStakeFromOwner, RegisterFromOwner, ReopenFromOwner,
    RequestRefundFromOwner, TopUpWithSecretFromOwner, WithdrawFromOwner,
};
use cocoon_bindings::ton::{Cell, CellFamily, HashBytes, from_cell};
use cocoon_bindings::types::{ClientPayload, ClientStep, DoNotProcess, ExitCode, Lifecycle, RegisterPayload};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{
    ANYONE, CLIENT_OWNER, EXCESSES, Outcome, START, World, body, corrupted, query, tokens, ton,
};

const QUERY: QueryId = query(43);
const SECRET: HashBytes = HashBytes([0x77; 32]);

fn top_up(amount: &str) -> Cell {
    body(&AskToTopUp {
        query_id: QUERY,
        top_up_amount: ton(amount),
        send_excesses_to: EXCESSES,
    })
}

fn top_up_with_secret(amount: &str) -> Cell {
    body(&TopUpWithSecretFromOwner {
        query_id: QUERY,
        top_up_amount: ton(amount),
        new_secret_hash: SECRET,
        send_excesses_to: EXCESSES,
    })
}

fn reopen(amount: &str) -> Cell {
    body(&ReopenFromOwner {
        query_id: QUERY,
        top_up_amount: ton(amount),
        send_excesses_to: EXCESSES,
    })
}

fn register() -> Cell {
    body(&RegisterFromOwner {
        query_id: QUERY,
        nonce: 77,
        send_excesses_to: EXCESSES,
    })
}

fn change_secret() -> Cell {
    body(&ChangeSecretHashFromOwner {
        query_id: QUERY,
        new_secret_hash: SECRET,
        send_excesses_to: EXCESSES,
    })
}

fn increase_stake(stake: &str) -> Cell {
    body(&IncreaseStakeFromOwner {
        query_id: QUERY,
        new_stake: ton(stake),
        send_excesses_to: EXCESSES,
    })
}

fn withdraw() -> Cell {
    body(&WithdrawFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    })
}

fn request_refund() -> Cell {
    body(&RequestRefundFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    })
}

fn funded(amount: &str) -> World {
    let mut world = World::new();
    world.top_up(amount).assert_success();
    world
}

/// The notice or step that the proxy contract received.
fn told(world: &World, outcome: &Outcome) -> ClientStep {
    let message = outcome.at(&world.proxy).in_msg.as_ref().unwrap();
    from_cell(&message.body).unwrap()
}

#[test]
fn only_the_owner_gives_the_owners_messages() {
    let mut world = funded("5");
    let client = world.client.clone();
    let guarded = [
        top_up_with_secret("1"),
        reopen("1"),
        register(),
        change_secret(),
        increase_stake("2"),
    ];
    for message in guarded {
        world.refused(&ANYONE, &client, "2", message, ExitCode::ExpectedMessageFromOwner);
    }
    for message in [withdraw(), request_refund()] {
        world.refused(&ANYONE, &client, "2", message, ExitCode::ExpectedOwner);
    }
}

#[test]
fn every_message_must_bring_the_commission() {
    let mut world = funded("5");
    let client = world.client.clone();
    for message in [
        register(),
        change_secret(),
        increase_stake("2"),
        withdraw(),
        request_refund(),
    ] {
        world.refused(
            &CLIENT_OWNER,
            &client,
            "0.099999999",
            message,
            ExitCode::LowMessageValue,
        );
    }
    for message in [top_up("1"), top_up_with_secret("1"), reopen("1")] {
        world.refused(
            &CLIENT_OWNER,
            &client,
            "1.099999999",
            message,
            ExitCode::LowMessageValue,
        );
    }
    let exact = world.send_cell(&ANYONE, &client, ton("1.1"), top_up("1"));
    exact.assert_success();
    assert_eq!(world.client_data().balance, ton("6"));
}

#[test]
fn a_contract_that_is_short_of_its_own_reserve_needs_more() {
    let mut world = World::new();
    let (client, init) = (world.client.clone(), world.client_init.clone());
    let outcome = world.deploy(&CLIENT_OWNER, &client, ton("1.2"), top_up("1"), init.clone());
    outcome.assert_refused(&client, ExitCode::LowContractBalance);
    world
        .deploy(&CLIENT_OWNER, &client, ton("1.22"), top_up("1"), init)
        .assert_success();
    assert_eq!(world.balance(&client), ton("0.11"));
}

#[test]
fn a_top_up_by_anyone_reaches_the_proxy_whole() {
    let mut world = funded("5");
    let (client, proxy) = (world.client.clone(), world.proxy.clone());
    let (held, kept) = (world.balance(&proxy), world.balance(&client));
    let outcome = world.send_cell(&ANYONE, &client, ton("2.3"), top_up("2"));
    outcome.assert_success();
    assert_eq!(world.client_data().balance, ton("7"));
    assert_eq!(world.balance(&proxy), held.checked_add(ton("2")).unwrap());
    assert_eq!(world.balance(&client), kept);
    assert_eq!(told(&world, &outcome).client_state.balance, ton("7"));
}

#[test]
fn a_secret_is_set_with_or_without_a_top_up() {
    for (message, value, balance) in [(change_secret(), "0.7", "5"), (top_up_with_secret("2"), "2.7", "7")] {
        let mut world = funded("5");
        let client = world.client.clone();
        let outcome = world.send_cell(&CLIENT_OWNER, &client, ton(value), message);
        outcome.assert_success();
        let data = world.client_data();
        assert_eq!((data.secret_hash, data.balance), (SECRET, ton(balance)));
        assert_eq!(told(&world, &outcome).client_state.secret_hash, SECRET);
    }
}

#[test]
fn a_registration_carries_the_nonce_in_a_notice_of_one_nanoton() {
    let mut world = funded("5");
    let (client, data) = (world.client.clone(), world.data(&world.client));
    let outcome = world.send_cell(&CLIENT_OWNER, &client, ton("0.7"), register());
    outcome.assert_success();
    assert_eq!(outcome.received(&world.proxy), Nanoton::new(1));
    let step = told(&world, &outcome);
    assert_eq!(
        step.payload,
        Some(ClientPayload::RegisterPayload(RegisterPayload { nonce: 77 }))
    );
    assert_eq!((step.owner, step.query_id), (CLIENT_OWNER, QUERY));
    assert_eq!(world.data(&client), data);
}

#[test]
fn the_stake_only_grows() {
    let mut world = funded("5");
    let client = world.client.clone();
    world
        .send_cell(&CLIENT_OWNER, &client, ton("0.7"), increase_stake("2"))
        .assert_success();
    assert_eq!(world.client_data().stake, ton("2"));
    for lower in ["2", "1"] {
        world.refused(
            &CLIENT_OWNER,
            &client,
            "0.7",
            increase_stake(lower),
            ExitCode::LowMessageValue,
        );
    }
}

#[test]
fn a_charge_takes_the_price_and_stops_at_zero() {
    let mut world = funded("5");
    let outcome = world.submit(VoucherOp::ClientCharge, 50_000_000);
    outcome.assert_success();
    assert_eq!(told(&world, &outcome).client_state.tokens_used, tokens(50_000_000));
    assert_eq!(world.client_data().balance, ton("4"));
    world.submit(VoucherOp::ClientCharge, 1_000_000_000).assert_success();
    let data = world.client_data();
    assert_eq!((data.balance, data.tokens_used), (Nanoton::ZERO, tokens(1_000_000_000)));
    world.submit(VoucherOp::ClientCharge, u64::MAX).assert_success();
    assert_eq!(world.client_data().tokens_used, tokens(u64::MAX));
}

#[test]
fn a_withdrawal_needs_more_than_the_stake() {
    let mut world = funded("5");
    let client = world.client.clone();
    let outcome = world.withdraw();
    outcome.assert_success();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    assert_eq!(world.client_data().balance, ton("1"));
    world.refused(&CLIENT_OWNER, &client, "0.7", withdraw(), ExitCode::LowContractBalance);
}

#[test]
fn a_close_refunds_what_exceeds_the_stake_and_then_waits() {
    let mut world = funded("5");
    let client = world.client.clone();
    world.stake("1").assert_success();
    let outcome = world.request_refund();
    outcome.assert_success();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    let data = world.client_data();
    assert_eq!(
        (data.state, data.unlock_ts, data.balance),
        (Lifecycle::Closing, START + 300, ton("1"))
    );
    world.refused(&CLIENT_OWNER, &client, "0.7", withdraw(), ExitCode::Closed);
    world.refused(
        &CLIENT_OWNER,
        &client,
        "0.7",
        request_refund(),
        ExitCode::NotUnlockedYet,
    );
    world.chain.advance(300).unwrap();
    let outcome = world.request_refund();
    outcome.assert_refused(&client, ExitCode::NotUnlockedYet);
    world.chain.advance(1).unwrap();
    let outcome = world.request_refund();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("1"));
    for message in [request_refund(), withdraw(), top_up("1"), top_up_with_secret("1")] {
        let outcome = world.send_cell(&CLIENT_OWNER, &client, ton("2"), message);
        outcome.assert_refused(&client, ExitCode::Closed);
    }
    for op in [VoucherOp::ClientCharge, VoucherOp::ClientRefund] {
        world.submit(op, 10).assert_refused(&client, ExitCode::Closed);
    }
}

#[test]
fn a_closing_client_is_charged_and_topped_up() {
    let mut world = funded("5");
    world.request_refund().assert_success();
    world.submit(VoucherOp::ClientCharge, 10_000_000).assert_success();
    world.top_up("2").assert_success();
    let data = world.client_data();
    assert_eq!((data.state, data.balance), (Lifecycle::Closing, ton("2.8")));
}

#[test]
fn a_granted_refund_charges_closes_and_pays_the_rest() {
    let mut world = funded("5");
    let outcome = world.submit(VoucherOp::ClientRefund, 50_000_000);
    outcome.assert_success();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    let data = world.client_data();
    assert_eq!(
        (data.state, data.balance, data.tokens_used),
        (Lifecycle::Closed, Nanoton::ZERO, tokens(50_000_000))
    );
}

#[test]
fn a_grant_from_before_the_reopening_is_void() {
    let mut world = funded("5");
    let client = world.client.clone();
    let grant = world.voucher(VoucherOp::ClientRefund, 50_000_000);
    world
        .send_cell(&EXCESSES, &client, ton("0.7"), grant.clone())
        .assert_success();
    world
        .send_cell(&CLIENT_OWNER, &client, ton("3.7"), reopen("3"))
        .assert_success();
    let data = world.client_data();
    assert_eq!(
        (data.state, data.balance, data.unlock_ts),
        (Lifecycle::Normal, ton("3"), 0)
    );
    world.refused(&ANYONE, &client, "0.7", grant, ExitCode::OldMessage);
    world.submit(VoucherOp::ClientCharge, 100_000_000).assert_success();
    let outcome = world.submit(VoucherOp::ClientRefund, 100_000_000);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("2"));
    // It can be reopened again and again.
    world
        .send_cell(&CLIENT_OWNER, &client, ton("3.7"), reopen("3"))
        .assert_success();
    world
        .submit(VoucherOp::ClientRefund, 100_000_000)
        .assert_refused(&client, ExitCode::OldMessage);
}

#[test]
fn reopening_an_open_contract_is_a_top_up() {
    let mut world = funded("5");
    let client = world.client.clone();
    world
        .send_cell(&CLIENT_OWNER, &client, ton("3.7"), reopen("3"))
        .assert_success();
    assert_eq!(world.client_data().balance, ton("8"));
    world.request_refund().assert_success();
    world
        .send_cell(&CLIENT_OWNER, &client, ton("3.7"), reopen("3"))
        .assert_success();
    let data = world.client_data();
    assert_eq!((data.state, data.balance), (Lifecycle::Closing, ton("4")));
}

#[test]
fn notes_and_plain_transfers_are_accepted_and_the_rest_is_not() {
    let mut world = funded("5");
    let (client, data) = (world.client.clone(), world.data(&world.client));
    let note = body(&DoNotProcess {
        query_id: QUERY,
        note: Cell::empty_cell(),
    });
    world.send_cell(&ANYONE, &client, ton("0.1"), note).assert_success();
    world
        .send_cell(&ANYONE, &client, ton("0.1"), Cell::empty_cell())
        .assert_success();
    assert_eq!(world.data(&client), data);
    world.refused(
        &CLIENT_OWNER,
        &client,
        "0.7",
        body(&0xdead_beef_u32),
        ExitCode::UnknownOp,
    );
}

#[test]
fn a_message_with_something_after_its_end_is_refused() {
    let mut world = funded("5");
    let client = world.client.clone();
    let messages = [
        top_up("1"),
        top_up_with_secret("1"),
        reopen("1"),
        register(),
        change_secret(),
        increase_stake("2"),
        withdraw(),
        request_refund(),
    ];
    for message in messages {
        world.refused(
            &CLIENT_OWNER,
            &client,
            "2",
            corrupted(&message),
            ExitCode::MessageFormat,
        );
    }
}
