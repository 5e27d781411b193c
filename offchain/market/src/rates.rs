//! How much one client may ask for in a time.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::MAX_RATED_CLIENTS;
use crate::refusal::Refusal;

/// A rate and how much of it may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Per second; more than 0.
    pub per_second: f64,
    /// At once; at least 1.
    pub burst: f64,
}

/// What one client may ask for; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RateLimits {
    /// Requests.
    pub requests: Option<Rate>,
    /// Tokens that are reserved for them.
    pub tokens: Option<Rate>,
}

/// Token buckets of clients. Times are seconds of any clock that does not run backwards.
#[derive(Debug)]
pub struct Rates<C> {
    limits: RateLimits,
    clients: BTreeMap<C, Buckets>,
}

#[derive(Debug, Clone, Copy)]
struct Buckets {
    requests: Bucket,
    tokens: Bucket,
}

/// What is missing in a bucket, and when that was.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    used: f64,
    at: f64,
}

impl Bucket {
    fn used(&self, rate: Rate, now: f64) -> f64 {
        (self.used - (now - self.at).max(0.0) * rate.per_second).max(0.0)
    }

    /// Until `amount` is there; `None` when it never is.
    fn wait(&self, rate: Option<Rate>, amount: f64, now: f64) -> Option<f64> {
        let Some(rate) = rate else { return Some(0.0) };
        if amount > rate.burst {
            return None;
        }
        let missing = self.used(rate, now) + amount - rate.burst;
        Some((missing / rate.per_second).max(0.0))
    }

    fn take(&mut self, rate: Option<Rate>, amount: f64, now: f64) {
        let Some(rate) = rate else { return };
        self.used = self.used(rate, now) + amount;
        self.at = self.at.max(now);
    }

    fn is_full(&self, rate: Option<Rate>, now: f64) -> bool {
        rate.is_none_or(|rate| self.used(rate, now) <= 0.0)
    }
}

impl<C: Ord + Clone> Rates<C> {
    /// Buckets that are full.
    pub fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            clients: BTreeMap::new(),
        }
    }

    /// Changes the limits; what clients have used stays.
    pub fn set_limits(&mut self, limits: RateLimits) {
        self.limits = limits;
    }

    /// Takes one request and its tokens from the client's buckets, or nothing.
    pub fn take(&mut self, client: &C, tokens: u64, now: f64) -> Result<(), Refusal> {
        let RateLimits { requests, tokens: rate } = self.limits;
        if requests.is_none() && rate.is_none() {
            return Ok(());
        }
        if !self.clients.contains_key(client) && self.clients.len() >= MAX_RATED_CLIENTS {
            self.clients
                .retain(|_, buckets| !buckets.requests.is_full(requests, now) || !buckets.tokens.is_full(rate, now));
            if self.clients.len() >= MAX_RATED_CLIENTS {
                return Err(limited("clients", Some(1.0)));
            }
        }
        let fresh = || Buckets {
            requests: Bucket::default(),
            tokens: Bucket::default(),
        };
        let buckets = self.clients.entry(client.clone()).or_insert_with(fresh);
        let amount = tokens as f64;
        let waits = [
            ("requests", buckets.requests.wait(requests, 1.0, now)),
            ("tokens", buckets.tokens.wait(rate, amount, now)),
        ];
        if let Some((what, _)) = waits.iter().find(|(_, wait)| wait.is_none()) {
            return Err(limited(what, None));
        }
        let longest = waits
            .into_iter()
            .max_by(|(_, one), (_, other)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        if let Some((what, Some(wait))) = longest
            && wait > 0.0
        {
            return Err(limited(what, Some(wait)));
        }
        buckets.requests.take(requests, 1.0, now);
        buckets.tokens.take(rate, amount, now);
        Ok(())
    }
}

fn limited(what: &'static str, wait: Option<f64>) -> Refusal {
    let retry_after = wait.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    Refusal::RateLimited { what, retry_after }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(requests: (f64, f64), tokens: (f64, f64)) -> RateLimits {
        let rate = |(per_second, burst)| Some(Rate { per_second, burst });
        RateLimits {
            requests: rate(requests),
            tokens: rate(tokens),
        }
    }

    #[test]
    fn a_burst_is_taken_then_the_rate_and_the_refusal_says_when() {
        let mut rates = Rates::new(limits((2.0, 3.0), (1e9, 1e9)));
        for _ in 0..3 {
            rates.take(&"a", 1, 10.0).unwrap();
        }
        let refusal = rates.take(&"a", 1, 10.0).unwrap_err();
        assert_eq!(refusal.retry_after(), Some(Duration::from_millis(500)));
        rates.take(&"b", 1, 10.0).unwrap();
        rates.take(&"a", 1, 10.5).unwrap();
        assert!(rates.take(&"a", 1, 10.5).is_err());
    }

    #[test]
    fn a_request_above_the_burst_is_never_taken_and_takes_nothing() {
        let mut rates = Rates::new(limits((1.0, 1.0), (10.0, 100.0)));
        let refusal = rates.take(&"a", 101, 0.0).unwrap_err();
        assert_eq!(refusal.retry_after(), None);
        rates.take(&"a", 100, 0.0).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_the_forgotten_had_full_buckets() {
        let mut rates = Rates::new(limits((1.0, 2.0), (10.0, 100.0)));
        for client in 0..MAX_RATED_CLIENTS {
            rates.take(&client, 1, 0.0).unwrap();
        }
        assert!(rates.take(&usize::MAX, 1, 0.0).is_err());
        assert!(rates.take(&7, 1, 0.0).is_ok());
        rates.take(&usize::MAX, 1, 1.0).unwrap();
        assert!(rates.clients.contains_key(&7) && rates.clients.len() == 2);
    }

    proptest! {
        #[test]
        fn in_no_span_of_time_more_is_taken_than_burst_and_rate_allow_and_waiting_as_told_is_enough(
            asks in prop::collection::vec((0.0_f64..3.0, 0_u64..60), 1..80),
            rate in (0.5_f64..20.0, 1.0_f64..10.0),
            tokens in (0.5_f64..50.0, 30.0_f64..100.0),
        ) {
            let mut rates = Rates::new(limits(rate, tokens));
            let (mut now, mut taken) = (0.0, Vec::new());
            for (pause, amount) in asks {
                now += pause;
                match rates.take(&0, amount, now) {
                    Ok(()) => taken.push((now, amount)),
                    Err(refusal) => if let Some(wait) = refusal.retry_after() {
                        now += wait.as_secs_f64() + 1e-6;
                        prop_assert!(rates.take(&0, amount, now).is_ok());
                        taken.push((now, amount));
                    },
                }
            }
            for (from, (start, _)) in taken.iter().enumerate() {
                let (mut requests, mut sum) = (0.0, 0.0);
                for (at, amount) in &taken[from..] {
                    requests += 1.0;
                    sum += *amount as f64;
                    prop_assert!(requests <= rate.1 + (at - start) * rate.0 + 1e-3);
                    prop_assert!(sum <= tokens.1 + (at - start) * tokens.0 + 1e-3);
                }
            }
        }
    }
}
