//! The proxy contract, message by message.

use cocoon_bindings::client::ClientState;
use cocoon_bindings::proxy::{AskToIncreaseProxyStake, AskToWithdrawEarnings, CloseProxyFromOwner};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily, HashBytes};
use cocoon_bindings::types::{
    ClientPayload, ClientStep, DoNotProcess, ExitCode, ForcedRefundPayload, Lifecycle, RefundPayload, TextCommand,
    TopUpPayload, WorkerPayoutPayload, WorkerStep,
};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{
    ANYONE, CLIENT_OWNER, EXCESSES, OWNER, START, WORKER_OWNER, World, body, corrupted, query, tokens, ton,
};

const QUERY: QueryId = query(42);

fn text(text: &[u8]) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_raw(text, u16::try_from(text.len() * 8).unwrap()).unwrap();
    body(&TextCommand {
        text: builder.build().unwrap(),
    })
}

/// A proxy that has earned 0.1 TON from a worker's tokens.
fn earning() -> World {
    let mut world = World::new();
    world.stake("1").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, 100_000_000).assert_success();
    assert_eq!(world.proxy_data().balance, ton("0.1"));
    world
}

fn close(world: &mut World) {
    let request = world.close(CloseOp::Request);
    world
        .send_cell(&EXCESSES, &world.proxy.clone(), ton("0.7"), request)
        .assert_success();
}

fn complete(world: &mut World) {
    world.chain.advance(600).unwrap();
    let complete = world.close(CloseOp::Complete);
    world
        .send_cell(&EXCESSES, &world.proxy.clone(), ton("0.7"), complete)
        .assert_success();
}

fn withdraw() -> Cell {
    body(&AskToWithdrawEarnings {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    })
}

fn stake(amount: &str) -> Cell {
    body(&AskToIncreaseProxyStake {
        query_id: QUERY,
        stake_amount: ton(amount),
        send_excesses_to: EXCESSES,
    })
}

#[test]
fn anyone_adds_to_the_stake_and_must_bring_the_commission() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    world.refused(&ANYONE, &proxy, "1.099999999", stake("1"), ExitCode::LowMessageValue);
    let held = world.balance(&proxy);
    let outcome = world.send_cell(&ANYONE, &proxy, ton("1.1"), stake("1"));
    outcome.assert_success();
    assert_eq!(world.proxy_data().stake, ton("1"));
    assert_eq!(world.balance(&proxy), held.checked_add(ton("1")).unwrap());
    assert_eq!(
        outcome.received(&EXCESSES),
        ton("0.1").checked_sub(outcome.cost()).unwrap()
    );
}

#[test]
fn anyone_sends_the_earnings_to_the_owner() {
    let mut world = earning();
    let proxy = world.proxy.clone();
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), withdraw());
    outcome.assert_success();
    assert_eq!(outcome.received(&OWNER), ton("0.1"));
    assert_eq!(world.proxy_data().balance, Nanoton::ZERO);
    let outcome = world.send_cell(&ANYONE, &proxy, ton("0.2"), withdraw());
    assert!(outcome.spared(&OWNER), "nothing was earned since");
}

#[test]
fn earnings_that_the_contract_does_not_have_stay_on_the_books() {
    let mut world = earning();
    let proxy = world.proxy.clone();
    // Workers are paid out of the stake and everything else that the contract has.
    world.submit(VoucherOp::WorkerPayout, 321_000_000).assert_success();
    assert!(world.balance(&proxy) < world.proxy_data().balance);
    world.refused(&ANYONE, &proxy, "0.2", withdraw(), ExitCode::LowContractBalance);
}

#[test]
fn the_owner_closes_with_a_message_or_a_text() {
    let message = body(&CloseProxyFromOwner {
        query_id: QUERY,
        send_excesses_to: OWNER,
    });
    for message in [message, text(b"c")] {
        let mut world = World::new();
        let proxy = world.proxy.clone();
        world.refused(
            &ANYONE,
            &proxy,
            "0.2",
            message.clone(),
            ExitCode::ExpectedMessageFromOwner,
        );
        let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), message.clone());
        outcome.assert_success();
        assert_eq!(
            outcome.received(&OWNER),
            ton("0.2").checked_sub(outcome.cost()).unwrap()
        );
        let data = world.proxy_data();
        assert_eq!((data.state, data.unlock_ts), (Lifecycle::Closing, START + 600));
        world.refused(&OWNER, &proxy, "0.2", message, ExitCode::Closed);
    }
}

#[test]
fn the_owner_withdraws_with_a_text_and_gets_the_rest_of_the_value_too() {
    let mut world = earning();
    let proxy = world.proxy.clone();
    world.refused(&ANYONE, &proxy, "0.2", text(b"w"), ExitCode::ExpectedMessageFromOwner);
    let outcome = world.send_cell(&OWNER, &proxy, ton("0.2"), text(b"w"));
    outcome.assert_success();
    assert_eq!(
        outcome.received(&OWNER),
        ton("0.3").checked_sub(outcome.cost()).unwrap()
    );
    assert_eq!(world.proxy_data().balance, Nanoton::ZERO);
}

#[test]
fn other_texts_are_refused() {
    let mut world = World::new();
    for unknown in [&b"x"[..], b"", b"close", b"C"] {
        world.refused(
            &OWNER,
            &world.proxy.clone(),
            "0.2",
            text(unknown),
            ExitCode::UnknownTextOp,
        );
    }
}

#[test]
fn the_close_is_complete_only_after_the_delay_and_only_once() {
    let mut world = earning();
    let proxy = world.proxy.clone();
    let complete = world.close(CloseOp::Complete);
    world.refused(&EXCESSES, &proxy, "0.7", complete.clone(), ExitCode::NotUnlockedYet);
    close(&mut world);
    world.refused(&EXCESSES, &proxy, "0.7", complete.clone(), ExitCode::NotUnlockedYet);
    world.chain.advance(600).unwrap();
    let held = world.balance(&proxy);
    let outcome = world.send_cell(&EXCESSES, &proxy, ton("0.7"), complete.clone());
    let spent = [outcome.cost(), outcome.storage_fees(&proxy), ton("0.01")];
    let all = held.checked_add(ton("0.7")).unwrap();
    assert_eq!(
        outcome.received(&OWNER),
        spent
            .into_iter()
            .fold(all, |left, part| left.checked_sub(part).unwrap())
    );
    assert_eq!(world.balance(&proxy), ton("0.01"));
    let data = world.proxy_data();
    assert_eq!(
        (data.state, data.balance, data.stake),
        (Lifecycle::Closed, Nanoton::ZERO, Nanoton::ZERO)
    );
    for message in [complete, stake("1"), withdraw()] {
        world.refused(&EXCESSES, &proxy, "2", message, ExitCode::Closed);
    }
    let request = world.close(CloseOp::Request);
    world.refused(&EXCESSES, &proxy, "0.7", request, ExitCode::Closed);
    world.refused(&OWNER, &proxy, "0.7", text(b"w"), ExitCode::Closed);
    world.refused(&OWNER, &proxy, "0.7", text(b"c"), ExitCode::Closed);
}

#[test]
fn a_proxy_that_closes_sends_top_ups_to_the_clients_owner() {
    let mut world = World::new();
    world.deploy_client();
    close(&mut world);
    let outcome = world.top_up("5");
    outcome.assert_refused(&world.proxy, ExitCode::Closed);
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("5"));
    let refunds_still_work = world.proxy_data().state;
    assert_eq!(refunds_still_work, Lifecycle::Closing);
}

#[test]
fn what_a_closing_proxy_has_sent_back_cannot_be_withdrawn_as_well() {
    let mut world = World::new();
    world.stake("3").assert_success();
    world.deploy_client();
    close(&mut world);
    world.top_up("5");
    assert_eq!(world.client_data().balance, Nanoton::ZERO);
    let client = world.client.clone();
    world.withdraw().assert_refused(&client, ExitCode::LowContractBalance);
}

#[test]
fn a_closing_proxy_still_pays_and_a_closed_one_refuses() {
    let mut world = earning();
    close(&mut world);
    let outcome = world.submit(VoucherOp::WorkerPayout, 110_000_000);
    assert_eq!(outcome.received(&WORKER_OWNER), ton("0.19"));
    let outcome = world.withdraw();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("4"));
    complete(&mut world);
    let proxy = world.proxy.clone();
    world
        .submit(VoucherOp::WorkerPayout, 120_000_000)
        .assert_refused(&proxy, ExitCode::Closed);
    assert_eq!(world.worker_data().tokens, tokens(110_000_000));
    world
        .submit(VoucherOp::ClientRefund, 5)
        .assert_refused(&proxy, ExitCode::Closed);
    assert_eq!(world.client_data().state, Lifecycle::Normal);
}

#[test]
fn a_forced_refund_takes_no_more_than_the_stake() {
    let mut world = World::new();
    world.stake("0.4").assert_success();
    world.top_up("5").assert_success();
    world.request_refund();
    world.chain.advance(301).unwrap();
    let outcome = world.request_refund();
    outcome.assert_success();
    assert_eq!(outcome.received(&CLIENT_OWNER), ton("0.4"));
    assert_eq!(world.proxy_data().stake, Nanoton::ZERO);
}

fn client_step(payload: Option<ClientPayload>) -> ClientStep {
    let client_state = ClientState {
        state: Lifecycle::Normal,
        balance: ton("5"),
        stake: ton("1"),
        tokens_used: tokens(0),
        secret_hash: HashBytes::ZERO,
    };
    ClientStep {
        query_id: QUERY,
        owner: CLIENT_OWNER,
        client_state,
        payload,
    }
}

fn worker_step(payload: Option<WorkerPayoutPayload>) -> WorkerStep {
    WorkerStep {
        query_id: QUERY,
        owner: WORKER_OWNER,
        state: Lifecycle::Normal,
        tokens: tokens(5),
        payload,
    }
}

/// Everything that moves coins, as a thief would word it.
fn thefts() -> Vec<Cell> {
    let amount = ton("1");
    let payloads = [
        ClientPayload::TopUpPayload(TopUpPayload {
            top_up_amount: amount,
            send_excesses_to: ANYONE,
        }),
        ClientPayload::RefundPayload(RefundPayload {
            refund_amount: amount,
            send_excesses_to: ANYONE,
        }),
        ClientPayload::ForcedRefundPayload(ForcedRefundPayload {
            refund_amount: amount,
            send_excesses_to: ANYONE,
        }),
    ];
    let payout = WorkerPayoutPayload {
        worker_part: amount,
        proxy_part: amount,
        send_excesses_to: ANYONE,
    };
    let mut thefts: Vec<Cell> = payloads.map(|payload| body(&client_step(Some(payload)))).into();
    thefts.push(body(&worker_step(Some(payout))));
    thefts
}

#[test]
fn only_its_own_clients_and_workers_move_its_coins() {
    let mut world = earning();
    let (proxy, client, worker) = (world.proxy.clone(), world.client.clone(), world.worker.clone());
    for theft in thefts() {
        world.refused(&ANYONE, &proxy, "0.7", theft, ExitCode::ContractAddressMismatch);
    }
    // A client is no worker, and a worker no client.
    let [client_theft, worker_theft] = [thefts().remove(1), thefts().remove(3)];
    refused_to_contract(&mut world, &worker, client_theft);
    refused_to_contract(&mut world, &client, worker_theft);
}

/// The contract itself gets a plain bounce, whose body it cannot read; what counts is that nothing moves.
fn refused_to_contract(world: &mut World, from: &Address, message: Cell) {
    let (proxy, data) = (world.proxy.clone(), world.data(&world.proxy));
    let outcome = world.send_cell(from, &proxy, ton("0.7"), message);
    outcome.assert_refused(&proxy, ExitCode::ContractAddressMismatch);
    assert_eq!(world.data(&proxy), data);
    assert!(outcome.spared(&ANYONE));
}

#[test]
fn a_notice_changes_nothing_whoever_sends_it() {
    let mut world = earning();
    let (proxy, data) = (world.proxy.clone(), world.data(&world.proxy));
    for notice in [body(&client_step(None)), body(&worker_step(None))] {
        world.send_cell(&ANYONE, &proxy, ton("0.7"), notice).assert_success();
    }
    let note = body(&DoNotProcess {
        query_id: QUERY,
        note: Cell::empty_cell(),
    });
    world.send_cell(&ANYONE, &proxy, ton("0.1"), note).assert_success();
    world
        .send_cell(&ANYONE, &proxy, ton("0.1"), Cell::empty_cell())
        .assert_success();
    assert_eq!(world.data(&proxy), data);
}

#[test]
fn a_payload_that_the_proxy_does_not_know_is_refused() {
    let mut world = earning();
    let (proxy, client) = (world.proxy.clone(), world.client.clone());
    let mut step = CellBuilder::new();
    let known = body(&client_step(None));
    let mut slice = known.as_ref().as_slice().unwrap();
    step.store_slice(slice.load_prefix(known.bit_len() - 1, 1).unwrap())
        .unwrap();
    step.store_bit_one().unwrap();
    step.store_reference(body(&0xdead_beef_u32)).unwrap();
    let outcome = world.send_cell(&client, &proxy, ton("0.7"), step.build().unwrap());
    outcome.assert_refused(&proxy, ExitCode::UnknownOp);
}

#[test]
fn unknown_ops_and_overlong_messages_are_refused() {
    let mut world = World::new();
    let proxy = world.proxy.clone();
    world.refused(&OWNER, &proxy, "0.2", body(&0xdead_beef_u32), ExitCode::UnknownOp);
    let close = body(&CloseProxyFromOwner {
        query_id: QUERY,
        send_excesses_to: OWNER,
    });
    for message in [stake("0.05"), withdraw(), close] {
        world.refused(&OWNER, &proxy, "0.2", corrupted(&message), ExitCode::MessageFormat);
    }
}

#[test]
fn a_message_that_cannot_pay_its_way_changes_nothing() {
    let mut world = World::new();
    let (proxy, data) = (world.proxy.clone(), world.data(&world.proxy));
    let cost = world.send_cell(&ANYONE, &proxy, ton("0.2"), withdraw()).cost();
    // Enough for gas, one nanoton short of the message with the rest.
    let value = cost.checked_sub(Nanoton::new(1)).unwrap();
    let outcome = world.send_cell(&ANYONE, &proxy, value, withdraw());
    assert!(!outcome.at(&proxy).success());
    assert_eq!(world.data(&proxy), data);
}
