//! The order of checks of the proxy contract.

use cocoon_bindings::QueryId;
use cocoon_bindings::client::ClientState;
use cocoon_bindings::proxy::{AskToIncreaseProxyStake, AskToWithdrawEarnings, CloseProxyFromOwner};
use cocoon_bindings::ton::{Cell, CellBuilder, HashBytes};
use cocoon_bindings::types::{
    ClientPayload, ClientStep, ExitCode, ForcedRefundPayload, Lifecycle, RefundPayload, TextCommand, TopUpPayload,
    WorkerPayoutPayload, WorkerStep,
};
use cocoon_bindings::voucher::{CloseOp, VoucherOp};
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, OWNER, WORKER_OWNER, World, body, query, tokens, ton};

use crate::order::{
    Attempt, Content, Fault, around_signed, below_the_least_value, from_a_stranger, in_order, with_a_tail,
};

const QUERY: QueryId = query(42);
const TAIL: Fault = (ExitCode::MessageFormat, with_a_tail);
const NOT_OWNER: Fault = (ExitCode::ExpectedMessageFromOwner, from_a_stranger);
const CLOSED: Fault = (ExitCode::Closed, |attempt| {
    close(&mut attempt.world);
    complete(&mut attempt.world);
});
const CLOSING: Fault = (ExitCode::Closed, |attempt| close(&mut attempt.world));
/// More is on the books than on the account.
const UNCOVERED: Fault = (ExitCode::LowContractBalance, |attempt| {
    let proxy = attempt.world.proxy.clone();
    attempt.world.chain.set_balance(&proxy, ton("0.01")).unwrap();
});

/// A proxy with 0.1 TON of earnings, a client and a worker.
fn world() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, 100_000_000).assert_success();
    world
}

fn close(world: &mut World) {
    let (proxy, request) = (world.proxy.clone(), world.close(CloseOp::Request));
    world.send_cell(&EXCESSES, &proxy, ton("0.7"), request).assert_success();
}

fn complete(world: &mut World) {
    world.chain.advance(600).unwrap();
    let (proxy, complete) = (world.proxy.clone(), world.close(CloseOp::Complete));
    world
        .send_cell(&EXCESSES, &proxy, ton("0.7"), complete)
        .assert_success();
}

fn from_owner(message: Cell) -> Attempt {
    let world = world();
    let to = world.proxy.clone();
    Attempt::plain(world, &OWNER, &to, ton("0.1"), message)
}

fn text(text: &[u8]) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_raw(text, u16::try_from(text.len() * 8).unwrap()).unwrap();
    body(&TextCommand {
        text: builder.build().unwrap(),
    })
}

#[test]
fn stakes_earnings_and_the_owners_close() {
    let stake = AskToIncreaseProxyStake {
        query_id: QUERY,
        stake_amount: ton("1"),
        send_excesses_to: EXCESSES,
    };
    let make = || {
        let world = world();
        let to = world.proxy.clone();
        Attempt::plain(world, &EXCESSES, &to, ton("1.1"), body(&stake))
    };
    let short: Fault = (ExitCode::LowMessageValue, below_the_least_value);
    in_order("stake", make, &[CLOSED, short, TAIL]);
    let withdraw = AskToWithdrawEarnings {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    in_order("withdraw", || from_owner(body(&withdraw)), &[CLOSED, UNCOVERED, TAIL]);
    let request = CloseProxyFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    in_order("close", || from_owner(body(&request)), &[NOT_OWNER, CLOSING, TAIL]);
}

#[test]
fn texts() {
    let unknown: Fault = (ExitCode::UnknownTextOp, |attempt| {
        attempt.content = Content::Plain(text(b"x"))
    });
    let long: Fault = (ExitCode::UnknownTextOp, |attempt| {
        attempt.content = Content::Plain(text(b"cw"))
    });
    in_order(
        "text c",
        || from_owner(text(b"c")),
        &[NOT_OWNER, long, unknown, CLOSING],
    );
    in_order(
        "text w",
        || from_owner(text(b"w")),
        &[NOT_OWNER, long, unknown, CLOSED, UNCOVERED],
    );
}

#[test]
fn the_signed_close() {
    let signed = |op: CloseOp, mut world: World| {
        if op == CloseOp::Complete {
            close(&mut world);
            world.chain.advance(600).unwrap();
        }
        let to = world.proxy.clone();
        Attempt::signed(world, &to, op.opcode(), None, ton("0.1"))
    };
    let faults = around_signed(&[], &[CLOSING]);
    in_order("close", || signed(CloseOp::Request, world()), &faults);
    let closed: Fault = (ExitCode::Closed, |attempt| complete(&mut attempt.world));
    in_order(
        "complete",
        || signed(CloseOp::Complete, world()),
        &around_signed(&[], &[closed]),
    );
    let early: Fault = (ExitCode::NotUnlockedYet, |attempt| attempt.world = world());
    in_order(
        "complete",
        || signed(CloseOp::Complete, world()),
        &around_signed(&[], &[early]),
    );
    let too_early: Fault = (ExitCode::NotUnlockedYet, |attempt| {
        attempt.world = world();
        close(&mut attempt.world);
        attempt.world.chain.advance(599).unwrap();
    });
    in_order(
        "complete",
        || signed(CloseOp::Complete, world()),
        &around_signed(&[], &[too_early]),
    );
}

/// A client's step with another payload than the contract knows.
fn unknown_payload(step: &Cell) -> Cell {
    let mut unknown = CellBuilder::new();
    let mut slice = step.as_ref().as_slice().unwrap();
    let (bits, refs) = (step.bit_len(), step.reference_count());
    unknown.store_slice(slice.load_prefix(bits, refs - 1).unwrap()).unwrap();
    unknown.store_reference(body(&0xdead_beef_u32)).unwrap();
    unknown.build().unwrap()
}

const STRANGER: Fault = (ExitCode::ContractAddressMismatch, from_a_stranger);
const UNKNOWN: Fault = (ExitCode::UnknownOp, |attempt| {
    if let Content::Plain(step) = &attempt.content {
        attempt.content = Content::Plain(unknown_payload(step));
    }
});

#[test]
fn steps_of_clients() {
    let refund_amount = ton("1");
    let send_excesses_to = EXCESSES;
    let step = |payload: ClientPayload| {
        body(&ClientStep {
            query_id: QUERY,
            owner: CLIENT_OWNER,
            client_state: ClientState {
                state: Lifecycle::Normal,
                balance: ton("5"),
                stake: ton("1"),
                tokens_used: tokens(0),
                secret_hash: HashBytes::ZERO,
            },
            payload: Some(payload),
        })
    };
    let make = |payload: ClientPayload| {
        let world = world();
        let (from, to) = (world.client.clone(), world.proxy.clone());
        Attempt::plain(world, &from, &to, ton("1.1"), step(payload))
    };
    let top_up = TopUpPayload {
        top_up_amount: ton("1"),
        send_excesses_to: send_excesses_to.clone(),
    };
    let faults = [STRANGER, TAIL, UNKNOWN, CLOSING];
    in_order("top up", || make(ClientPayload::TopUpPayload(top_up.clone())), &faults);
    let refund = RefundPayload {
        refund_amount,
        send_excesses_to: send_excesses_to.clone(),
    };
    let faults = [STRANGER, TAIL, UNKNOWN, CLOSED, UNCOVERED];
    in_order("refund", || make(ClientPayload::RefundPayload(refund.clone())), &faults);
    let forced = ForcedRefundPayload {
        refund_amount,
        send_excesses_to,
    };
    let faults = [STRANGER, TAIL, UNKNOWN, UNCOVERED];
    in_order(
        "forced refund",
        || make(ClientPayload::ForcedRefundPayload(forced.clone())),
        &faults,
    );
}

#[test]
fn steps_of_workers() {
    let payout = WorkerPayoutPayload {
        worker_part: ton("1"),
        proxy_part: ton("0.1"),
        send_excesses_to: EXCESSES,
    };
    let step = WorkerStep {
        query_id: QUERY,
        owner: WORKER_OWNER,
        state: Lifecycle::Normal,
        tokens: tokens(5),
        payload: Some(payout),
    };
    let make = || {
        let world = world();
        let (from, to) = (world.worker.clone(), world.proxy.clone());
        Attempt::plain(world, &from, &to, ton("0.1"), body(&step))
    };
    in_order("payout", make, &[STRANGER, TAIL, CLOSED, UNKNOWN, UNCOVERED]);
}
