//! The order of checks of the client and worker contracts.

use cocoon_bindings::client::{
    AskToTopUp, ChangeSecretHashFromOwner, IncreaseStakeFromOwner, RegisterFromOwner, ReopenFromOwner,
    RequestRefundFromOwner, TopUpWithSecretFromOwner, WithdrawFromOwner,
};
use cocoon_bindings::ton::{Cell, HashBytes};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{CLIENT_OWNER, EXCESSES, WORKER_OWNER, World, body, query, ton};

use crate::order::{
    Attempt, Content, Fault, around_signed, below_the_least_value, from_a_stranger, in_order, to_a_poor_contract,
    with_a_tail,
};

const QUERY: QueryId = query(43);
const SECRET: HashBytes = HashBytes([0x77; 32]);
/// Of the message that is tried; more than any that came before.
const COUNT: u64 = 260_000_000;

const SHORT: Fault = (ExitCode::LowMessageValue, below_the_least_value);
const POOR: Fault = (ExitCode::LowContractBalance, to_a_poor_contract);
const TAIL: Fault = (ExitCode::MessageFormat, with_a_tail);
const NOT_OWNER: Fault = (ExitCode::ExpectedMessageFromOwner, from_a_stranger);
const NO_OWNER: Fault = (ExitCode::ExpectedOwner, from_a_stranger);
const CLOSED_CLIENT: Fault = (ExitCode::Closed, |attempt| {
    attempt
        .world
        .submit(VoucherOp::ClientRefund, 250_000_000)
        .assert_success();
});
const CLOSED_WORKER: Fault = (ExitCode::Closed, |attempt| {
    attempt
        .world
        .submit(VoucherOp::WorkerLastPayout, 2_000)
        .assert_success();
});

fn world() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world
}

fn client(from_owner: bool, moved: &str, message: Cell) -> Attempt {
    let world = world();
    let (to, from) = (world.client.clone(), if from_owner { CLIENT_OWNER } else { EXCESSES });
    Attempt::plain(world, &from, &to, ton(moved).checked_add(ton("0.1")).unwrap(), message)
}

#[test]
fn top_ups() {
    let top_up = AskToTopUp {
        query_id: QUERY,
        top_up_amount: ton("1"),
        send_excesses_to: EXCESSES,
    };
    in_order(
        "top up",
        || client(false, "1", body(&top_up)),
        &[SHORT, POOR, CLOSED_CLIENT, TAIL],
    );
    let with_secret = TopUpWithSecretFromOwner {
        query_id: QUERY,
        top_up_amount: ton("1"),
        new_secret_hash: SECRET,
        send_excesses_to: EXCESSES,
    };
    let faults = [NOT_OWNER, SHORT, POOR, CLOSED_CLIENT, TAIL];
    in_order("top up with secret", || client(true, "1", body(&with_secret)), &faults);
    let reopen = ReopenFromOwner {
        query_id: QUERY,
        top_up_amount: ton("1"),
        send_excesses_to: EXCESSES,
    };
    in_order(
        "reopen",
        || client(true, "1", body(&reopen)),
        &[NOT_OWNER, SHORT, POOR, TAIL],
    );
}

#[test]
fn the_owners_settings() {
    let register = RegisterFromOwner {
        query_id: QUERY,
        nonce: 77,
        send_excesses_to: EXCESSES,
    };
    in_order(
        "register",
        || client(true, "0", body(&register)),
        &[NOT_OWNER, SHORT, POOR, TAIL],
    );
    let secret = ChangeSecretHashFromOwner {
        query_id: QUERY,
        new_secret_hash: SECRET,
        send_excesses_to: EXCESSES,
    };
    in_order(
        "secret",
        || client(true, "0", body(&secret)),
        &[NOT_OWNER, SHORT, POOR, TAIL],
    );
    let stake = |stake: &str| {
        body(&IncreaseStakeFromOwner {
            query_id: QUERY,
            new_stake: ton(stake),
            send_excesses_to: EXCESSES,
        })
    };
    let not_more: Fault = (ExitCode::LowMessageValue, |attempt| {
        let same = IncreaseStakeFromOwner {
            query_id: QUERY,
            new_stake: ton("1"),
            send_excesses_to: EXCESSES,
        };
        attempt.content = Content::Plain(body(&same));
    });
    in_order(
        "stake",
        || client(true, "0", stake("2")),
        &[NOT_OWNER, SHORT, POOR, not_more, TAIL],
    );
}

#[test]
fn withdrawals_and_refunds() {
    let withdraw = WithdrawFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    // Not more than the stake is left.
    let nothing: Fault = (ExitCode::LowContractBalance, |attempt| {
        attempt
            .world
            .submit(VoucherOp::ClientCharge, 200_000_000)
            .assert_success();
    });
    let closing: Fault = (ExitCode::Closed, |attempt| {
        attempt.world.request_refund().assert_success();
    });
    let faults = [NO_OWNER, SHORT, POOR, CLOSED_CLIENT, nothing, TAIL];
    in_order("withdraw", || client(true, "0", body(&withdraw)), &faults);
    in_order(
        "withdraw while closing",
        || client(true, "0", body(&withdraw)),
        &[closing],
    );
    let refund = RequestRefundFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    let locked: Fault = (ExitCode::NotUnlockedYet, |attempt| {
        attempt.world.request_refund().assert_success();
    });
    let faults = [NO_OWNER, SHORT, POOR, CLOSED_CLIENT, TAIL, locked];
    in_order("refund request", || client(true, "0", body(&refund)), &faults);
}

#[test]
fn charges_and_grants() {
    let old: Fault = (ExitCode::OldMessage, |attempt| {
        attempt.world.submit(VoucherOp::ClientCharge, 1_000).assert_success();
        attempt.set_count(999);
    });
    for op in [VoucherOp::ClientCharge, VoucherOp::ClientRefund] {
        let make = || {
            let world = world();
            let to = world.client.clone();
            Attempt::signed(world, &to, op.opcode(), Some(COUNT), ton("0.1"))
        };
        in_order(
            &format!("{op:?}"),
            make,
            &around_signed(&[SHORT, POOR, CLOSED_CLIENT], &[old]),
        );
    }
}

#[test]
fn payouts() {
    let old: Fault = (ExitCode::OldMessage, |attempt| {
        attempt.world.submit(VoucherOp::WorkerPayout, 1_000).assert_success();
        attempt.set_count(999);
    });
    for op in [VoucherOp::WorkerPayout, VoucherOp::WorkerLastPayout] {
        let make = || {
            let world = world();
            let to = world.worker.clone();
            let least = ton("0.1").checked_add(Nanoton::new(1)).unwrap();
            Attempt::signed(world, &to, op.opcode(), Some(COUNT), least)
        };
        in_order(
            &format!("{op:?}"),
            make,
            &around_signed(&[CLOSED_WORKER, SHORT, POOR], &[old]),
        );
    }
}

#[test]
fn a_workers_registration() {
    let register = RegisterWorkerFromOwner {
        query_id: QUERY,
        send_excesses_to: EXCESSES,
    };
    let make = || {
        let world = world();
        let to = world.worker.clone();
        let least = ton("0.1").checked_add(Nanoton::new(1)).unwrap();
        Attempt::plain(world, &WORKER_OWNER, &to, least, body(&register))
    };
    // A notice needs no commission on top of the reserve.
    let poor: Fault = (ExitCode::LowContractBalance, |attempt| {
        to_a_poor_contract(attempt);
        attempt.value = ton("0.11");
    });
    in_order("register", make, &[NOT_OWNER, CLOSED_WORKER, SHORT, poor, TAIL]);
}
