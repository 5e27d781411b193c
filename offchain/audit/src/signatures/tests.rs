//! Together is as one by one: for honest signatures, for damaged ones, and for those that were made to differ.

use super::*;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::clamp_integer;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

fn random() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn hash(number: usize) -> HashBytes {
    HashBytes(Sha512::digest(number.to_le_bytes())[..32].try_into().unwrap())
}

fn sign(tag: u8, number: usize) -> Signed {
    let key = SigningKey::from_bytes(&[tag; 32]);
    let hash = hash(number);
    Signed {
        key: PublicKey::from(&key),
        hash,
        signature: key.sign(hash.as_slice()).to_bytes(),
    }
}

fn many(count: usize) -> Vec<Signed> {
    (0..count).map(|number| sign(number as u8 % 3, number)).collect()
}

/// A signature with this `R`, which its key's owner computes for it: `s·B = R + k·A` but for what is added to `R`.
fn made(tag: u8, number: usize, nonce: u64, added: EdwardsPoint, key_added: EdwardsPoint) -> Signed {
    let nonce = Scalar::from(nonce);
    let r = (EdwardsPoint::mul_base(&nonce) + added).compress().to_bytes();
    of_signer(tag, number, key_added, (r, nonce))
}

/// The same with `R` and its number as they are given.
fn of_signer(tag: u8, number: usize, key_added: EdwardsPoint, (r, nonce): ([u8; 32], Scalar)) -> Signed {
    let secret = Scalar::from_bytes_mod_order(clamp_integer([tag; 32]));
    let key = EdwardsPoint::mul_base(&secret) + key_added;
    let key = PublicKey::new(key.compress().to_bytes());
    let hash = hash(number);
    let k = Sha512::new()
        .chain_update(r)
        .chain_update(key.as_bytes())
        .chain_update(hash.as_slice());
    let k = Scalar::from_bytes_mod_order_wide(&k.finalize().into());
    let s = nonce + k * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    Signed { key, hash, signature }
}

/// Checks that together and one by one agree, and gives what is wrong.
fn agreed(signed: &[Signed]) -> Vec<usize> {
    let one_by_one: Vec<usize> = (0..signed.len()).filter(|at| !signed[*at].verifies()).collect();
    assert_eq!(wrong(signed, random), one_by_one);
    assert!(one_by_one.is_empty() || !all_verify(signed, &mut random()));
    one_by_one
}

#[test]
fn honest_signatures_verify_together() {
    for count in [0, 1, 2, MIN_TOGETHER, 700] {
        let signed = many(count);
        assert!(all_verify(&signed, &mut random()), "{count}");
        assert!(agreed(&signed).is_empty());
    }
}

#[test]
fn the_one_damaged_signature_is_named() {
    for at in [0, 57, 199] {
        for byte in [0, 31, 32, 63] {
            let mut signed = many(200);
            signed[at].signature[byte] ^= 1;
            assert_eq!(agreed(&signed), [at]);
        }
        let mut signed = many(200);
        signed[at].hash = hash(9999);
        assert_eq!(agreed(&signed), [at]);
    }
}

#[test]
fn two_that_cancel_each_other_are_both_wrong() {
    let mut signed = many(200);
    // One more on one s, one less on another of the same key.
    for (at, change) in [(3, Scalar::ONE), (6, -Scalar::ONE)] {
        let s = Scalar::from_canonical_bytes(signed[at].signature[32..].try_into().unwrap()).unwrap();
        signed[at].signature[32..].copy_from_slice((s + change).as_bytes());
    }
    assert_eq!(agreed(&signed), [3, 6]);
}

#[test]
fn what_its_own_signer_made_to_pass_sums_only_is_refused() {
    for torsion in &EIGHT_TORSION[1..] {
        for count in [1, 2, 8] {
            let mut signed = many(200);
            for one in signed.iter_mut().take(count) {
                *one = made(40, 5, 77, *torsion, EdwardsPoint::identity());
                assert!(!one.verifies(), "R is not the one of s");
            }
            assert_eq!(agreed(&signed).len(), count);
        }
    }
}

#[test]
fn keys_with_a_part_of_small_order_are_judged_as_the_strict_check_does() {
    let mut accepted = 0;
    for number in 0..16 {
        let mut signed = many(150);
        signed[9] = made(41, number, 99, EdwardsPoint::identity(), EIGHT_TORSION[1]);
        accepted += usize::from(agreed(&signed).is_empty());
    }
    // k·A has no part of small order for one k in eight.
    assert!((1..16).contains(&accepted), "{accepted}");
}

#[test]
fn points_of_small_order_and_other_spellings_are_refused() {
    let identity = EdwardsPoint::identity().compress().to_bytes();
    for torsion in EIGHT_TORSION {
        let mut signed = many(150);
        signed[1].signature[..32].copy_from_slice(torsion.compress().as_bytes());
        signed[2].key = PublicKey::new(torsion.compress().to_bytes());
        signed[3].signature = [0; 64];
        signed[3].signature[..32].copy_from_slice(&identity);
        signed[3].key = signed[2].key;
        assert_eq!(agreed(&signed), [1, 2, 3]);
    }
    // Nothing as R, in both spellings that decode, with the s that goes with it.
    for high in [0, 0x80] {
        let mut signed = many(150);
        let mut encoded = identity;
        encoded[31] |= high;
        signed[4] = of_signer(40, 3, EdwardsPoint::identity(), (encoded, Scalar::ZERO));
        assert_eq!(agreed(&signed), [4]);
    }
    // s + L is the same number in another spelling.
    let mut signed = many(150);
    let order: [u8; 32] = {
        let mut bytes = (-Scalar::ONE).to_bytes();
        bytes[0] += 1;
        bytes
    };
    let mut carry = 0_u16;
    for (byte, add) in signed[5].signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(agreed(&signed), [5]);
}

#[test]
fn a_number_is_canonical_below_the_fields() {
    let mut encoded = [0xff; 32];
    for (low, high, expected) in [
        (0xec, 0x7f, true),
        (0xed, 0x7f, false),
        (0xff, 0xff, false),
        (0xec, 0xff, true),
        (0xff, 0x7e, true),
    ] {
        (encoded[0], encoded[31]) = (low, high);
        assert_eq!(is_canonical(&encoded), expected);
    }
    encoded = [0xff; 32];
    encoded[31] = 0x7f;
    encoded[17] = 0xfe;
    assert!(is_canonical(&encoded));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_mix_is_judged_as_one_by_one(count in 1usize..260, damage in prop::collection::vec((any::<prop::sample::Index>(), 0usize..128, 1u8..=255), 0..4)) {
        let mut signed = many(count);
        for (at, byte, change) in damage {
            let one = &mut signed[at.index(count)];
            match byte {
                0..64 => one.signature[byte] ^= change,
                64..96 => one.hash.0[byte - 64] ^= change,
                _ => {
                    let mut key = *one.key.as_bytes();
                    key[byte - 96] ^= change;
                    one.key = PublicKey::new(key);
                }
            }
        }
        agreed(&signed);
    }
}
