//! The keys and certificates of one simulated platform, and the file that several processes share.

use core::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

use super::certificates::{self, failed};
use crate::{AttestError, limits::MAX_PLATFORM_FILE_BYTES};

const WARNING: &str = "SIMULATED TDX platform: these keys protect nothing, use them in test networks only";

/// A simulated platform: issues quotes for any measurements, and the collateral to verify them.
#[derive(Clone, PartialEq, Eq)]
pub struct SimulatedPlatform {
    file: PlatformFile,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlatformFile {
    warning: String,
    root: Pair,
    platform_authority: Pair,
    platform: Pair,
    tcb_signer: Pair,
    /// Key that signs quotes; the quoting enclave's report vouches for it, so it has no certificate.
    #[serde(with = "hex::serde")]
    attestation_key: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    #[serde(with = "hex::serde")]
    certificate: Vec<u8>,
}

impl fmt::Debug for SimulatedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedPlatform")
    }
}

fn new_key() -> Result<KeyPair, AttestError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)
}

impl SimulatedPlatform {
    /// A new platform with keys from the operating system's randomness.
    pub fn generate() -> Result<Self, AttestError> {
        let (root, authority, platform, signer) = (new_key()?, new_key()?, new_key()?, new_key()?);
        let pair = |key: &KeyPair, certificate: rcgen::Certificate| Pair {
            key: key.serialize_der(),
            certificate: certificate.der().to_vec(),
        };
        let file = PlatformFile {
            warning: WARNING.to_owned(),
            root: pair(&root, certificates::root(&root)?),
            platform_authority: pair(&authority, certificates::platform_authority(&authority, &root)?),
            platform: pair(&platform, certificates::platform_key(&platform, &authority)?),
            tcb_signer: pair(&signer, certificates::tcb_signer(&signer, &root)?),
            attestation_key: new_key()?.serialize_der(),
        };
        Ok(Self { file })
    }

    /// Another platform of the same maker: other keys of its own, the same root, authority and collateral.
    pub fn sibling(&self) -> Result<Self, AttestError> {
        let key = new_key()?;
        let certificate = certificates::platform_key(&key, &self.platform_authority_key()?)?;
        let mut file = self.file.clone();
        file.platform = Pair {
            key: key.serialize_der(),
            certificate: certificate.der().to_vec(),
        };
        file.attestation_key = new_key()?.serialize_der();
        Ok(Self { file })
    }

    /// The file form, for other processes of the same test network. Holds private keys, of no value.
    pub fn to_json(&self) -> Result<String, AttestError> {
        serde_json::to_string_pretty(&self.file).map_err(failed)
    }

    /// Reads the file form.
    pub fn from_json(json: &str) -> Result<Self, AttestError> {
        if json.len() > MAX_PLATFORM_FILE_BYTES {
            return Err(failed(format!(
                "{} bytes are more than {MAX_PLATFORM_FILE_BYTES}",
                json.len()
            )));
        }
        let file: PlatformFile = serde_json::from_str(json).map_err(failed)?;
        let platform = Self { file };
        for key in [
            &platform.file.root,
            &platform.file.platform_authority,
            &platform.file.tcb_signer,
        ] {
            certificate_key(key)?;
        }
        for key in [&platform.file.platform.key, &platform.file.attestation_key] {
            signing_key(key)?;
        }
        Ok(platform)
    }

    /// The root certificate, for [`TrustRoots::with_simulated`](crate::TrustRoots::with_simulated).
    pub fn root_der(&self) -> &[u8] {
        &self.file.root.certificate
    }

    pub(super) fn root_key(&self) -> Result<KeyPair, AttestError> {
        certificate_key(&self.file.root)
    }

    pub(super) fn platform_authority_key(&self) -> Result<KeyPair, AttestError> {
        certificate_key(&self.file.platform_authority)
    }

    pub(super) fn tcb_signing_key(&self) -> Result<EcdsaKeyPair, AttestError> {
        signing_key(&self.file.tcb_signer.key)
    }

    pub(super) fn platform_key(&self) -> Result<EcdsaKeyPair, AttestError> {
        signing_key(&self.file.platform.key)
    }

    pub(super) fn attestation_key(&self) -> Result<EcdsaKeyPair, AttestError> {
        signing_key(&self.file.attestation_key)
    }

    /// Platform key, platform authority, root: the chain inside a quote.
    pub(super) fn platform_chain(&self) -> String {
        pem(&[&self.file.platform, &self.file.platform_authority, &self.file.root])
    }

    pub(super) fn authority_chain(&self) -> String {
        pem(&[&self.file.platform_authority, &self.file.root])
    }

    pub(super) fn tcb_signer_chain(&self) -> String {
        pem(&[&self.file.tcb_signer, &self.file.root])
    }
}

fn certificate_key(pair: &Pair) -> Result<KeyPair, AttestError> {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pair.key.as_slice()), &PKCS_ECDSA_P256_SHA256)
        .map_err(failed)
}

/// The form of a key whose signatures are the bare `r | s` of quotes and TCB documents.
fn signing_key(pkcs8: &[u8]) -> Result<EcdsaKeyPair, AttestError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(failed)
}

pub(super) fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, AttestError> {
    Ok(key
        .sign(&SystemRandom::new(), message)
        .map_err(failed)?
        .as_ref()
        .to_vec())
}

fn pem(pairs: &[&Pair]) -> String {
    use x509_cert::der::pem::{LineEnding, encode_string};
    pairs
        .iter()
        .filter_map(|pair| encode_string("CERTIFICATE", LineEnding::LF, &pair.certificate).ok())
        .collect()
}
