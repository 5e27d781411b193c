//! A runner's wallet: the runner's key sends, the owner stays in control.

use std::sync::Arc;

use cocoon_bindings::message::{InternalMessage, StateCommit, wallet_external};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily};
use cocoon_bindings::types::{DoNotProcess, ExitCode, PayoutNotificationForOwner, ReturnExcessesBack, TextCommand};
use cocoon_bindings::wallet::{GetOwnerAddress, GetPublicKey, SendMessageFromOwner, Seqno};
use cocoon_bindings::{Nanoton, PublicKey, QueryId, StateInit, wallet_state_init};
use cocoon_contract_tests::{ANYONE, OWNER, START, World, body, query, ton};
use cocoon_emulator::{EmulatorError, TransactionReport};
use ed25519_dalek::SigningKey;

const QUERY: QueryId = query(45);
const ORDINARY: u8 = 3;

struct Wallet {
    world: World,
    key: SigningKey,
    init: StateInit,
    address: Address,
}

/// What an external message states besides its messages.
struct Request {
    key: SigningKey,
    seqno: u32,
    valid_until: u32,
    subwallet: u32,
}

impl Wallet {
    /// Funded, and deployed by its first message.
    fn new(amount: &str) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
        let address = init.address().unwrap();
        let mut world = World::new();
        world.chain.fund(&address, ton(amount)).unwrap();
        Self {
            world,
            key,
            init,
            address,
        }
    }

    fn request(&self, seqno: u32) -> Request {
        Request {
            key: self.key.clone(),
            seqno,
            valid_until: START + 60,
            subwallet: 0,
        }
    }

    fn send(
        &mut self,
        request: &Request,
        messages: &[(u8, InternalMessage)],
    ) -> Result<Arc<TransactionReport>, EmulatorError> {
        let Request {
            key,
            seqno,
            valid_until,
            subwallet,
        } = request;
        let init = (*seqno == 0).then_some(&self.init);
        let message = wallet_external(&self.address, *seqno, *valid_until, *subwallet, messages, key, init).unwrap();
        let report = self.world.chain.send_external(message)?;
        self.world.finish(report.clone());
        Ok(report)
    }

    fn refuses(&mut self, request: &Request, error: ExitCode) {
        match self.send(request, &[(ORDINARY, to_anyone("0.1"))]) {
            Err(EmulatorError::ExternalRefused { exit_code, .. }) => assert_eq!(exit_code, Some(error.code())),
            other => panic!("expected {error:?}, got {other:?}"),
        }
    }

    fn seqno(&self) -> u32 {
        self.world.get(&self.address, &Seqno)
    }
}

fn to_anyone(value: &str) -> InternalMessage {
    InternalMessage {
        to: ANYONE,
        value: ton(value),
        bounce: false,
        body: Cell::empty_cell(),
        state_init: None,
    }
}

fn text(character: u8) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_u8(character).unwrap();
    body(&TextCommand {
        text: builder.build().unwrap(),
    })
}

#[test]
fn the_first_message_deploys_and_each_sends_up_to_four() {
    let mut wallet = Wallet::new("10");
    for seqno in 0..2 {
        let messages = vec![(ORDINARY, to_anyone("0.25")); 4];
        let report = wallet.send(&wallet.request(seqno), &messages).unwrap();
        assert_eq!((report.success(), report.out_msgs.len()), (true, 4));
        assert_eq!(wallet.seqno(), seqno + 1);
    }
    assert_eq!(wallet.world.balance(&ANYONE), ton("2"));
    assert_eq!(
        wallet.world.get(&wallet.address, &GetPublicKey),
        PublicKey::from(&wallet.key)
    );
    assert_eq!(wallet.world.get(&wallet.address, &GetOwnerAddress), OWNER);
}

#[test]
fn a_state_commit_reaches_the_proxys_history() {
    let mut wallet = Wallet::new("10");
    let commit = StateCommit {
        query_id: QUERY,
        seqno: 7,
        session_hash: [3; 32],
    };
    let proxy = wallet.world.proxy.clone();
    let held = wallet.world.balance(&proxy);
    let message = InternalMessage {
        to: proxy.clone(),
        value: Nanoton::new(1),
        bounce: false,
        body: commit.to_cell().unwrap(),
        state_init: None,
    };
    wallet.send(&wallet.request(0), &[(ORDINARY, message)]).unwrap();
    assert_eq!(wallet.world.balance(&proxy), held.checked_add(Nanoton::new(1)).unwrap());
}

#[test]
fn external_messages_are_refused_for_each_reason() {
    let mut wallet = Wallet::new("10");
    wallet
        .send(&wallet.request(0), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
    let good = || Request {
        key: SigningKey::from_bytes(&[9; 32]),
        seqno: 1,
        valid_until: START + 60,
        subwallet: 0,
    };
    wallet.refuses(
        &Request {
            valid_until: START,
            ..good()
        },
        ExitCode::Expired,
    );
    wallet.refuses(&Request { seqno: 2, ..good() }, ExitCode::WrongSeqno);
    wallet.refuses(&Request { subwallet: 1, ..good() }, ExitCode::WrongSubwallet);
    wallet.refuses(
        &Request {
            key: SigningKey::from_bytes(&[8; 32]),
            ..good()
        },
        ExitCode::WrongWalletSignature,
    );
    assert_eq!(wallet.seqno(), 1);
    wallet.send(&good(), &[(ORDINARY, to_anyone("0.1"))]).unwrap();
    wallet.refuses(&good(), ExitCode::WrongSeqno);
}

#[test]
fn a_wallet_below_two_ton_sends_nothing() {
    let mut wallet = Wallet::new("1.999999999");
    wallet.refuses(&wallet.request(0), ExitCode::WalletBalanceTooLow);
}

#[test]
fn a_message_that_cannot_be_sent_uses_up_its_seqno() {
    let mut wallet = Wallet::new("10");
    let report = wallet
        .send(&wallet.request(0), &[(0, to_anyone("100")), (0, to_anyone("0.1"))])
        .unwrap();
    assert!(report.success());
    assert_eq!(wallet.seqno(), 1);
    wallet.refuses(&wallet.request(0), ExitCode::WrongSeqno);
}

#[test]
fn the_owner_blocks_and_unblocks() {
    let mut wallet = Wallet::new("10");
    let address = wallet.address.clone();
    wallet
        .send(&wallet.request(0), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
    wallet
        .world
        .send_cell(&OWNER, &address, ton("0.1"), text(b'b'))
        .assert_success();
    wallet.refuses(&wallet.request(1), ExitCode::Blocked);
    wallet
        .world
        .refused(&ANYONE, &address, "0.1", text(b'u'), ExitCode::NotOwner);
    wallet
        .world
        .send_cell(&OWNER, &address, ton("0.1"), text(b'u'))
        .assert_success();
    wallet
        .send(&wallet.request(1), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
}

#[test]
fn the_owner_takes_everything_but_the_storage_reserve() {
    let mut wallet = Wallet::new("10");
    let address = wallet.address.clone();
    wallet
        .send(&wallet.request(0), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
    wallet
        .world
        .refused(&ANYONE, &address, "0.1", text(b'w'), ExitCode::NotOwner);
    let held = wallet.world.balance(&address).checked_add(ton("0.1")).unwrap();
    let outcome = wallet.world.send_cell(&OWNER, &address, ton("0.1"), text(b'w'));
    let spent = outcome.cost().checked_add(ton("0.01")).unwrap();
    assert_eq!(outcome.received(&OWNER), held.checked_sub(spent).unwrap());
    assert_eq!(wallet.world.balance(&address), ton("0.01"));
}

#[test]
fn the_owner_sends_any_message() {
    let mut wallet = Wallet::new("10");
    let address = wallet.address.clone();
    wallet
        .send(&wallet.request(0), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
    let message = body(&SendMessageFromOwner {
        query_id: QUERY,
        mode: 1,
        message: to_anyone("3").to_cell().unwrap(),
    });
    wallet
        .world
        .refused(&ANYONE, &address, "0.1", message.clone(), ExitCode::NotOwner);
    let outcome = wallet.world.send_cell(&OWNER, &address, ton("0.1"), message);
    outcome.assert_success();
    assert_eq!(outcome.received(&ANYONE), ton("3"));
}

#[test]
fn money_notes_and_bounces_are_accepted_and_unknown_commands_are_not() {
    let mut wallet = Wallet::new("10");
    let address = wallet.address.clone();
    wallet
        .send(&wallet.request(0), &[(ORDINARY, to_anyone("0.1"))])
        .unwrap();
    let accepted = [
        body(&ReturnExcessesBack { query_id: QUERY }),
        body(&PayoutNotificationForOwner { query_id: QUERY }),
        body(&DoNotProcess {
            query_id: QUERY,
            note: Cell::empty_cell(),
        }),
        Cell::empty_cell(),
    ];
    for message in accepted {
        wallet
            .world
            .send_cell(&ANYONE, &address, ton("0.1"), message)
            .assert_success();
    }
    for unknown in [text(b'x'), body(&0xdead_beef_u32)] {
        wallet
            .world
            .refused(&OWNER, &address, "0.1", unknown.clone(), ExitCode::UnknownCommand);
        wallet
            .world
            .refused(&ANYONE, &address, "0.1", unknown, ExitCode::NotOwner);
    }
    // A message that the wallet sent comes back: the coins are the wallet's again.
    let proxy = wallet.world.proxy.clone();
    let refused = InternalMessage {
        to: proxy,
        value: ton("1"),
        bounce: true,
        body: body(&0xdead_beef_u32),
        state_init: None,
    };
    let held = wallet.world.balance(&address);
    wallet.send(&wallet.request(1), &[(ORDINARY, refused)]).unwrap();
    assert!(wallet.world.balance(&address) > held.checked_sub(ton("0.05")).unwrap());
}
