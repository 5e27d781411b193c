//! Ed25519 as everybody here checks it, by the fast implementation (feature `aws-lc`) where it says the same.
//!
//! What counts is the strict check of `ed25519-dalek`: `S` is below the group's order, the key and `R` are points that are not of
//! small order, and `S·B - k·A` has the encoding `R`. AWS-LC checks all of it but the small orders, and it refuses keys whose
//! encoding is not canonical, which the other one reads. So it decides where key and `R` are encoded canonically and are
//! not of small order, for there both say the same; everything else, which no honest signer ever makes, is left to the
//! other one.

use std::fmt;

#[cfg(feature = "aws-lc")]
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use cocoon_bindings::units::PublicKey;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::signed::Signature;

#[cfg(feature = "aws-lc")]
/// The `y` of the eight points of small order.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    repeated(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    repeated(0xec, 0xff, 0x7f),
];

#[cfg(feature = "aws-lc")]
/// The field's prime, `2^255 - 19`.
const PRIME: [u8; 32] = repeated(0xed, 0xff, 0x7f);

#[cfg(feature = "aws-lc")]
/// Little-endian bytes: the first one, those between, the last one.
const fn repeated(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Whether `signature` over `message` was made with this key: the same answer as [`PublicKey::verifies`], sooner.
pub fn verifies(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    #[cfg(feature = "aws-lc")]
    if signature.first_chunk().is_some_and(is_plain) && is_plain(key.as_bytes()) {
        let key = UnparsedPublicKey::new(&ED25519, key.as_bytes());
        return key.verify(message, signature).is_ok();
    }
    key.verifies(message, signature)
}

#[cfg(feature = "aws-lc")]
/// Whether the encoding is canonical, if it is one of a point at all, and not of a point of small order.
fn is_plain(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    // The sign of x.
    y[31] &= 0x7f;
    y.iter().rev().lt(PRIME.iter().rev()) && !SMALL_ORDER.contains(&y)
}

/// The key of a proxy's contract, ready to sign many times.
pub struct ContractKey {
    key: SigningKey,
    #[cfg(feature = "aws-lc")]
    /// `None` where AWS-LC does not take the key: then the other implementation signs, with the same bytes.
    fast: Option<Ed25519KeyPair>,
}

impl ContractKey {
    /// Its signature: Ed25519 signatures have no randomness, so it does not matter who makes them.
    pub fn sign(&self, message: &[u8]) -> Signature {
        #[cfg(feature = "aws-lc")]
        {
            let signed = self.fast.as_ref().map(|key| key.sign(message));
            if let Some(bytes) = signed.and_then(|signature| signature.as_ref().try_into().ok()) {
                return Signature(bytes);
            }
        }
        Signature(self.key.sign(message).to_bytes())
    }

    /// The key as others take it.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl From<SigningKey> for ContractKey {
    fn from(key: SigningKey) -> Self {
        #[cfg(feature = "aws-lc")]
        let fast = {
            let public = key.verifying_key().to_bytes();
            Ed25519KeyPair::from_seed_and_public_key(key.as_bytes(), &public).ok()
        };
        Self {
            #[cfg(feature = "aws-lc")]
            fast,
            key,
        }
    }
}

/// Shows nothing of the key.
impl fmt::Debug for ContractKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContractKey")
    }
}

#[cfg(all(test, feature = "aws-lc"))]
mod tests;
