//! Reads a peer's certificate: form, dates, extensions, key. Nothing here verifies a signature of a platform.
//!
//! The certificate format of the network: self-signed, Ed25519, the quote in an extension of its own.

mod problem;

use std::{collections::BTreeSet, sync::OnceLock};

use x509_cert::{
    Certificate, Version,
    der::{Decode, Encode, Reader, SliceReader, oid::ObjectIdentifier},
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName, name::GeneralName},
    spki::AlgorithmIdentifierOwned,
};

use cocoon_bindings::units::{ImageHash, PublicKey};

use crate::{
    AttestError, Evidence, crypto,
    limits::{CLOCK_SKEW_SECONDS, MAX_ATTESTED_SECONDS, MAX_CERTIFICATE_BYTES, MAX_QUOTE_EXTENSION_BYTES},
    report_data_for_key,
};
pub use problem::CertificateProblem;
use problem::CertificateProblem as Problem;

/// Extension that carries the quote: raw bytes, critical.
pub const QUOTE_OID: &str = "1.3.6.1.4.1.12345.1";
/// Extension that repeats the public key: raw 32 bytes, critical.
pub const CLAIMS_OID: &str = "1.3.6.1.4.1.12345.2";

const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const QUOTE: ObjectIdentifier = ObjectIdentifier::new_unwrap(QUOTE_OID);
const CLAIMS: ObjectIdentifier = ObjectIdentifier::new_unwrap(CLAIMS_OID);
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// A certificate of the right form: version 1 or 3, Ed25519, known extensions. Its signature is not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCertificate {
    /// The key that it presents.
    pub leaf_key: PublicKey,
    /// Start of validity, Unix seconds.
    pub not_before: u64,
    /// End of validity, Unix seconds.
    pub not_after: u64,
    /// Content of the quote extension.
    pub quote: Option<Vec<u8>>,
    is_named: bool,
    public_key_info: Vec<u8>,
    der: Vec<u8>,
    signature: Vec<u8>,
    /// Whether the signature was found good; verified once.
    is_signed: Memo<bool>,
    /// What the quote shows; read once.
    shown: Memo<Option<Result<Shown, AttestError>>>,
}

/// What was found out of a certificate's bytes; no part of what it is.
#[derive(Clone, Debug)]
struct Memo<T>(OnceLock<T>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Memo<T> {}

/// What the quote of a certificate shows before anything of it is verified.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The evidence.
    pub evidence: Evidence,
    /// Key for caches of verdicts.
    pub digest: [u8; 32],
    /// The image that it claims.
    pub image: ImageHash,
    /// Whether it claims to attest the key of the certificate.
    pub is_for_key: bool,
}

impl Shown {
    fn read(quote: &[u8], leaf_key: &PublicKey) -> Result<Self, AttestError> {
        let evidence = Evidence::parse(quote)?;
        Ok(Self {
            digest: evidence.digest(),
            image: evidence.unverified_measurements().image_hash(),
            is_for_key: evidence.unverified_report_data() == report_data_for_key(leaf_key.as_bytes()),
            evidence,
        })
    }
}

fn malformed(error: impl core::fmt::Display) -> Problem {
    Problem::Malformed {
        reason: error.to_string(),
    }
}

impl ParsedCertificate {
    /// Reads a DER certificate.
    pub fn parse(der: &[u8]) -> Result<Self, Problem> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(Problem::TooLong { length: der.len() });
        }
        let certificate = Certificate::from_der(der).map_err(malformed)?;
        let tbs = certificate.tbs_certificate();
        match tbs.version() {
            // Old OpenSSL leaves the version out although there are extensions.
            Version::V1 | Version::V3 => {}
            Version::V2 => return Err(Problem::Version),
        }
        for algorithm in [tbs.signature(), certificate.signature_algorithm()] {
            require_ed25519(algorithm, "signature")?;
        }
        let info = tbs.subject_public_key_info();
        require_ed25519(&info.algorithm, "key")?;
        let leaf_key: [u8; 32] = info
            .subject_public_key
            .as_bytes()
            .and_then(|bits| bits.try_into().ok())
            .ok_or(Problem::NotEd25519 { what: "key" })?;
        let mut parsed = Self {
            leaf_key: PublicKey::new(leaf_key),
            not_before: tbs.validity().not_before.to_unix_duration().as_secs(),
            not_after: tbs.validity().not_after.to_unix_duration().as_secs(),
            quote: None,
            is_named: false,
            public_key_info: info.to_der().map_err(malformed)?,
            der: der.to_vec(),
            signature: certificate.signature().as_bytes().unwrap_or_default().to_vec(),
            is_signed: Memo::default(),
            shown: Memo::default(),
        };
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let mut seen = BTreeSet::new();
        if let Some(repeated) = extensions.iter().find(|one| !seen.insert(one.extn_id)) {
            let oid = repeated.extn_id.to_string();
            return Err(Problem::Duplicate { oid });
        }
        for extension in extensions {
            parsed.take_extension(extension.extn_id, extension.critical, extension.extn_value.as_bytes())?;
        }
        Ok(parsed)
    }

    fn take_extension(&mut self, oid: ObjectIdentifier, critical: bool, content: &[u8]) -> Result<(), Problem> {
        match oid {
            QUOTE if content.len() > MAX_QUOTE_EXTENSION_BYTES => Err(Problem::TooLong { length: content.len() }),
            QUOTE => {
                self.quote = Some(content.to_vec());
                Ok(())
            }
            CLAIMS if content != self.leaf_key.as_bytes() => Err(Problem::ClaimsMismatch),
            BASIC_CONSTRAINTS if BasicConstraints::from_der(content).map_err(malformed)?.ca => Err(Problem::Usage {
                extension: "basicConstraints",
            }),
            KEY_USAGE if !KeyUsage::from_der(content).map_err(malformed)?.digital_signature() => {
                Err(Problem::Usage { extension: "keyUsage" })
            }
            EXTENDED_KEY_USAGE => {
                let usage = ExtendedKeyUsage::from_der(content).map_err(malformed)?;
                let serves = usage.0.contains(&SERVER_AUTH) && usage.0.contains(&CLIENT_AUTH);
                if serves {
                    Ok(())
                } else {
                    Err(Problem::Usage {
                        extension: "extendedKeyUsage",
                    })
                }
            }
            SUBJECT_ALT_NAME => {
                let names = SubjectAltName::from_der(content).map_err(malformed)?;
                self.is_named = names.0.iter().any(is_peer_name);
                Ok(())
            }
            CLAIMS | BASIC_CONSTRAINTS | KEY_USAGE | SUBJECT_KEY_IDENTIFIER => Ok(()),
            _ if critical => Err(Problem::UnknownCritical { oid: oid.to_string() }),
            _ => Ok(()),
        }
    }

    /// Whether it is valid at `now`, Unix seconds.
    pub fn check_dates(&self, now: u64) -> Result<(), Problem> {
        if self.not_before > now.saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(Problem::NotYetValid {
                not_before: self.not_before,
                now,
            });
        }
        if self.not_after < now {
            return Err(Problem::Expired {
                not_after: self.not_after,
                now,
            });
        }
        Ok(())
    }

    /// Whether it has the name that dialing peers look for. Deployed ones refuse a server without it.
    pub fn check_name(&self) -> Result<(), Problem> {
        if self.is_named { Ok(()) } else { Err(Problem::Unnamed) }
    }

    /// Whether it is signed with its own key: then its sender at least made that key.
    pub fn check_signature(&self) -> Result<(), Problem> {
        let is_signed = self.is_signed.0.get_or_init(|| {
            signed_part(&self.der)
                .is_ok_and(|signed| crypto::ed25519(self.leaf_key.as_bytes(), signed, &self.signature))
        });
        if *is_signed { Ok(()) } else { Err(Problem::Signature) }
    }

    /// Whether an attested one lives no longer than any may: its key is not used for longer than its evidence was made for.
    pub fn check_life(&self) -> Result<(), Problem> {
        let seconds = self.not_after.saturating_sub(self.not_before);
        if seconds > MAX_ATTESTED_SECONDS {
            return Err(Problem::LivesTooLong { seconds });
        }
        Ok(())
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What its quote shows, if it has one.
    pub fn shown(&self) -> Option<&Result<Shown, AttestError>> {
        let read = || self.quote.as_deref().map(|quote| Shown::read(quote, &self.leaf_key));
        self.shown.0.get_or_init(read).as_ref()
    }

    /// Its key with the name of its algorithm (DER, SubjectPublicKeyInfo).
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }
}

/// The address as a DNS name: deployed peers write it so, and look for exactly that.
fn is_peer_name(name: &GeneralName) -> bool {
    matches!(name, GeneralName::DnsName(name) if name.as_str() == "127.0.0.1")
}

fn require_ed25519(algorithm: &AlgorithmIdentifierOwned, what: &'static str) -> Result<(), Problem> {
    if algorithm.oid == ED25519_OID && algorithm.parameters.is_none() {
        Ok(())
    } else {
        Err(Problem::NotEd25519 { what })
    }
}

/// The first element of the certificate, as it was sent: what the signature covers.
fn signed_part(der: &[u8]) -> x509_cert::der::Result<&[u8]> {
    let mut reader = SliceReader::new(der)?;
    let header = x509_cert::der::Header::decode(&mut reader)?;
    let content = reader.read_slice(header.length())?;
    SliceReader::new(content)?.tlv_bytes()
}
