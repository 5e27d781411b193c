//! `[models.pricing]`: a price that follows the load.

use crate::error::WorkerError;
use crate::limits::{MAX_COEFFICIENT, PRICING_INTERVAL};
use cocoon_bindings::units::Coefficient;
use cocoon_market::PriceRule;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A price that follows the load of the model: it begins with `coefficient` and rises while most places are taken, falls
/// while most are free, and stays between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricingConfig {
    /// Least price in thousandths of the network's.
    pub floor: u32,
    /// Highest price. Clients that set none of their own accept 4000.
    pub ceiling: u32,
    /// Share of the places in use below which the price falls.
    #[serde(default = "default_low")]
    pub low: f64,
    /// Share of the places in use above which it rises.
    #[serde(default = "default_high")]
    pub high: f64,
    /// Most that one move changes, as a part of the price.
    #[serde(default = "default_step")]
    pub step: f64,
    /// Seconds between two moves; the load is the mean over them.
    #[serde(default = "default_interval_seconds")]
    pub interval_seconds: u64,
}

impl PricingConfig {
    /// Between two prices, with the usual band, step and interval.
    pub fn between(floor: u32, ceiling: u32) -> Self {
        Self {
            floor,
            ceiling,
            low: default_low(),
            high: default_high(),
            step: default_step(),
            interval_seconds: default_interval_seconds(),
        }
    }

    pub(super) fn check(&self) -> Result<(), WorkerError> {
        let interval = PRICING_INTERVAL.0.as_secs()..=PRICING_INTERVAL.1.as_secs();
        let rules = [
            (
                self.floor <= self.ceiling && self.ceiling <= MAX_COEFFICIENT,
                "models.pricing.ceiling",
                "must be from the floor to 999999999",
            ),
            (
                (0.0..1.0).contains(&self.high),
                "models.pricing.high",
                "must be from 0 to below 1",
            ),
            (
                (0.0..=self.high).contains(&self.low),
                "models.pricing.low",
                "must be from 0 to high",
            ),
            (
                self.step > 0.0 && self.step <= 1.0,
                "models.pricing.step",
                "must be above 0 and at most 1",
            ),
            (
                interval.contains(&self.interval_seconds),
                "models.pricing.interval_seconds",
                "must be from 5 to 86400",
            ),
        ];
        match rules.into_iter().find(|(is_good, ..)| !is_good) {
            Some((_, key, problem)) => Err(WorkerError::Config { key, problem }),
            None => Ok(()),
        }
    }

    pub(crate) fn rule(&self) -> PriceRule {
        PriceRule {
            floor: Coefficient::new(self.floor),
            ceiling: Coefficient::new(self.ceiling),
            low: self.low,
            high: self.high,
            step: self.step,
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }
}

fn default_low() -> f64 {
    0.3
}

fn default_high() -> f64 {
    0.7
}

fn default_step() -> f64 {
    0.05
}

fn default_interval_seconds() -> u64 {
    60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_key() {
        let good = PricingConfig::between(500, 4000);
        good.check().unwrap();
        let cases = [
            ("ceiling", PricingConfig { ceiling: 499, ..good }),
            (
                "ceiling",
                PricingConfig {
                    ceiling: u32::MAX,
                    ..good
                },
            ),
            ("high", PricingConfig { high: 1.0, ..good }),
            ("high", PricingConfig { high: f64::NAN, ..good }),
            ("low", PricingConfig { low: 0.71, ..good }),
            ("step", PricingConfig { step: 0.0, ..good }),
            (
                "interval_seconds",
                PricingConfig {
                    interval_seconds: 1,
                    ..good
                },
            ),
        ];
        for (key, bad) in cases {
            let error = bad.check().unwrap_err();
            assert!(
                matches!(error, WorkerError::Config { key: found, .. } if found.ends_with(key)),
                "{key}: {error}"
            );
        }
    }
}
