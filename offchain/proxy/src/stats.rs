//! Counters for the statistics page.

use std::sync::{Mutex, PoisonError};

use cocoon_bindings::tokens::TokensUsed;
use serde_json::{Value, json};
use tokio::time::Instant;

const TIME_CONSTANTS: [f64; 6] = [1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];

/// A total and its decayed rates per second over 1 s, 10 s, 1 min, 10 min, 1 h, 1 d.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counter {
    total: f64,
    sums: [f64; TIME_CONSTANTS.len()],
    at: f64,
}

impl Counter {
    pub(crate) fn add(&mut self, amount: f64, now: f64) {
        self.decay(now);
        self.total += amount;
        self.sums.iter_mut().for_each(|sum| *sum += amount);
    }

    /// As the deployed statistics write it: seven numbers.
    pub(crate) fn json(&self, now: f64) -> Value {
        let mut decayed = *self;
        decayed.decay(now);
        let rates = decayed
            .sums
            .iter()
            .zip(TIME_CONSTANTS)
            .map(|(sum, constant)| sum / constant);
        std::iter::once(self.total).chain(rates).collect()
    }

    fn decay(&mut self, now: f64) {
        let passed = (now - self.at).max(0.0);
        for (sum, constant) in self.sums.iter_mut().zip(TIME_CONSTANTS) {
            *sum *= (-passed / constant).exp();
        }
        self.at = self.at.max(now);
    }
}

#[derive(Debug, Default)]
struct Counters {
    queries: Counter,
    success: Counter,
    failed: Counter,
    rejected: Counter,
    bytes_received: Counter,
    bytes_sent: Counter,
    time: Counter,
    tokens: [Counter; 5],
    failovers: Counter,
    excess_tokens: Counter,
    unsigned_receipts: Counter,
    doubtful_workers: Counter,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failed,
    Rejected,
}

/// Counters of the daemon.
pub(crate) struct Stats {
    started: Instant,
    counters: Mutex<Counters>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            counters: Mutex::default(),
        }
    }
}

impl Stats {
    pub(crate) fn query(&self, bytes: usize) {
        self.with(|c, now| {
            c.queries.add(1.0, now);
            c.bytes_received.add(bytes as f64, now);
        });
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.with(|c, now| c.bytes_sent.add(bytes as f64, now));
    }

    pub(crate) fn ended(&self, end: End, seconds: f64) {
        self.with(|c, now| {
            c.time.add(seconds, now);
            match end {
                End::Success => c.success.add(1.0, now),
                End::Failed => c.failed.add(1.0, now),
                End::Rejected => c.rejected.add(1.0, now),
            }
        });
    }

    pub(crate) fn charged(&self, used: &TokensUsed, excess: u64) {
        let classes = [used.total, used.prompt, used.cached, used.completion, used.reasoning];
        self.with(|c, now| {
            c.tokens
                .iter_mut()
                .zip(classes)
                .for_each(|(counter, tokens)| counter.add(tokens as f64, now));
            c.excess_tokens.add(excess as f64, now);
        });
    }

    pub(crate) fn failover(&self) {
        self.with(|c, now| c.failovers.add(1.0, now));
    }

    pub(crate) fn unsigned_receipt(&self) {
        self.with(|c, now| c.unsigned_receipts.add(1.0, now));
    }

    /// A worker that claims more than this database has.
    pub(crate) fn doubtful_worker(&self) {
        self.with(|c, now| c.doubtful_workers.add(1.0, now));
    }

    pub(crate) fn json(&self) -> Value {
        let now = self.started.elapsed().as_secs_f64();
        let c = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let [total, prompt, cached, completion, reasoning] = c.tokens.map(|counter| counter.json(now));
        json!({
            "queries": c.queries.json(now),
            "success": c.success.json(now),
            "failed": c.failed.json(now),
            "rejected": c.rejected.json(now),
            "bytes_received": c.bytes_received.json(now),
            "bytes_sent": c.bytes_sent.json(now),
            "time": c.time.json(now),
            "total_adjusted_tokens_used": total,
            "prompt_adjusted_tokens_used": prompt,
            "cached_adjusted_tokens_used": cached,
            "completion_adjusted_tokens_used": completion,
            "reasoning_adjusted_tokens_used": reasoning,
            "failovers": c.failovers.json(now),
            "excess_adjusted_tokens": c.excess_tokens.json(now),
            "receipts_without_worker_signature": c.unsigned_receipts.json(now),
            "workers_that_remember_more": c.doubtful_workers.json(now),
        })
    }

    fn with(&self, change: impl FnOnce(&mut Counters, f64)) {
        let now = self.started.elapsed().as_secs_f64();
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_a_total_and_six_rates_that_fade() {
        let mut counter = Counter::default();
        counter.add(10.0, 0.0);
        let now = counter.json(0.0);
        let later = counter.json(1000.0);
        assert_eq!(now.as_array().unwrap().len(), 7);
        assert_eq!((now[0].as_f64(), now[1].as_f64()), (Some(10.0), Some(10.0)));
        assert_eq!(later[0].as_f64(), Some(10.0));
        assert!(later[1].as_f64().unwrap() < 1e-9);
    }
}
