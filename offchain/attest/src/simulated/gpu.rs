//! A SIMULATED accelerator: a device key, certificates of a maker of its own, and reports that it signs.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls_pki_types::CertificateDer;

use crate::{AttestError, GpuEvidence, gpu::unsigned_report};

/// An accelerator in software. Its reports have the form of real ones under a root that nobody trusts unless a policy
/// names it: nothing is protected by hardware.
pub struct SimulatedGpu {
    root: Certified,
    chain: [Certified; 2],
    key: EcdsaKeyPair,
}

struct Certified {
    der: Vec<u8>,
    pem: String,
}

impl core::fmt::Debug for SimulatedGpu {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SimulatedGpu")
    }
}

impl SimulatedGpu {
    /// Makes a root, a maker and a device.
    pub fn generate() -> Result<Self, AttestError> {
        Self::made(true)
    }

    /// One whose device key is certified by a certificate that may not certify: a mistake to find.
    #[cfg(test)]
    pub(crate) fn without_authority() -> Result<Self, AttestError> {
        Self::made(false)
    }

    fn made(is_authority: bool) -> Result<Self, AttestError> {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(failed);
        let (root, maker, device) = (key()?, key()?, key()?);
        let root_certificate = params("SIMULATED accelerator root", true).self_signed(&root);
        let by_root = Issuer::new(params("SIMULATED accelerator root", true), &root);
        let by_maker = Issuer::new(params("SIMULATED accelerator maker", true), &maker);
        let maker = params("SIMULATED accelerator maker", is_authority).signed_by(&maker, &by_root);
        let leaf = params("SIMULATED accelerator", false).signed_by(&device, &by_maker);
        let certified = |certificate: Result<rcgen::Certificate, rcgen::Error>| {
            let certificate = certificate.map_err(failed)?;
            let der: &CertificateDer<'_> = certificate.der();
            Ok(Certified {
                der: der.to_vec(),
                pem: certificate.pem(),
            })
        };
        let pkcs8 = device.serialize_der();
        Ok(Self {
            root: certified(root_certificate)?,
            chain: [certified(leaf)?, certified(maker)?],
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &pkcs8).map_err(failed)?,
        })
    }

    /// The maker's root certificate.
    pub fn root_der(&self) -> &[u8] {
        &self.root.der
    }

    /// The same as text.
    pub fn root_pem(&self) -> String {
        self.root.pem.clone()
    }

    /// The device's certificate as text.
    pub fn leaf_pem(&self) -> String {
        self.chain[0].pem.clone()
    }

    /// The device's certificate and the maker's, as a driver hands them out.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|one| one.pem.as_str()).collect()
    }

    /// A signed report of these measurement blocks, the answer to `nonce`.
    pub fn report(&self, nonce: &[u8; 32], blocks: &[(u8, &[u8])]) -> Result<Vec<u8>, AttestError> {
        let mut report = unsigned_report(nonce, blocks);
        let signature = self.key.sign(&SystemRandom::new(), &report).map_err(failed)?;
        report.extend(signature.as_ref());
        Ok(report)
    }

    /// The same with its certificates, of a driver that says that confidential mode is on.
    pub fn evidence(&self, nonce: &[u8; 32], blocks: &[(u8, &[u8])]) -> Result<GpuEvidence, AttestError> {
        GpuEvidence::of_driver(self.report(nonce, blocks)?, self.chain_pem().as_bytes(), Some(true))
    }
}

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn failed(error: impl core::fmt::Display) -> AttestError {
    AttestError::Simulated {
        reason: error.to_string(),
    }
}
