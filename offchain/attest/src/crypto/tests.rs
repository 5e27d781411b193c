//! Both implementations say the same: of what is right, of what is not, and of what is nothing at all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use proptest::prelude::*;

use super::{aws_lc, pure};

type Verify = fn(&[u8], &[u8], &[u8]) -> bool;

/// What is done to a signed message before both are asked.
#[derive(Clone, Debug)]
enum Change {
    None,
    Key(prop::sample::Index, u8),
    Message(u8),
    Signature(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Longer(u8),
    Garbage(Vec<u8>, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::None),
        (any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(at, by)| Change::Key(at, by)),
        any::<u8>().prop_map(Change::Message),
        (any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(at, by)| Change::Signature(at, by)),
        any::<prop::sample::Index>().prop_map(Change::Cut),
        any::<u8>().prop_map(Change::Longer),
        (any::<Vec<u8>>(), any::<Vec<u8>>()).prop_map(|(key, signature)| Change::Garbage(key, signature)),
    ]
}

fn changed(change: Change, key: &mut Vec<u8>, message: &mut Vec<u8>, signature: &mut Vec<u8>) -> bool {
    match change {
        Change::None => return true,
        Change::Key(at, by) => {
            // The first byte of a point is its form: AWS-LC may know more of them.
            let at = 1 + at.index(key.len() - 1);
            key[at] ^= by;
        }
        Change::Message(byte) => message.push(byte),
        Change::Signature(at, by) => {
            let at = at.index(signature.len());
            signature[at] ^= by;
        }
        Change::Cut(at) => signature.truncate(at.index(signature.len())),
        Change::Longer(byte) => signature.push(byte),
        Change::Garbage(other, garbage) => (*key, *signature) = (other, garbage),
    }
    false
}

fn compare(
    algorithm: &'static EcdsaSigningAlgorithm,
    verify: [Verify; 2],
    mut message: Vec<u8>,
    change: Change,
) -> Result<(), TestCaseError> {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let mut key = pair.public_key().as_ref().to_vec();
    let mut signature = pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec();
    let is_right = changed(change, &mut key, &mut message, &mut signature);
    let [aws, pure] = verify.map(|verify| verify(&key, &message, &signature));
    prop_assert_eq!(aws, pure);
    prop_assert_eq!(aws, is_right);
    Ok(())
}

proptest! {
    #[test]
    fn ecdsa_is_the_same(message: Vec<u8>, change in change()) {
        let bare = [aws_lc::p256_fixed as Verify, pure::p256_fixed];
        compare(&ECDSA_P256_SHA256_FIXED_SIGNING, bare, message.clone(), change.clone())?;
        let der = [aws_lc::p256_asn1 as Verify, pure::p256_asn1];
        compare(&ECDSA_P256_SHA256_ASN1_SIGNING, der, message.clone(), change.clone())?;
        let bare = [aws_lc::p384_fixed as Verify, pure::p384_fixed];
        compare(&ECDSA_P384_SHA384_FIXED_SIGNING, bare, message.clone(), change.clone())?;
        let der = [aws_lc::p384_asn1 as Verify, pure::p384_asn1];
        compare(&ECDSA_P384_SHA384_ASN1_SIGNING, der, message, change)?;
    }

    #[test]
    fn ed25519_is_the_same(seed: [u8; 32], mut message: Vec<u8>, change in change()) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let mut key = pair.public_key().as_ref().to_vec();
        let mut signature = pair.sign(&message).as_ref().to_vec();
        let is_right = changed(change, &mut key, &mut message, &mut signature);
        if let Ok(key) = <[u8; 32]>::try_from(key) {
            let verdict = aws_lc::ed25519(&key, &message, &signature);
            prop_assert_eq!(verdict, pure::ed25519(&key, &message, &signature));
            prop_assert_eq!(verdict, is_right);
        }
    }

    #[test]
    fn hashes_are_the_same(first: Vec<u8>, second: Vec<u8>) {
        prop_assert_eq!(aws_lc::sha256(&first), pure::sha256(&first));
        prop_assert_eq!(aws_lc::sha384(&[&first, &second]), pure::sha384(&[&first, &second]));
    }
}

#[test]
fn a_read_key_says_what_an_unread_one_says() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let key = pair.public_key().as_ref();
    let signature = pair.sign(&SystemRandom::new(), b"x").unwrap();
    assert!(aws_lc::P256Key::new(key).unwrap().verifies(b"x", signature.as_ref()));
    assert!(pure::P256Key::new(key).unwrap().verifies(b"x", signature.as_ref()));
    assert!(!pure::P256Key::new(key).unwrap().verifies(b"y", signature.as_ref()));
    assert!(pure::P256Key::new(&[4; 65]).is_none());
}
