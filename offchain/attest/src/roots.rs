//! Who may vouch for platforms.

use core::fmt;

use dcap_qvl::config::CryptoProvider;
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use crate::{AttestError, dcap::Backend, limits::MAX_ROOTS};

/// Intel SGX Root CA, as published by Intel. The one root of real platforms, pinned in code.
pub const INTEL_ROOT_DER: &[u8] = include_bytes!("roots/intel-sgx-root-ca.der");

/// Name of a root: SHA-384 of its public key's bits, as Intel's verifier computes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootKeyId(pub [u8; 48]);

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeyId({self})")
    }
}

/// The roots that a verifier trusts: always Intel's, and simulated ones where a network is declared a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRoots {
    roots: Vec<Root>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) key_id: RootKeyId,
    pub(crate) simulated: bool,
}

impl TrustRoots {
    /// Intel's root only.
    pub fn intel() -> Result<Self, AttestError> {
        Ok(Self {
            roots: vec![Root::parse(INTEL_ROOT_DER, false)?],
        })
    }

    /// Adds the root of a simulated platform; what it vouches for is marked as simulated.
    pub fn with_simulated(mut self, root_der: &[u8]) -> Result<Self, AttestError> {
        let root = Root::parse(root_der, true)?;
        if self.roots.iter().any(|known| known.key_id == root.key_id) {
            return Ok(self);
        }
        if self.roots.len() >= MAX_ROOTS {
            return Err(AttestError::Root {
                reason: format!("more than {MAX_ROOTS} roots"),
            });
        }
        self.roots.push(root);
        Ok(self)
    }

    /// Whether any simulated root is trusted.
    pub fn trusts_simulated(&self) -> bool {
        self.roots.iter().any(|root| root.simulated)
    }

    /// The certificates (DER) of the simulated roots that are trusted.
    pub fn simulated(&self) -> impl Iterator<Item = &[u8]> {
        self.roots
            .iter()
            .filter(|root| root.simulated)
            .map(|root| root.der.as_slice())
    }

    /// Whether the trusted root of this id is a simulated one; `None` when no such root is trusted.
    pub fn is_simulated(&self, id: &RootKeyId) -> Option<bool> {
        self.roots
            .iter()
            .find(|root| root.key_id == *id)
            .map(|root| root.simulated)
    }

    /// The trusted root that a chain's last certificate is, or was issued by.
    pub(crate) fn for_chain_end(&self, last: &[u8]) -> Result<&Root, AttestError> {
        let refuse = |error: x509_cert::der::Error| AttestError::Refused {
            reason: format!("certificate chain does not parse: {error}"),
        };
        let certificate = Certificate::from_der(last).map_err(refuse)?;
        let tbs = certificate.tbs_certificate();
        let issuer = tbs.issuer().to_der().map_err(refuse)?;
        let subject = tbs.subject().to_der().map_err(refuse)?;
        let found = if issuer == subject {
            self.roots.iter().find(|root| root.der == last)
        } else {
            self.roots.iter().find(|root| root.subject == issuer)
        };
        found.ok_or_else(|| AttestError::UntrustedRoot {
            root: key_id(&certificate),
        })
    }
}

impl Root {
    fn parse(der: &[u8], simulated: bool) -> Result<Self, AttestError> {
        let unusable = |error: x509_cert::der::Error| AttestError::Root {
            reason: error.to_string(),
        };
        let certificate = Certificate::from_der(der).map_err(unusable)?;
        let subject = certificate.tbs_certificate().subject().to_der().map_err(unusable)?;
        Ok(Self {
            der: der.to_vec(),
            subject,
            key_id: key_id(&certificate),
            simulated,
        })
    }
}

fn key_id(certificate: &Certificate) -> RootKeyId {
    let key = certificate.tbs_certificate().subject_public_key_info();
    RootKeyId(Backend::sha384(key.subject_public_key.raw_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id that deployed verifiers pin.
    const INTEL_KEY_ID: &str =
        "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993";

    #[test]
    fn the_pinned_root_has_the_id_that_deployed_verifiers_pin() {
        let roots = TrustRoots::intel().unwrap();
        assert_eq!(roots.roots[0].key_id.to_string(), INTEL_KEY_ID);
        assert!(!roots.trusts_simulated());
    }

    #[test]
    fn intel_stays_real_when_named_as_simulated() {
        let roots = TrustRoots::intel().unwrap().with_simulated(INTEL_ROOT_DER).unwrap();
        assert_eq!(roots.roots.len(), 1);
        assert!(!roots.trusts_simulated());
    }

    #[test]
    fn garbage_is_no_root() {
        assert!(matches!(
            TrustRoots::intel().unwrap().with_simulated(b"x"),
            Err(AttestError::Root { .. })
        ));
    }
}
