//! `[challenge]` of the configuration.

use cocoon_bindings::ton::{Address, parse_address};
use serde::{Deserialize, Serialize};

use crate::error::ProxyError;

/// The setting that names who pays.
pub(crate) const PAYER: &str = "challenge.payer";

/// Which answers are asked for once more, and who pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChallengeConfig {
    /// Part of the requests that are compared, from 0 (none) to 1.
    pub rate: f64,
    /// Adjusted tokens that challenges may cost in one day of UTC.
    pub budget: u64,
    /// Owner of the client contract that pays for them: the owner of the proxy's wallet, nobody else. The contract must be deployed and topped
    /// up like any client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Base names of models whose answers follow from request and seed on every worker: same engine, weights and kind of device.
    pub models: Vec<String>,
    /// So many good challenges bring a benched worker back; 0: only the operator does.
    pub restore: u32,
}

impl Default for ChallengeConfig {
    fn default() -> Self {
        Self {
            rate: 0.0,
            budget: 0,
            payer: None,
            models: Vec::new(),
            restore: 10,
        }
    }
}

impl ChallengeConfig {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is ever compared.
    pub(crate) fn is_on(&self) -> bool {
        self.rate > 0.0 && self.budget > 0 && self.payer.is_some() && !self.models.is_empty()
    }

    /// Owner of the contract that pays.
    pub(crate) fn payer(&self) -> Option<Address> {
        self.payer.as_deref().and_then(|text| parse_address(text).ok())
    }

    /// Refuses what makes no sense, and a payer that is not the owner of the proxy itself: nobody is charged who has not consented, and
    /// what the proxy earns belongs to the same owner.
    pub(crate) fn check(&self, owner: &str) -> Result<(), ProxyError> {
        let wrong = |key, expected| Err(ProxyError::Setting { key, expected });
        if !(0.0..=1.0).contains(&self.rate) {
            return wrong("challenge.rate", "0 to 1");
        }
        if self.rate > 0.0 && !self.is_on() {
            return wrong("challenge", "complete: rate, budget, payer and models, or no rate");
        }
        let Some(text) = &self.payer else { return Ok(()) };
        let Ok(payer) = parse_address(text) else {
            return wrong("challenge.payer", "an address");
        };
        // An owner that is no address is told elsewhere.
        match parse_address(owner) {
            Ok(owner) if owner != payer => wrong(PAYER, "wallet.owner: nobody else's contract pays for challenges"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "0:0202020202020202020202020202020202020202020202020202020202020202";

    fn config(payer: &str) -> ChallengeConfig {
        ChallengeConfig {
            rate: 0.5,
            budget: 1,
            payer: Some(payer.to_owned()),
            models: vec!["m".to_owned()],
            restore: 0,
        }
    }

    #[test]
    fn nobody_but_the_owner_of_the_proxy_pays_for_challenges() {
        config(OWNER).check(OWNER).unwrap();
        let other = OWNER.replace("02", "03");
        let refused = config(&other).check(OWNER).unwrap_err();
        assert!(refused.hint().contains("wallet.owner"), "{}", refused.hint());
        assert!(config("nobody").check(OWNER).is_err());
        // Also while nothing is compared.
        let off = ChallengeConfig {
            rate: 0.0,
            ..config(&other)
        };
        assert!(off.check(OWNER).is_err());
        ChallengeConfig::default().check(OWNER).unwrap();
    }
}
