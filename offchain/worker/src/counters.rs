//! Counters with decaying rates, in the deployed form of `/jsonstats`.

use cocoon_bindings::tokens::TokensUsed;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Time constants of the rates, in seconds.
const WINDOWS: [f64; 6] = [1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];

/// A total and, for each window, an exponentially decayed sum.
#[derive(Debug, Clone, Copy)]
struct Counter {
    total: f64,
    sums: [f64; 6],
    at: Instant,
}

impl Counter {
    fn new(now: Instant) -> Self {
        Self {
            total: 0.0,
            sums: [0.0; 6],
            at: now,
        }
    }

    fn add(&mut self, amount: f64, now: Instant) {
        self.decay(now);
        self.total += amount;
        for sum in &mut self.sums {
            *sum += amount;
        }
    }

    fn decay(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        for (sum, window) in self.sums.iter_mut().zip(WINDOWS) {
            *sum *= (-passed / window).exp();
        }
    }

    fn to_json(mut self, now: Instant) -> Value {
        self.decay(now);
        let rates = self.sums.iter().zip(WINDOWS).map(|(sum, window)| json!(sum / window));
        std::iter::once(json!(self.total)).chain(rates).collect()
    }
}

/// What one finished request adds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) seconds: f64,
    pub(crate) tokens: TokensUsed,
}

/// All counters of a worker.
#[derive(Debug)]
pub(crate) struct Counters(Mutex<[Counter; NAMES.len()]>);

const NAMES: [&str; 11] = [
    "queries",
    "success",
    "failed",
    "bytes_received",
    "bytes_sent",
    "time",
    "total_adjusted_tokens_used",
    "prompt_adjusted_tokens_used",
    "cached_adjusted_tokens_used",
    "completion_adjusted_tokens_used",
    "reasoning_adjusted_tokens_used",
];

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Mutex::new([Counter::new(Instant::now()); NAMES.len()]))
    }

    /// Counts a request that has ended.
    pub(crate) fn finish(&self, finished: &Finished) {
        let Finished {
            success,
            bytes_received,
            bytes_sent,
            seconds,
            tokens,
        } = *finished;
        let amounts = [
            1.0,
            f64::from(u8::from(success)),
            f64::from(u8::from(!success)),
            bytes_received as f64,
            bytes_sent as f64,
            seconds,
            tokens.total as f64,
            tokens.prompt as f64,
            tokens.cached as f64,
            tokens.completion as f64,
            tokens.reasoning as f64,
        ];
        let now = Instant::now();
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, amount) in counters.iter_mut().zip(amounts) {
            counter.add(amount, now);
        }
    }

    /// The `stats` object of all of them together.
    pub(crate) fn sum_to_json(all: &[&Self]) -> Value {
        let now = Instant::now();
        let mut sums = [Counter::new(now); NAMES.len()];
        for counters in all {
            for (sum, counter) in sums.iter_mut().zip(counters.now(now)) {
                sum.total += counter.total;
                for (sum, more) in sum.sums.iter_mut().zip(counter.sums) {
                    *sum += more;
                }
            }
        }
        NAMES
            .into_iter()
            .zip(sums)
            .map(|(name, counter)| (name.to_owned(), counter.to_json(now)))
            .collect()
    }

    /// Requests that ended, well and badly.
    pub(crate) fn ended(&self) -> (u64, u64) {
        let [_, success, failed, ..] = self.now(Instant::now());
        // Whole numbers below 2^53.
        (success.total as u64, failed.total as u64)
    }

    fn now(&self, now: Instant) -> [Counter; NAMES.len()] {
        let mut counters = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter_mut().for_each(|counter| counter.decay(now));
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counters_of_several_models_add_up() {
        let (one, two) = (Counters::new(), Counters::new());
        for (counters, success) in [(&one, true), (&two, true), (&two, false)] {
            counters.finish(&Finished {
                success,
                bytes_sent: 5,
                ..Finished::default()
            });
        }
        let sum = Counters::sum_to_json(&[&one, &two]);
        let totals = ["queries", "success", "failed", "bytes_sent"].map(|name| sum[name][0].as_f64().unwrap());
        assert_eq!(totals, [3.0, 2.0, 1.0, 15.0]);
        assert_eq!((one.ended(), two.ended()), ((1, 0), (1, 1)));
    }

    #[test]
    fn a_rate_decays_and_a_total_does_not() {
        let start = Instant::now();
        let mut counter = Counter::new(start);
        counter.add(100.0, start);
        let later = counter.to_json(start + Duration::from_secs(10));
        let later: Vec<f64> = serde_json::from_value(later).unwrap();
        assert_eq!(later.len(), 7);
        assert_eq!(later[0], 100.0);
        assert!(later[1] < 0.01);
        assert!((later[2] - 10.0 * (-1.0f64).exp()).abs() < 1e-9);
    }
}
