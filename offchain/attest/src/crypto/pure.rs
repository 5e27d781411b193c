//! Signatures and hashes in Rust alone, by RustCrypto and dalek.
//!
//! Keys of curves are uncompressed points, as every certificate and quote has them; AWS-LC reads other forms too, which here
//! do not verify.

use ed25519_dalek::{Verifier as _, VerifyingKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest, Sha256, Sha384};

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// Of the parts one behind the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut hasher = Sha384::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// ECDSA with P-256 and SHA-256; the signature is DER.
pub(crate) fn p256_asn1(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let signature = p256::ecdsa::Signature::from_der(signature);
    signature.is_ok_and(|signature| P256Key::new(key).is_some_and(|key| key.holds(message, &signature)))
}

/// ECDSA with P-256 and SHA-256; the signature is the bare `r | s`.
pub(crate) fn p256_fixed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    P256Key::new(key).is_some_and(|key| key.verifies(message, signature))
}

/// ECDSA with P-384 and SHA-384; the signature is DER.
pub(crate) fn p384_asn1(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let signature = p384::ecdsa::Signature::from_der(signature);
    signature.is_ok_and(|signature| p384_holds(key, message, &signature))
}

/// ECDSA with P-384 and SHA-384; the signature is the bare `r | s`.
pub(crate) fn p384_fixed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let signature = p384::ecdsa::Signature::from_slice(signature);
    signature.is_ok_and(|signature| p384_holds(key, message, &signature))
}

fn p384_holds(key: &[u8], message: &[u8], signature: &p384::ecdsa::Signature) -> bool {
    let key = uncompressed::<97>(key).and_then(|key| p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok());
    key.is_some_and(|key| key.verify_prehash(&Sha384::digest(message), signature).is_ok())
}

/// As AWS-LC: without a look at small orders, but with one at the key's encoding.
pub(crate) fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let signature = signature.try_into().map(ed25519_dalek::Signature::from_bytes);
    let Ok(signature) = signature else {
        return false;
    };
    let is_canonical = is_below_prime(key);
    is_canonical && VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify(message, &signature).is_ok())
}

/// Whether `y` of an encoded point is below `2^255 - 19`.
fn is_below_prime(encoded: &[u8; 32]) -> bool {
    let is_full = encoded[31] & 0x7f == 0x7f && encoded[1..31].iter().all(|byte| *byte == 0xff);
    !(is_full && encoded[0] >= 0xed)
}

fn uncompressed<const LENGTH: usize>(key: &[u8]) -> Option<&[u8; LENGTH]> {
    key.try_into().ok().filter(|key: &&[u8; LENGTH]| key[0] == 4)
}

/// A key of P-256 that was read once and verifies many bare signatures.
pub(crate) struct P256Key(p256::ecdsa::VerifyingKey);

impl P256Key {
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let key = uncompressed::<65>(key)?;
        p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok().map(Self)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = p256::ecdsa::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.holds(message, &signature))
    }

    fn holds(&self, message: &[u8], signature: &p256::ecdsa::Signature) -> bool {
        self.0.verify_prehash(&Sha256::digest(message), signature).is_ok()
    }
}
