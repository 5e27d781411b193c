//! How requests are given to workers.

use std::time::Duration;

use cocoon_market::{QueueLimits, Rate, RateLimits, Settings};
use serde::{Deserialize, Serialize};

use crate::error::ProxyError;
use crate::limits::{MAX_QUOTE_SECONDS, MAX_WAITING};

/// The choice of workers, the queue and the rates of clients. All of it may be changed while the proxy runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingConfig {
    /// Seconds that a request waits at most for a slot when all workers are busy; 0 refuses at once, as deployed proxies do.
    pub max_wait: f64,
    /// Requests that may wait for one model.
    pub max_waiting: usize,
    /// Requests of one client that may wait for one model.
    pub max_waiting_per_client: usize,
    /// How much a worker's price counts against its speed: a worker of twice the price must be faster by two to the power
    /// of it. 0 ignores prices below the client's ceiling.
    pub price_weight: f64,
    /// Seconds that a firm quote keeps a slot for a client; 0: no quotes are given.
    pub quote_seconds: f64,
    /// Prefer the worker that served the beginning of a prompt before, for its cache.
    pub affinity: bool,
    /// Requests of one client per second; 0 is no limit.
    pub requests_per_second: f64,
    /// Requests of one client at once, beyond its rate.
    pub requests_burst: f64,
    /// Reserved tokens of one client per second; 0 is no limit.
    pub tokens_per_second: f64,
    /// Reserved tokens of one client at once, beyond its rate. A request that reserves more is never taken.
    pub tokens_burst: f64,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self {
            max_wait: 10.0,
            max_waiting: 1024,
            max_waiting_per_client: 512,
            price_weight: 0.5,
            quote_seconds: 20.0,
            affinity: true,
            requests_per_second: 0.0,
            requests_burst: 100.0,
            tokens_per_second: 0.0,
            tokens_burst: 1e7,
        }
    }
}

impl RoutingConfig {
    /// Refuses numbers that make no sense.
    pub fn check(&self) -> Result<(), ProxyError> {
        let numbers = [
            ("routing.max_wait", self.max_wait, 0.0..=3600.0, "0 to 3600 seconds"),
            ("routing.price_weight", self.price_weight, 0.0..=4.0, "0 to 4"),
            (
                "routing.quote_seconds",
                self.quote_seconds,
                0.0..=MAX_QUOTE_SECONDS,
                "0 to 120 seconds",
            ),
            (
                "routing.requests_per_second",
                self.requests_per_second,
                0.0..=1e9,
                "0 to 10^9",
            ),
            ("routing.requests_burst", self.requests_burst, 1.0..=1e9, "1 to 10^9"),
            (
                "routing.tokens_per_second",
                self.tokens_per_second,
                0.0..=1e15,
                "0 to 10^15",
            ),
            ("routing.tokens_burst", self.tokens_burst, 1.0..=1e15, "1 to 10^15"),
        ];
        for (key, value, range, expected) in numbers {
            if !range.contains(&value) {
                return Err(ProxyError::Setting { key, expected });
            }
        }
        for (key, value) in [
            ("routing.max_waiting", self.max_waiting),
            ("routing.max_waiting_per_client", self.max_waiting_per_client),
        ] {
            if value > MAX_WAITING {
                return Err(ProxyError::Setting {
                    key,
                    expected: "at most 65536 requests",
                });
            }
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            queue: QueueLimits {
                all: self.max_waiting,
                of_client: self.max_waiting_per_client,
            },
            max_wait: Duration::try_from_secs_f64(self.max_wait).unwrap_or_default(),
            price_weight: self.price_weight,
        }
    }

    pub(crate) fn rates(&self) -> RateLimits {
        let rate = |per_second: f64, burst| (per_second > 0.0).then_some(Rate { per_second, burst });
        RateLimits {
            requests: rate(self.requests_per_second, self.requests_burst),
            tokens: rate(self.tokens_per_second, self.tokens_burst),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_key_and_no_rate_is_no_limit() {
        let good = RoutingConfig::default();
        good.check().unwrap();
        assert_eq!(good.rates(), RateLimits::default());
        let bad = |config: RoutingConfig, key: &str| {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        };
        bad(
            RoutingConfig {
                max_wait: f64::NAN,
                ..good
            },
            "routing.max_wait",
        );
        bad(
            RoutingConfig {
                quote_seconds: 121.0,
                ..good
            },
            "routing.quote_seconds",
        );
        bad(
            RoutingConfig {
                requests_burst: 0.5,
                ..good
            },
            "routing.requests_burst",
        );
        bad(
            RoutingConfig {
                max_waiting: usize::MAX,
                ..good
            },
            "routing.max_waiting",
        );
    }
}
