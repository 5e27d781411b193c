//! What a policy says of a platform, claim by claim: for people and programs that want to see more than yes or no.

use serde::{Deserialize, Serialize};

use super::{Acceptance, Policy};
use crate::{AttestError, Claim, ClaimName, Claims, Fact};

/// What a policy says of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ruling", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ruling {
    /// It is asked for, and proven.
    Met,
    /// It is not proven, and the policy is content with what there is instead.
    Tolerated {
        /// When that ends, Unix seconds; `None`: it does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    },
    /// It is not asked for.
    NotAsked,
    /// It is asked for, and not proven: the platform is refused.
    Refused,
}

/// A claim, and what a policy says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedClaim {
    /// The claim.
    #[serde(flatten)]
    pub claim: Claim,
    /// What the policy says of it.
    #[serde(flatten)]
    pub ruling: Ruling,
}

/// Verified evidence with everything that a policy says of it. That it exists says only that the platform's maker, or a
/// simulated one, vouches for the evidence: it is accepted if there are no objections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "evidence with objections is refused"]
pub struct Examination {
    /// What the evidence says, until when it holds included.
    pub claims: Claims,
    /// Every claim, with what the policy says of it.
    pub table: Vec<JudgedClaim>,
    /// Why the policy refuses it; the first is what [`verify`](crate::verify) gives. Empty: it is accepted.
    pub objections: Vec<AttestError>,
}

impl Examination {
    /// Whether the policy accepts it.
    pub fn is_accepted(&self) -> bool {
        self.objections.is_empty()
    }
}

impl Policy {
    /// Says everything about verified claims at `now` (Unix seconds) that [`verify`](crate::verify) would say in a word.
    pub fn examine(&self, mut claims: Claims, now: u64) -> Examination {
        let (objections, end) = self.review(&claims, now);
        claims.expires_at = claims.expires_at.min(end);
        let judged = |claim: Claim| JudgedClaim {
            ruling: self.ruling(&claims, &claim, now),
            claim,
        };
        let table = claims.table().into_iter().map(judged).collect();
        Examination {
            claims,
            table,
            objections,
        }
    }

    fn ruling(&self, claims: &Claims, claim: &Claim, now: u64) -> Ruling {
        let is_proven = claim.fact == Fact::Proven;
        if self.required.contains(&claim.name) {
            return if is_proven { Ruling::Met } else { Ruling::Refused };
        }
        match claim.name {
            // Refused whatever a policy says, so whoever has claims has these.
            ClaimName::DebugOff
            | ClaimName::ProfilingOff
            | ClaimName::NotMigratable
            | ClaimName::SeptVeDisabled
            | ClaimName::NoServiceTd
            | ClaimName::ProductionModule
            | ClaimName::NotRevoked
                if is_proven =>
            {
                Ruling::Met
            }
            ClaimName::TcbUpToDate => tolerance(std::iter::once(self.status(claims.tcb_status)), is_proven, now),
            ClaimName::NoAdvisories if claims.advisories.is_empty() && self.other_advisories == Acceptance::Always => {
                Ruling::NotAsked
            }
            ClaimName::NoAdvisories => {
                let all = claims.advisories.iter().map(|id| self.advisory(id));
                tolerance(all, is_proven, now)
            }
            _ => Ruling::NotAsked,
        }
    }
}

/// The ruling on a claim that is proven, or that these acceptances stand in for.
fn tolerance(acceptances: impl Iterator<Item = Acceptance>, is_proven: bool, now: u64) -> Ruling {
    let mut until = None;
    for acceptance in acceptances {
        match acceptance {
            Acceptance::Always => {}
            Acceptance::Until(end) if now < end => until = Some(until.map_or(end, |other: u64| other.min(end))),
            Acceptance::Until(_) | Acceptance::Never => return Ruling::Refused,
        }
    }
    match until {
        None if is_proven => Ruling::Met,
        until => Ruling::Tolerated { until },
    }
}
