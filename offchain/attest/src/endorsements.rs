//! What the maker of a platform says about it: collateral, as data.

use core::fmt;

use dcap_qvl::{QuoteCollateralV3, config::CryptoProvider};
use serde::Deserialize;

use crate::{
    AttestError, PckAuthority, PlatformFamily, dates,
    dcap::AwsLc,
    limits::{MAX_COLLATERAL_BYTES, MAX_COLLATERALS},
};

/// Collateral documents for the families of platforms that may appear.
#[derive(Clone, Default)]
pub struct Endorsements {
    documents: Vec<Collateral>,
}

/// One document, with the parts that select it.
#[derive(Clone)]
pub(crate) struct Collateral {
    /// SHA-256 of the text it was read from.
    pub(crate) digest: [u8; 32],
    pub(crate) fmspc: String,
    /// Whose revocation list it has; `None` is one of another name.
    pub(crate) authority: Option<PckAuthority>,
    pub(crate) root_der: Vec<u8>,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) document: QuoteCollateralV3,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    issue_date: String,
    next_update: String,
    #[serde(default)]
    fmspc: String,
}

impl fmt::Debug for Endorsements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = self
            .documents
            .iter()
            .map(|one| (&one.fmspc, one.not_before, one.not_after));
        f.debug_list().entries(families).finish()
    }
}

impl Endorsements {
    /// No collateral: every quote will be refused.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds one document in the JSON form of Intel's collateral service (fields of `QuoteCollateralV3`).
    pub fn with_json(mut self, json: &str) -> Result<Self, AttestError> {
        if self.documents.len() >= MAX_COLLATERALS {
            return Err(AttestError::Collateral {
                reason: format!("more than {MAX_COLLATERALS} documents"),
            });
        }
        self.documents.push(Collateral::parse(json)?);
        Ok(self)
    }

    /// All documents of both.
    pub fn merged(mut self, other: &Self) -> Result<Self, AttestError> {
        if self.documents.len() + other.documents.len() > MAX_COLLATERALS {
            return Err(AttestError::Collateral {
                reason: format!("more than {MAX_COLLATERALS} documents"),
            });
        }
        self.documents.extend(other.documents.iter().cloned());
        Ok(self)
    }

    /// All documents of both, but of each family (under its authority and root) only the one issued last: what is revoked
    /// since must not be found unrevoked in an older one. Of two issued at once, `other`'s is kept.
    pub fn renewed(mut self, other: &Self) -> Result<Self, AttestError> {
        for new in &other.documents {
            let is_older = |old: &Collateral| old.is_of_same(new) && old.not_before <= new.not_before;
            self.documents.retain(|old| !is_older(old));
            if !self.documents.iter().any(|old| old.is_of_same(new)) {
                self = self.merged(&Self {
                    documents: vec![new.clone()],
                })?;
            }
        }
        Ok(self)
    }

    /// From when to when (Unix seconds, both included) the newest document of a family says that it holds. Whether it is
    /// signed shows when a quote is verified under it.
    pub fn window(&self, family: &PlatformFamily) -> Option<(u64, u64)> {
        let fmspc = hex::encode(family.fmspc);
        let of_family = |one: &&Collateral| one.fmspc == fmspc && one.authority == Some(family.authority);
        let newest = self
            .documents
            .iter()
            .filter(of_family)
            .max_by_key(|one| one.not_before)?;
        Some((newest.not_before, newest.not_after))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Documents for a family under an authority and a root that are valid now, newest first.
    pub(crate) fn valid(
        &self,
        fmspc: &str,
        authority: Option<PckAuthority>,
        root_der: &[u8],
        now: u64,
    ) -> Result<Vec<&Collateral>, AttestError> {
        let mut matching: Vec<_> = self
            .documents
            .iter()
            .filter(|one| one.fmspc == fmspc && one.authority == authority && one.root_der == root_der)
            .collect();
        matching.sort_by_key(|one| core::cmp::Reverse(one.not_before));
        let newest = *matching.first().ok_or_else(|| AttestError::NoCollateral {
            fmspc: fmspc.to_owned(),
        })?;
        matching.retain(|one| (one.not_before..=one.not_after).contains(&now));
        if matching.is_empty() {
            return Err(AttestError::CollateralWindow {
                fmspc: fmspc.to_owned(),
                not_before: newest.not_before,
                not_after: newest.not_after,
                now,
            });
        }
        Ok(matching)
    }
}

impl Collateral {
    fn is_of_same(&self, other: &Self) -> bool {
        (&self.fmspc, self.authority, &self.root_der) == (&other.fmspc, other.authority, &other.root_der)
    }

    fn parse(json: &str) -> Result<Self, AttestError> {
        let unusable = |reason: String| AttestError::Collateral { reason };
        if json.len() > MAX_COLLATERAL_BYTES {
            return Err(unusable(format!(
                "{} bytes are more than {MAX_COLLATERAL_BYTES}",
                json.len()
            )));
        }
        let mut document: QuoteCollateralV3 =
            serde_json::from_str(json).map_err(|error| unusable(error.to_string()))?;
        // Collateral is kept per family of platforms; the chain of one platform belongs to its quote.
        document.pck_certificate_chain = None;
        let tcb_info: Window =
            serde_json::from_str(&document.tcb_info).map_err(|error| unusable(format!("TCB info: {error}")))?;
        let qe_identity: Window =
            serde_json::from_str(&document.qe_identity).map_err(|error| unusable(format!("QE identity: {error}")))?;
        let date = |text: &str| dates::parse(text).ok_or_else(|| unusable(format!("date {text:?}")));
        let not_before = date(&tcb_info.issue_date)?.max(date(&qe_identity.issue_date)?);
        let not_after = date(&tcb_info.next_update)?.min(date(&qe_identity.next_update)?);
        let root_der = last_certificate(&document.tcb_info_issuer_chain)
            .ok_or_else(|| unusable("TCB info issuer chain has no certificate".to_owned()))?;
        let fmspc = tcb_info.fmspc.to_ascii_lowercase();
        Ok(Self {
            digest: AwsLc::sha256(json.as_bytes()),
            fmspc,
            authority: PckAuthority::of_chain(&document.pck_crl_issuer_chain),
            root_der,
            not_before,
            not_after,
            document,
        })
    }
}

fn last_certificate(pem: &str) -> Option<Vec<u8>> {
    let chain = x509_cert::Certificate::load_pem_chain(pem.as_bytes()).ok()?;
    x509_cert::der::Encode::to_der(chain.last()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_do_not_parse_are_refused() {
        for json in ["", "{}", "[]", "{\"tcb_info\": 1}"] {
            assert!(
                matches!(
                    Endorsements::none().with_json(json),
                    Err(AttestError::Collateral { .. })
                ),
                "{json}"
            );
        }
    }

    #[test]
    fn without_documents_every_family_is_unknown() {
        let error = Endorsements::none().valid("90c06f000000", None, &[], 0).err();
        assert_eq!(
            error,
            Some(AttestError::NoCollateral {
                fmspc: "90c06f000000".to_owned()
            })
        );
    }
}
