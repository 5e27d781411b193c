//! The wallet's messages.

use cocoon_bindings::message::{InternalMessage, StateCommit, wallet_external};
use cocoon_bindings::ton::{Address, Cell, CellBuilder};
use cocoon_bindings::types::{PayoutNotificationForOwner, ReturnExcessesBack, TextCommand};
use cocoon_bindings::wallet::SendMessageFromOwner;
use cocoon_bindings::{Nanoton, PublicKey, wallet_state_init};
use ed25519_dalek::SigningKey;

use crate::gas::Meter;
use crate::gas::common::QUERY;
use crate::messages::body;
use crate::people::{ANYONE, OWNER};
use crate::world::{START, ton};

/// Pay fees separately, ignore errors.
const ORDINARY: u8 = 3;

/// The second message of a wallet, so that its deployment does not count.
pub(super) fn commit(meter: &mut Meter) {
    let key = SigningKey::from_bytes(&[9; 32]);
    let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
    let wallet = add(meter);
    let messages = [(ORDINARY, note(meter))];
    for seqno in 0..2 {
        let init = (seqno == 0).then_some(&init);
        let external = wallet_external(&wallet, seqno, START + 1000, 0, &messages, &key, init).unwrap();
        let report = meter.world.chain.send_external(external).unwrap();
        let outcome = meter.world.finish(report);
        if seqno == 1 {
            meter.note("state commit", &outcome);
        }
    }
}

/// A funded wallet, not deployed yet.
fn add(meter: &mut Meter) -> Address {
    let key = SigningKey::from_bytes(&[9; 32]);
    let wallet = wallet_state_init(&PublicKey::from(&key), &OWNER)
        .unwrap()
        .address()
        .unwrap();
    meter.world.chain.fund(&wallet, ton("10")).unwrap();
    meter.cast.contract(&wallet, "wallet");
    wallet
}

fn note(meter: &Meter) -> InternalMessage {
    let commit = StateCommit {
        query_id: QUERY,
        seqno: 7,
        session_hash: [3; 32],
    };
    InternalMessage {
        to: meter.world.proxy.clone(),
        value: Nanoton::new(1),
        bounce: false,
        body: commit.to_cell().unwrap(),
        state_init: None,
    }
}

/// Internal messages to a wallet.
pub(super) fn others(meter: &mut Meter) {
    let wallet = add(meter);
    let key = SigningKey::from_bytes(&[9; 32]);
    let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
    meter
        .world
        .deploy(&OWNER, &wallet, ton("0.1"), Cell::default(), init)
        .assert_success();
    let message = InternalMessage {
        to: ANYONE,
        ..note(meter)
    };
    let send = SendMessageFromOwner {
        query_id: QUERY,
        mode: ORDINARY,
        message: message.to_cell().unwrap(),
    };
    meter.send("send from the owner", &OWNER, &wallet, &send);
    meter.send("excesses", &ANYONE, &wallet, &ReturnExcessesBack { query_id: QUERY });
    meter.send(
        "payout arrives",
        &ANYONE,
        &wallet,
        &PayoutNotificationForOwner { query_id: QUERY },
    );
    meter.send_cell("note", &ANYONE, &wallet, note(meter).body);
    for (step, character) in [("block", b'b'), ("unblock", b'u'), ("withdraw by text", b'w')] {
        meter.send_cell(step, &OWNER, &wallet, text(character));
    }
}

/// A command of one character.
pub(super) fn text(character: u8) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_u8(character).unwrap();
    body(&TextCommand {
        text: builder.build().unwrap(),
    })
}
