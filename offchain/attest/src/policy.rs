//! What a relying party asks of a platform, beyond what is never negotiable.

mod examination;
mod file;

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::units::ImageHash;

use crate::{AttestError, ClaimName, Claims, Fact, GpuPolicy, TcbStatus};

pub use examination::{Examination, JudgedClaim, Ruling};

/// Whether something is good enough, perhaps for a while only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is.
    Always,
    /// It is, before this moment (Unix seconds): time to update in.
    Until(u64),
    /// It is not.
    Never,
}

/// Requirements on a verified platform. Debug, profiled, migratable guests and guests without SEPT_VE_DISABLE, as well
/// as revoked platforms, are refused whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// TCB statuses that are good enough; the others are not.
    pub statuses: BTreeMap<TcbStatus, Acceptance>,
    /// Advisories (`INTEL-SA-...`) that are judged by name when they apply to the platform.
    pub advisories: BTreeMap<String, Acceptance>,
    /// What is done about advisories without a judgement of their own.
    pub other_advisories: Acceptance,
    /// Lowest TCB evaluation data number of the collateral: refuses old but unexpired judgements.
    pub min_tcb_evaluation: u32,
    /// Claims that must be proven: neither refuted nor unknown.
    pub required: BTreeSet<ClaimName>,
    /// Images that are accepted, beside what the root contract lists. Empty: any that it lists.
    pub images: BTreeSet<ImageHash>,
    /// Which accelerators prove what they claim. No peer presents any: it is for those of the own guest.
    pub gpu: GpuPolicy,
}

impl Policy {
    /// What the network asks: up to date, nothing else.
    pub fn strict() -> Self {
        Self {
            statuses: BTreeMap::from([(TcbStatus::UpToDate, Acceptance::Always)]),
            advisories: BTreeMap::new(),
            other_advisories: Acceptance::Always,
            min_tcb_evaluation: 0,
            required: BTreeSet::new(),
            images: BTreeSet::new(),
            gpu: GpuPolicy::default(),
        }
    }

    /// Judges claims at `now`. An accepted verdict ends with the first grace that it needed.
    pub(crate) fn judge(&self, mut claims: Claims, now: u64) -> Result<Claims, AttestError> {
        let (objections, end) = self.review(&claims, now);
        match objections.into_iter().next() {
            Some(objection) => Err(objection),
            None => {
                claims.expires_at = claims.expires_at.min(end);
                Ok(claims)
            }
        }
    }

    /// All objections to claims at `now`, and when the first grace ends that was needed.
    fn review(&self, claims: &Claims, now: u64) -> (Vec<AttestError>, u64) {
        let (mut objections, mut end) = (Vec::new(), u64::MAX);
        let mut needed = |acceptance: Result<u64, AttestError>| match acceptance {
            Ok(grace) => end = end.min(grace),
            Err(objection) => objections.push(objection),
        };
        let status = claims.tcb_status;
        let refusal = || AttestError::TcbStatus { status };
        needed(self.status(status).end(now, &status, refusal));
        for id in &claims.advisories {
            let refusal = || AttestError::Advisory { advisory: id.clone() };
            needed(self.advisory(id).end(now, id, refusal));
        }
        if claims.tcb_evaluation < self.min_tcb_evaluation {
            objections.push(AttestError::TcbEvaluation {
                found: claims.tcb_evaluation,
                required: self.min_tcb_evaluation,
            });
        }
        let image = claims.image_hash();
        if !self.images.is_empty() && !self.images.contains(&image) {
            objections.push(AttestError::ImageNotPinned { image });
        }
        for &claim in &self.required {
            match claims.fact(claim) {
                Fact::Proven => {}
                fact => objections.push(AttestError::Unproven { claim, fact }),
            }
        }
        (objections, end)
    }

    fn status(&self, status: TcbStatus) -> Acceptance {
        match status {
            TcbStatus::Revoked => Acceptance::Never,
            _ => self.statuses.get(&status).copied().unwrap_or(Acceptance::Never),
        }
    }

    fn advisory(&self, id: &str) -> Acceptance {
        self.advisories.get(id).copied().unwrap_or(self.other_advisories)
    }
}

impl Acceptance {
    /// When the acceptance ends, or why there is none.
    fn end(
        self,
        now: u64,
        what: &dyn core::fmt::Display,
        refusal: impl FnOnce() -> AttestError,
    ) -> Result<u64, AttestError> {
        match self {
            Self::Always => Ok(u64::MAX),
            Self::Until(end) if now < end => Ok(end),
            Self::Until(at) => Err(AttestError::GraceEnded {
                what: what.to_string(),
                at,
            }),
            Self::Never => Err(refusal()),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::strict()
    }
}
