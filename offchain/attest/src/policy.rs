//! What a relying party asks of a platform, beyond what is never negotiable.

use std::collections::BTreeSet;

use crate::{AttestError, Claims, TcbStatus};

/// Requirements on a verified platform. Debug, profiled, migratable guests and guests without SEPT_VE_DISABLE, as well
/// as revoked platforms, are refused whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// TCB statuses that are good enough.
    pub accepted_statuses: BTreeSet<TcbStatus>,
    /// Advisories (`INTEL-SA-...`) that must not apply to the platform.
    pub refused_advisories: BTreeSet<String>,
    /// Lowest TCB evaluation data number of the collateral: refuses old but unexpired judgements.
    pub min_tcb_evaluation: u32,
}

impl Policy {
    /// What the network asks: up to date, nothing else.
    pub fn strict() -> Self {
        Self {
            accepted_statuses: BTreeSet::from([TcbStatus::UpToDate]),
            refused_advisories: BTreeSet::new(),
            min_tcb_evaluation: 0,
        }
    }

    pub(crate) fn check(&self, claims: &Claims) -> Result<(), AttestError> {
        if claims.tcb_status == TcbStatus::Revoked || !self.accepted_statuses.contains(&claims.tcb_status) {
            return Err(AttestError::TcbStatus {
                status: claims.tcb_status,
            });
        }
        if let Some(advisory) = claims
            .advisories
            .iter()
            .find(|id| self.refused_advisories.contains(*id))
        {
            return Err(AttestError::Advisory {
                advisory: advisory.clone(),
            });
        }
        if claims.tcb_evaluation < self.min_tcb_evaluation {
            return Err(AttestError::TcbEvaluation {
                found: claims.tcb_evaluation,
                required: self.min_tcb_evaluation,
            });
        }
        Ok(())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::strict()
    }
}
