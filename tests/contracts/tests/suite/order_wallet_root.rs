//! The order of checks of the wallet and of the root contract.

use cocoon_bindings::message::{InternalMessage, wallet_external};
use cocoon_bindings::root::UpdateProxyFromOwner;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily};
use cocoon_bindings::types::{ExitCode, TextCommand};
use cocoon_bindings::wallet::SendMessageFromOwner;
use cocoon_bindings::{ProxyEndpoints, PublicKey, wallet_state_init};
use cocoon_contract_tests::{ANYONE, OWNER, START, World, body, query, ton};
use cocoon_emulator::EmulatorError;
use ed25519_dalek::SigningKey;

use crate::order::{Attempt, Content, Fault, from_a_stranger, in_order, with_a_tail};
use crate::root_messages::every_message;

/// What an external message says, and on which wallet.
struct Request {
    world: World,
    wallet: Address,
    key: SigningKey,
    seqno: u32,
    valid_until: u32,
    subwallet: u32,
}

fn text(text: &[u8]) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_raw(text, u16::try_from(text.len() * 8).unwrap()).unwrap();
    body(&TextCommand {
        text: builder.build().unwrap(),
    })
}

fn to_anyone() -> InternalMessage {
    InternalMessage {
        to: ANYONE,
        value: ton("0.1"),
        bounce: false,
        body: Cell::empty_cell(),
        state_init: None,
    }
}

/// A wallet that was deployed by its owner.
fn wallet() -> (World, Address) {
    let init = wallet_state_init(&PublicKey::from(&SigningKey::from_bytes(&[9; 32])), &OWNER).unwrap();
    let (mut world, wallet) = (World::new(), init.address().unwrap());
    world
        .deploy(&OWNER, &wallet, ton("10"), Cell::empty_cell(), init)
        .assert_success();
    (world, wallet)
}

fn request() -> Request {
    let (world, wallet) = wallet();
    Request {
        world,
        wallet,
        key: SigningKey::from_bytes(&[9; 32]),
        seqno: 0,
        valid_until: START + 60,
        subwallet: 0,
    }
}

type RequestFault = (ExitCode, fn(&mut Request));

const REQUEST_FAULTS: [RequestFault; 6] = [
    (ExitCode::Expired, |request| request.valid_until = START),
    (ExitCode::Blocked, |request| {
        let wallet = request.wallet.clone();
        request
            .world
            .send_cell(&OWNER, &wallet, ton("0.1"), text(b"b"))
            .assert_success();
    }),
    (ExitCode::WrongSeqno, |request| request.seqno = 1),
    (ExitCode::WrongSubwallet, |request| request.subwallet = 1),
    (ExitCode::WrongWalletSignature, |request| {
        request.key = SigningKey::from_bytes(&[8; 32])
    }),
    (ExitCode::WalletBalanceTooLow, |request| {
        request
            .world
            .chain
            .set_balance(&request.wallet, ton("1.999999999"))
            .unwrap();
    }),
];

fn external(mut request: Request, expected: Option<ExitCode>) {
    let Request {
        wallet,
        key,
        seqno,
        valid_until,
        subwallet,
        ..
    } = &request;
    let messages = [(3, to_anyone())];
    let message = wallet_external(wallet, *seqno, *valid_until, *subwallet, &messages, key, None).unwrap();
    let before = (request.world.data(wallet), request.world.balance(wallet));
    let result = request.world.chain.send_external(message);
    match (expected, result) {
        (None, Ok(report)) => assert!(report.success()),
        (Some(error), Err(EmulatorError::ExternalRefused { exit_code, .. })) => {
            assert_eq!(exit_code, Some(error.code()), "expected {error:?}");
            assert_eq!(
                (
                    request.world.data(&request.wallet),
                    request.world.balance(&request.wallet)
                ),
                before
            );
        }
        (expected, other) => panic!("expected {expected:?}, got {other:?}"),
    }
}

#[test]
fn external_messages_to_a_wallet() {
    for first in 0..=REQUEST_FAULTS.len() {
        let mut spoilt = request();
        for (_, spoil) in REQUEST_FAULTS[first..].iter().rev() {
            spoil(&mut spoilt);
        }
        external(spoilt, REQUEST_FAULTS.get(first).map(|(error, _)| *error));
    }
    for (error, spoil) in REQUEST_FAULTS {
        let mut spoilt = request();
        spoil(&mut spoilt);
        external(spoilt, Some(error));
    }
}

#[test]
fn the_owners_messages_to_a_wallet() {
    let make = |message: Cell| {
        let (world, wallet) = wallet();
        Attempt::plain(world, &OWNER, &wallet, ton("0.1"), message)
    };
    let stranger: Fault = (ExitCode::NotOwner, from_a_stranger);
    let send = SendMessageFromOwner {
        query_id: query(1),
        mode: 1,
        message: to_anyone().to_cell().unwrap(),
    };
    in_order("send", || make(body(&send)), &[stranger]);
    let long: Fault = (ExitCode::UnknownCommand, |attempt| {
        attempt.content = Content::Plain(text(b"bu"))
    });
    let unknown: Fault = (ExitCode::UnknownCommand, |attempt| {
        attempt.content = Content::Plain(text(b"x"))
    });
    for command in [b"b", b"u", b"w"] {
        in_order("text", || make(text(command)), &[stranger, long, unknown]);
    }
}

#[test]
fn messages_to_the_root_contract() {
    let stranger: Fault = (ExitCode::ExpectedMessageFromOwner, from_a_stranger);
    let tail: Fault = (ExitCode::MessageFormat, with_a_tail);
    let make = |message: Cell| {
        let world = World::new();
        let root = world.root.clone();
        Attempt::plain(world, &OWNER, &root, ton("0.1"), message)
    };
    let update = || {
        let endpoints = ProxyEndpoints {
            workers: "a:1".to_owned(),
            clients: "a:1".to_owned(),
        };
        body(&UpdateProxyFromOwner {
            query_id: query(41),
            seqno: 1,
            endpoints,
        })
    };
    let count = every_message(&World::new()).len();
    for index in 0..count {
        let message = every_message(&World::new()).remove(index);
        if message == update() {
            continue;
        }
        in_order(&format!("message {index}"), || make(message.clone()), &[stranger, tail]);
    }
    // A proxy that is not registered is noticed after a text that is not well formed.
    let known = || {
        let mut attempt = make(update());
        let register = every_message(&attempt.world).remove(6);
        attempt
            .world
            .send_cell(&OWNER, &attempt.to.clone(), ton("0.1"), register)
            .assert_success();
        attempt
    };
    let unregistered: Fault = (ExitCode::UnknownProxy, |attempt| attempt.world = World::new());
    in_order("update", known, &[stranger, tail, unregistered]);
}
