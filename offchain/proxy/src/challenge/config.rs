//! `[challenge]` of the configuration.

use cocoon_bindings::ton::{Address, parse_address};
use serde::{Deserialize, Serialize};

use crate::error::ProxyError;

/// Which answers are asked for once more, and who pays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChallengeConfig {
    /// Part of the requests that are compared, from 0 (none) to 1.
    pub rate: f64,
    /// Adjusted tokens that challenges may cost in one day of UTC.
    pub budget: u64,
    /// Owner of the client contract that pays for them. The contract must be deployed and topped up like any client's.
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

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), ProxyError> {
        let wrong = |key, expected| Err(ProxyError::Setting { key, expected });
        if !(0.0..=1.0).contains(&self.rate) {
            return wrong("challenge.rate", "0 to 1");
        }
        if self.rate > 0.0 && !self.is_on() {
            return wrong("challenge", "complete: rate, budget, payer and models, or no rate");
        }
        match &self.payer {
            Some(text) if parse_address(text).is_err() => wrong("challenge.payer", "an address"),
            _ => Ok(()),
        }
    }
}
