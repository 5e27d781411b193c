//! Wallets as values; their code is run in the emulator elsewhere.

use super::*;
use crate::units::Nanoton;
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn transfer(n: u8) -> (u8, InternalMessage) {
    let message = InternalMessage {
        to: Address::new(0, [n; 32].into()),
        value: Nanoton::from_ton(1),
        bounce: false,
        body: Cell::default(),
        state_init: None,
    };
    (3, message)
}

fn wallets() -> [WalletContract; 3] {
    let public_key = PublicKey::from(&key());
    [
        WalletContract::v4r2(public_key),
        WalletContract::v5r1(public_key, WALLET_ID_MAINNET),
        WalletContract::node(public_key, Address::new(0, [9; 32].into())),
    ]
}

#[test]
fn every_kind_has_the_code_that_is_known_for_it() {
    for kind in WalletKind::ALL {
        assert!(kind.code().is_ok(), "{kind}");
        assert_eq!(kind.name().parse::<WalletKind>(), Ok(kind));
    }
    assert!("v3r2".parse::<WalletKind>().is_err());
}

#[test]
fn the_number_of_messages_is_bounded_by_the_kind() {
    for wallet in wallets() {
        let most = wallet.kind().max_messages();
        for (count, fits) in [(0, false), (1, true), (most, true), (most + 1, false)] {
            let messages: Vec<_> = (0..count).map(|n| transfer(u8::try_from(n % 250).unwrap())).collect();
            let made = wallet.external(1, 1000, &messages, &key(), false);
            assert_eq!(made.is_ok(), fits, "{} {count}", wallet.kind());
        }
    }
}

#[test]
fn initial_data_begins_with_seqno_zero() {
    for wallet in wallets() {
        let data = wallet.state_init().unwrap().data;
        assert_eq!(wallet.kind().seqno(&data).unwrap(), 0);
        assert!(wallet.kind().seqno(&Cell::default()).is_err());
    }
}

proptest! {
    #[test]
    fn a_wallet_survives_its_text(key in any::<[u8; 32]>(), number in any::<u32>(), kind in 0..3usize) {
        let public_key = PublicKey::new(key);
        let wallet = match kind {
            0 => WalletContract::V4r2 { public_key, subwallet: number },
            1 => WalletContract::v5r1(public_key, number),
            _ => WalletContract::node(public_key, Address::new(0, key.into())),
        };
        let text = serde_json::to_string(&wallet).unwrap();
        prop_assert_eq!(serde_json::from_str::<WalletContract>(&text).unwrap(), wallet);
    }
}
