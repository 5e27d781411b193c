//! Each kind of wallet with its real code.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Cell, friendly, parse_address};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WALLET_ID_TESTNET, WalletContract, WalletKind};
use cocoon_chain::{ChainError, wallet_seqno};

use super::{Stage, key, person, v5};
use crate::{Mnemonic, OwnerError};

fn transfer(byte: u8) -> InternalMessage {
    InternalMessage {
        to: person(byte),
        value: Nanoton::from_ton(1),
        bounce: false,
        body: Cell::default(),
        state_init: None,
    }
}

fn wallets() -> [WalletContract; 3] {
    let public_key = PublicKey::from(&key(7));
    [
        WalletContract::v4r2(public_key),
        v5(7),
        WalletContract::node(public_key, person(66)),
    ]
}

#[test]
fn addresses_are_those_that_other_programs_derive() {
    // Vectors of tonlib-core, with their mnemonics.
    let v4 = "fancy carpet hello mandate penalty trial consider property top vicious exit rebuild tragic profit urban major \
              total month holiday sudden rib gather media vicious";
    let v5 = "section garden tomato dinner season dice renew length useful spin trade intact use universe what post spike \
              keen mandate behind concert egg doll rug";
    let key = |words| PublicKey::from(&Mnemonic::parse(words).unwrap().key().unwrap());
    for (wallet, address) in [
        (
            WalletContract::v4r2(key(v4)),
            "EQCDM_QGggZ3qMa_f3lRPk4_qLDnLTqdi6OkMAV2NB9r5TG3",
        ),
        (
            WalletContract::v5r1(key(v5), WALLET_ID_MAINNET),
            "UQDv2YSmlrlLH3hLNOVxC8FcQf4F9eGNs4vb2zKma4txo6i3",
        ),
    ] {
        assert_eq!(
            wallet.address().unwrap(),
            parse_address(address).unwrap(),
            "{}",
            wallet.kind()
        );
    }
    let testnet = WalletContract::v5r1(key(v5), WALLET_ID_TESTNET);
    assert_ne!(
        testnet.address().unwrap(),
        WalletContract::v5r1(key(v5), WALLET_ID_MAINNET).address().unwrap()
    );
    for (kind, hash) in [
        (
            WalletKind::V4r2,
            "feb5ff6820e2ff0d9483e7e0d62c817d846789fb4ae580c878866d959dabd5c0",
        ),
        (
            WalletKind::V5r1,
            "20834b7b72b112147e1b2fb457b84e74d1a30f04f737d4f62a668e9552d2b72f",
        ),
    ] {
        assert_eq!(kind.code().unwrap().repr_hash().to_string(), hash, "{kind}");
    }
}

#[tokio::test]
async fn a_wallet_deploys_itself_and_sends_as_many_messages_as_it_can() {
    for wallet in wallets() {
        let stage = Stage::new();
        let address = wallet.address().unwrap();
        stage.fund(&address, 1000);
        let mut sender = stage.sender(&wallet);
        let most = wallet.kind().max_messages();
        let messages: Vec<_> = (0..most).map(|_| transfer(200)).collect();
        let first = sender.send("test", "one", &messages[..1], &key(7)).await.unwrap();
        assert_eq!(
            (first.out_msgs.len(), first.exit_code()),
            (1, Some(0)),
            "{}",
            wallet.kind()
        );
        let all = sender.send("test", "all", &messages, &key(7)).await.unwrap();
        assert_eq!(all.out_msgs.len(), most);
        let received = stage.balance(&person(200)).await;
        assert_eq!(received, Nanoton::from_ton(u64::try_from(most).unwrap() + 1));
        let seqno = wallet_seqno(stage.shared().as_ref(), &address, wallet.kind())
            .await
            .unwrap();
        assert_eq!(seqno, 2);
    }
}

#[tokio::test]
async fn another_key_is_refused_by_the_wallet_and_nothing_stays_behind() {
    for wallet in wallets() {
        let stage = Stage::new();
        stage.fund(&wallet.address().unwrap(), 10);
        let mut sender = stage.sender(&wallet);
        let refused = sender.send("test", "one", &[transfer(200)], &key(8)).await;
        assert!(
            matches!(refused, Err(OwnerError::Chain(ChainError::MessageRefused { .. }))),
            "{refused:?}"
        );
        assert!(sender.journal().pending().unwrap().is_none());
        sender.send("test", "one", &[transfer(200)], &key(7)).await.unwrap();
    }
}

#[tokio::test]
async fn a_poor_wallet_says_what_it_needs() {
    let stage = Stage::new();
    let wallet = v5(7);
    stage.fund(&wallet.address().unwrap(), 1);
    let refused = stage
        .sender(&wallet)
        .send("test", "one", &[transfer(200)], &key(7))
        .await;
    assert!(matches!(refused, Err(OwnerError::Balance { .. })), "{refused:?}");
    assert!(friendly(&wallet.address().unwrap(), false, false).starts_with("UQ"));
}
