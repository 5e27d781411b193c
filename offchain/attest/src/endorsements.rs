//! What the maker of a platform says about it: collateral, as data.

mod document;

use core::fmt;

use crate::{AttestError, PckAuthority, PlatformFamily, TrustRoots, limits::MAX_COLLATERALS};

pub(crate) use document::Collateral;

/// Collateral documents for the families of platforms that may appear.
#[derive(Clone, Default)]
pub struct Endorsements {
    documents: Vec<Collateral>,
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

    /// All documents of both, but of each family (under its authority and root) only one, of which each part is the newest
    /// of all: what is revoked since must not be found unrevoked in an older list. A part that does not hold at `now`
    /// (Unix seconds) or is about to end counts only where there is no other.
    pub fn renewed(mut self, other: &Self, now: u64) -> Result<Self, AttestError> {
        for new in &other.documents {
            let mut newest = new.clone();
            for old in self.documents.extract_if(.., |old| old.is_of_same(new)) {
                newest = old.renewed(&newest, now)?;
            }
            let newest = Self {
                documents: vec![newest],
            };
            self = self.merged(&newest)?;
        }
        Ok(self)
    }

    /// From when to when (Unix seconds, the end excluded) all parts of the newest document of a family say that they hold.
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

    /// Refuses documents of which a part is not signed, by an issuer of one of `roots`. Without it a document may say what
    /// it likes of its dates; whether its issuers are valid and not revoked shows when a quote is verified under it.
    pub fn check_signatures(&self, roots: &TrustRoots) -> Result<(), AttestError> {
        self.documents.iter().try_for_each(|one| one.check_signatures(roots))
    }

    /// The documents as text, each as [`with_json`](Self::with_json) reads it.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().map(|one| one.text.as_str())
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
        matching.retain(|one| (one.not_before..one.not_after).contains(&now));
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
