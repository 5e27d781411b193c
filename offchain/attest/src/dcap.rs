//! The quote verifier's cryptography: what this crate uses everywhere.

use dcap_qvl::{
    config::{Config, CryptoProvider},
    signature::DerSigEncoder,
    x509::X509CertBackend,
};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use crate::crypto;

/// The verifier's choice of parser, encoder and cryptography.
pub(crate) struct Backend;

impl Config for Backend {
    type X509 = X509CertBackend;
    type SigEncoder = DerSigEncoder;
    type Crypto = Self;
}

impl CryptoProvider for Backend {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &EcdsaP256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        crypto::sha256(data)
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        crypto::sha384(&[data])
    }
}

/// ECDSA with P-256 and SHA-256: the only algorithm of Intel's chains.
#[derive(Debug)]
pub(crate) struct EcdsaP256;

impl SignatureVerificationAlgorithm for EcdsaP256 {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if crypto::p256_asn1(public_key, message, signature) {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
