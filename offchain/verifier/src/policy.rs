//! A policy as JSON: what a client asks of platforms, for a page that asks the same.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_attest::{Acceptance, ClaimName, GpuPolicy, Policy, TcbStatus};
use cocoon_bindings::units::ImageHash;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_IMAGES;

/// A policy. What it says of accelerators is left out: no certificate says anything about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// TCB statuses that are good enough.
    pub statuses: BTreeMap<TcbStatus, ShownAcceptance>,
    /// Advisories that are judged by name.
    #[serde(default)]
    pub advisories: BTreeMap<String, ShownAcceptance>,
    /// All other advisories.
    pub other_advisories: ShownAcceptance,
    /// Lowest number of the maker's judgement.
    #[serde(default)]
    pub min_tcb_evaluation: u32,
    /// Claims that must be proven.
    #[serde(default)]
    pub required: BTreeSet<ClaimName>,
    /// The only images that are accepted (hex); empty: any that the root contract lists.
    #[serde(default)]
    pub images: BTreeSet<String>,
}

/// Whether something is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownAcceptance {
    /// It is.
    Always,
    /// Before this moment, Unix seconds.
    Until(u64),
    /// It is not.
    Never,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyDocumentError {
    /// An image is not 64 hex digits.
    #[error("`{0}` is no image: 64 hex digits")]
    Image(String),
    /// More images than any policy names.
    #[error("more than {MAX_IMAGES} images")]
    Images,
}

impl From<Acceptance> for ShownAcceptance {
    fn from(acceptance: Acceptance) -> Self {
        match acceptance {
            Acceptance::Always => Self::Always,
            Acceptance::Until(end) => Self::Until(end),
            Acceptance::Never => Self::Never,
        }
    }
}

impl From<ShownAcceptance> for Acceptance {
    fn from(acceptance: ShownAcceptance) -> Self {
        match acceptance {
            ShownAcceptance::Always => Self::Always,
            ShownAcceptance::Until(end) => Self::Until(end),
            ShownAcceptance::Never => Self::Never,
        }
    }
}

impl From<&Policy> for PolicyDocument {
    fn from(policy: &Policy) -> Self {
        Self {
            statuses: policy
                .statuses
                .iter()
                .map(|(status, one)| (*status, (*one).into()))
                .collect(),
            advisories: policy
                .advisories
                .iter()
                .map(|(id, one)| (id.clone(), (*one).into()))
                .collect(),
            other_advisories: policy.other_advisories.into(),
            min_tcb_evaluation: policy.min_tcb_evaluation,
            required: policy.required.clone(),
            images: policy.images.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<PolicyDocument> for Policy {
    type Error = PolicyDocumentError;

    fn try_from(document: PolicyDocument) -> Result<Self, PolicyDocumentError> {
        Ok(Self {
            statuses: document
                .statuses
                .into_iter()
                .map(|(status, one)| (status, one.into()))
                .collect(),
            advisories: document
                .advisories
                .into_iter()
                .map(|(id, one)| (id, one.into()))
                .collect(),
            other_advisories: document.other_advisories.into(),
            min_tcb_evaluation: document.min_tcb_evaluation,
            required: document.required,
            images: images(document.images)?,
            gpu: GpuPolicy::default(),
        })
    }
}

/// Images out of hex.
pub(crate) fn images(texts: impl IntoIterator<Item = String>) -> Result<BTreeSet<ImageHash>, PolicyDocumentError> {
    let mut images = BTreeSet::new();
    for text in texts {
        if images.len() >= MAX_IMAGES {
            return Err(PolicyDocumentError::Images);
        }
        images.insert(
            text.parse()
                .map_err(|_| PolicyDocumentError::Image(text.chars().take(80).collect()))?,
        );
    }
    Ok(images)
}
