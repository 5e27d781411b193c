//! Signatures and hashes by AWS-LC.

use aws_lc_rs::{
    digest,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, ED25519,
        ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm,
    },
};

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Of the parts one behind the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    let mut context = digest::Context::new(&digest::SHA384);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 48];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn verifies(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

/// ECDSA with P-256 and SHA-256; the signature is DER.
pub(crate) fn p256_asn1(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P256_SHA256_ASN1, key, message, signature)
}

/// ECDSA with P-256 and SHA-256; the signature is the bare `r | s`.
pub(crate) fn p256_fixed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P256_SHA256_FIXED, key, message, signature)
}

/// ECDSA with P-384 and SHA-384; the signature is DER.
pub(crate) fn p384_asn1(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P384_SHA384_ASN1, key, message, signature)
}

/// ECDSA with P-384 and SHA-384; the signature is the bare `r | s`.
pub(crate) fn p384_fixed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verifies(&ECDSA_P384_SHA384_FIXED, key, message, signature)
}

pub(crate) fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    verifies(&ED25519, key, message, signature)
}

/// A key of P-256 that was read once and verifies many bare signatures.
pub(crate) struct P256Key(ParsedPublicKey);

impl P256Key {
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).ok().map(Self)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}
