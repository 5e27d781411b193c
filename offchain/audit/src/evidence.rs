//! The certificates that receipts name.

use crate::images::ListedImages;
use crate::verdict::{Difference, DifferenceKind as Kind, Totals};
use cocoon_attest::{Evidence, report_data_for_key};
use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_ratls::ParsedCertificate;
use cocoon_receipt::SignedReceipt;
use cocoon_store::{EvidenceFolder, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Where certificates are looked up by their SHA-256.
pub trait EvidenceSource {
    /// The certificate with this hash, if it is kept.
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, StoreError>;
}

impl EvidenceSource for EvidenceFolder {
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(hash)
    }
}

impl EvidenceSource for BTreeMap<HashBytes, Vec<u8>> {
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get(hash).cloned())
    }
}

/// What a certificate turned out to be.
#[derive(Debug, Clone, Copy)]
struct Known {
    leaf_key: PublicKey,
    image: ImageHash,
}

/// Looks at each certificate once.
pub(crate) struct Certificates<'a> {
    source: &'a dyn EvidenceSource,
    listed: &'a ListedImages,
    known: BTreeMap<HashBytes, Result<Known, String>>,
}

impl<'a> Certificates<'a> {
    pub(crate) fn new(source: &'a dyn EvidenceSource, listed: &'a ListedImages) -> Self {
        Self {
            source,
            listed,
            known: BTreeMap::new(),
        }
    }

    /// Checks what a receipt names, and the worker's signature with it. An unreadable store is an error of its own.
    pub(crate) fn check(
        &mut self,
        signed: &SignedReceipt,
        totals: &mut Totals,
    ) -> Result<Result<(), Difference>, StoreError> {
        let (id, receipt) = (signed.id(), &signed.receipt);
        let differs = |kind, what: String| Difference::of_receipt(kind, id, what);
        let worker = self.look(&receipt.statement.worker_evidence)?;
        let proxy = self.look(&receipt.proxy_evidence)?;
        totals.certificates = self.known.len() as u64;
        let checked = || {
            let worker = listed(worker, &self.listed.worker).map_err(|what| format!("the worker's certificate {what}"));
            let worker = worker.map_err(|what| differs(Kind::Evidence, what))?;
            let proxy = listed(proxy, &self.listed.proxy).map_err(|what| format!("the proxy's certificate {what}"));
            proxy.map_err(|what| differs(Kind::Evidence, what))?;
            let signed = signed.verify_worker(&worker.leaf_key);
            signed.map_err(|error| differs(Kind::Signature, error.to_string()))
        };
        Ok(checked().map(|is_signed| totals.signed_by_worker += u64::from(is_signed)))
    }

    fn look(&mut self, hash: &HashBytes) -> Result<Result<Known, String>, StoreError> {
        if let Some(known) = self.known.get(hash) {
            return Ok(known.clone());
        }
        let known = match self.source.certificate(hash)? {
            None => Err(format!("{hash} is not kept")),
            Some(der) => read(&der).map_err(|what| format!("{hash} {what}")),
        };
        self.known.insert(*hash, known.clone());
        Ok(known)
    }
}

fn listed(known: Result<Known, String>, images: &BTreeSet<ImageHash>) -> Result<Known, String> {
    let known = known?;
    if images.contains(&known.image) {
        Ok(known)
    } else {
        Err(format!(
            "is of image {}, which the root contract never listed",
            known.image
        ))
    }
}

/// A certificate that its key signed, with a quote for that key.
fn read(der: &[u8]) -> Result<Known, String> {
    let parsed = ParsedCertificate::parse(der).map_err(|problem| format!("is malformed: {problem}"))?;
    parsed
        .check_signature()
        .map_err(|problem| format!("is not signed: {problem}"))?;
    let quote = parsed.quote.as_deref().ok_or("carries no quote")?;
    let evidence = Evidence::parse(quote).map_err(|error| format!("carries a damaged quote: {error}"))?;
    if evidence.unverified_report_data() != report_data_for_key(parsed.leaf_key.as_bytes()) {
        return Err("carries a quote for another key".to_owned());
    }
    Ok(Known {
        leaf_key: parsed.leaf_key,
        image: evidence.unverified_measurements().image_hash(),
    })
}
