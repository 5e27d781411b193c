//! Both implementations say the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ed25519_dalek::VerifyingKey;
use proptest::prelude::*;

use super::*;

/// The group's order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Message, key, signature and verdict of "Taming the many EdDSAs" (<https://eprint.iacr.org/2020/1244>), table 6: small and
/// mixed orders, the equation with and without the cofactor, large S, encodings that are not canonical.
const TAMING: [(&str, &str, &str, bool); 12] = [
    (
        "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
        false,
    ),
    (
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        false,
    ),
    (
        "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        false,
    ),
    (
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
        true,
    ),
    (
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        false,
    ),
    (
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
        false,
    ),
    (
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        false,
    ),
    (
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a4734e74f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c2",
        false,
    ),
    (
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
        false,
    ),
    (
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
        false,
    ),
    (
        "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        false,
    ),
    (
        "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        false,
    ),
];

/// Encodings at which implementations differ: of small order, not canonical, not of any point, with either sign.
fn special() -> Vec<[u8; 32]> {
    let mut special = SMALL_ORDER.to_vec();
    // From the prime to the largest number of 255 bits, and the numbers from 0 to 18 that they stand for.
    special.extend((0xed..=0xff).map(|first| repeated(first, 0xff, 0x7f)));
    special.extend((0..=18).map(|first| repeated(first, 0, 0)));
    let negative = special.clone().into_iter().map(|mut encoded| {
        encoded[31] |= 0x80;
        encoded
    });
    special.extend(negative.collect::<Vec<_>>());
    special
}

fn same(key: [u8; 32], message: &[u8], signature: [u8; 64]) -> bool {
    let key = PublicKey::new(key);
    let verdict = verifies(&key, message, &signature);
    assert_eq!(verdict, key.verifies(message, &signature), "{key} {signature:02x?}");
    verdict
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    [r, s].concat().try_into().unwrap()
}

/// The sum of two numbers, as far as 256 bits hold it.
fn plus(left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|at| {
        let sum = u16::from(left[at]) + u16::from(right[at]) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

#[test]
fn the_vectors_of_taming_the_many_eddsas_are_judged_strictly() {
    for (message, key, signature, verdict) in TAMING {
        let message: [u8; 32] = bytes(message);
        assert_eq!(same(bytes(key), &message, bytes(signature)), verdict, "{key}");
    }
}

#[test]
fn the_points_of_small_order_are_all_known() {
    let weak = |encoded: &[u8; 32]| VerifyingKey::from_bytes(encoded).is_ok_and(|key| key.is_weak());
    // Two of the five have one sign only, the others two: eight.
    for encoded in SMALL_ORDER {
        assert!(weak(&encoded) && !is_plain(&encoded));
    }
    for encoded in special() {
        assert!(!(weak(&encoded) && is_plain(&encoded)), "{encoded:02x?}");
    }
    assert!(!is_plain(&PRIME) && is_plain(&repeated(0x02, 0, 0)));
}

#[test]
fn special_points_and_scalars_are_judged_alike() {
    let key = SigningKey::from_bytes(&[3; 32]);
    let good = key.sign(b"message").to_bytes();
    let (good_r, good_s) = (*good.first_chunk().unwrap(), *good.last_chunk().unwrap());
    let keys = special().into_iter().chain([key.verifying_key().to_bytes()]);
    let points: Vec<_> = special().into_iter().chain([good_r]).collect();
    let below = plus(ORDER, [0xff; 32]);
    let scalars = [
        [0; 32],
        repeated(1, 0, 0),
        good_s,
        plus(good_s, ORDER),
        below,
        ORDER,
        [0xff; 32],
    ];
    let mut accepted = 0;
    for key in keys {
        for point in &points {
            for scalar in scalars {
                accepted += usize::from(same(key, b"message", joined(*point, scalar)));
            }
        }
    }
    assert_eq!(accepted, 1, "only the signature that was made");
}

proptest! {
    #[test]
    fn signatures_are_the_same_and_verify(seed: [u8; 32], message: Vec<u8>) {
        let key = SigningKey::from_bytes(&seed);
        let signature = ContractKey::from(key.clone()).sign(&message);
        prop_assert_eq!(signature.0, key.sign(&message).to_bytes());
        prop_assert!(same(key.verifying_key().to_bytes(), &message, signature.0));
    }

    #[test]
    fn a_flipped_bit_is_judged_alike(seed: [u8; 32], at in 0usize..96, bit in 0u8..8) {
        let key = SigningKey::from_bytes(&seed);
        let (mut public, mut signature) = (key.verifying_key().to_bytes(), key.sign(b"message").to_bytes());
        match at.checked_sub(32) {
            None => public[at] ^= 1 << bit,
            Some(at) => signature[at] ^= 1 << bit,
        }
        prop_assert!(!same(public, b"message", signature));
    }

    #[test]
    fn garbage_is_judged_alike(key: [u8; 32], r: [u8; 32], mut s: [u8; 32], is_small: bool) {
        if is_small {
            s[31] &= 0x0f;
        }
        prop_assert!(!same(key, b"message", joined(r, s)));
    }

    #[test]
    fn an_s_that_is_too_large_is_refused(seed: [u8; 32], message: [u8; 32]) {
        let key = SigningKey::from_bytes(&seed);
        let signature = key.sign(&message).to_bytes();
        let large = plus(*signature.last_chunk().unwrap(), ORDER);
        prop_assert!(!same(key.verifying_key().to_bytes(), &message, joined(*signature.first_chunk().unwrap(), large)));
    }
}
