//! The certificates that receipts name.

use crate::error::AuditError;
use cocoon_attest::{Evidence, report_data_for_key};
use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_ratls::ParsedCertificate;
use cocoon_store::EvidenceFolder;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Where certificates are looked up by their SHA-256.
pub trait EvidenceSource: Send + Sync {
    /// The certificate with this hash, if it is kept.
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, AuditError>;
}

impl EvidenceSource for EvidenceFolder {
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, AuditError> {
        Ok(self.get(hash)?)
    }
}

impl EvidenceSource for BTreeMap<HashBytes, Vec<u8>> {
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, AuditError> {
        Ok(self.get(hash).cloned())
    }
}

/// What a certificate turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) leaf_key: PublicKey,
    pub(crate) image: ImageHash,
}

/// What is known of each certificate: it is looked at once, whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    known: RwLock<BTreeMap<HashBytes, Result<Known, String>>>,
}

impl Certificates {
    /// What the certificate with this hash is, or what is wrong with it. An unreadable source is an error of its own.
    pub(crate) fn look(
        &self,
        source: &dyn EvidenceSource,
        hash: &HashBytes,
    ) -> Result<Result<Known, String>, AuditError> {
        // Nobody leaves an entry half written.
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(hash) {
            return Ok(known.clone());
        }
        let known = match source.certificate(hash)? {
            None => Err(format!("{hash} is not kept")),
            Some(der) => read(&der).map_err(|what| format!("{hash} {what}")),
        };
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(*hash, known.clone());
        Ok(known)
    }

    /// The certificates that were looked at and are sound.
    pub(crate) fn sound(&self) -> BTreeMap<HashBytes, Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let sound = known
            .iter()
            .filter_map(|(hash, known)| Some((*hash, *known.as_ref().ok()?)));
        sound.collect()
    }
}

/// A certificate that its key signed, with a quote for that key.
fn read(der: &[u8]) -> Result<Known, String> {
    read_with_quote(der).map(|(known, _)| known)
}

/// The same, with the quote, whose signature nobody has checked.
pub(crate) fn read_with_quote(der: &[u8]) -> Result<(Known, Evidence), String> {
    let parsed = ParsedCertificate::parse(der).map_err(|problem| format!("is malformed: {problem}"))?;
    parsed
        .check_signature()
        .map_err(|problem| format!("is not signed: {problem}"))?;
    let quote = parsed.quote.as_deref().ok_or("carries no quote")?;
    let evidence = Evidence::parse(quote).map_err(|error| format!("carries a damaged quote: {error}"))?;
    if evidence.unverified_report_data() != report_data_for_key(parsed.leaf_key.as_bytes()) {
        return Err("carries a quote for another key".to_owned());
    }
    let known = Known {
        leaf_key: parsed.leaf_key,
        image: evidence.unverified_measurements().image_hash(),
    };
    Ok((known, evidence))
}
