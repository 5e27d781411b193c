//! What a model's worker counts, in the deployed form of `/jsonstats`.

use cocoon_bindings::tokens::TokensUsed;
use cocoon_runner::report::{Counter, Distribution, LATENCY_SECONDS};
use serde_json::Value;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::time::Instant;

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
pub(crate) struct Counters {
    counters: Mutex<[Counter; NAMES.len()]>,
    pub(crate) request_time: Distribution,
}

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
        // All counters of a process share one origin of time, so that they can be added up.
        let _ = now();
        Self {
            counters: Mutex::default(),
            request_time: Distribution::new(LATENCY_SECONDS),
        }
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
        self.request_time.add(seconds);
        let now = now();
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, amount) in counters.iter_mut().zip(amounts) {
            counter.add(amount, now);
        }
    }

    /// The `stats` object of all of them together.
    pub(crate) fn sum_to_json(all: &[&Self]) -> Value {
        let now = now();
        let mut sums = [Counter::default(); NAMES.len()];
        for counters in all {
            for (sum, counter) in sums.iter_mut().zip(counters.snapshot()) {
                sum.absorb(&counter);
            }
        }
        NAMES
            .into_iter()
            .zip(sums)
            .map(|(name, counter)| (name.to_owned(), counter.json(now)))
            .collect()
    }

    /// Everything that was ever counted under each name.
    pub(crate) fn totals(&self) -> [(&'static str, f64); NAMES.len()] {
        let counters = self.snapshot();
        std::array::from_fn(|place| (NAMES[place], counters[place].total()))
    }

    fn snapshot(&self) -> [Counter; NAMES.len()] {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since the first counter was made.
fn now() -> f64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(two.totals()[..3], [("queries", 2.0), ("success", 1.0), ("failed", 1.0)]);
        assert_eq!((one.request_time.count(), two.request_time.count()), (1, 2));
    }
}
