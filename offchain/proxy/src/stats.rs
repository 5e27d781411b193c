//! What the daemon counts: for the statistics page and for Prometheus.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cocoon_bindings::tokens::TokensUsed;
use cocoon_runner::report::{Counter, Distribution, FIRST_TOKEN_SECONDS, LATENCY_SECONDS};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::limits::MAX_WORKER_CONNECTIONS;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) queries: Counter,
    pub(crate) success: Counter,
    pub(crate) failed: Counter,
    pub(crate) rejected: Counter,
    pub(crate) bytes_received: Counter,
    pub(crate) bytes_sent: Counter,
    pub(crate) time: Counter,
    /// Total, prompt, cached, completion, reasoning.
    pub(crate) tokens: [Counter; 5],
    pub(crate) failovers: Counter,
    pub(crate) excess_tokens: Counter,
    pub(crate) unsigned_receipts: Counter,
    pub(crate) doubtful_workers: Counter,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failed,
    Rejected,
}

impl End {
    /// For traces.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }
}

/// One attempt of a request at a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// The worker's connection.
    pub(crate) worker: u64,
    pub(crate) is_success: bool,
    /// From the request's arrival to the end of the attempt.
    pub(crate) seconds: f64,
    /// The part of it that the worker had.
    pub(crate) worker_seconds: f64,
    /// From the dispatch to the first part of the answer.
    pub(crate) first_token_seconds: Option<f64>,
}

/// What one connection of a worker served.
#[derive(Debug, Clone, Copy, Default)]
struct Served {
    queries: Counter,
    time: Counter,
    worker_time: Counter,
    success: Counter,
}

/// Counters of the daemon.
#[derive(Debug)]
pub(crate) struct Stats {
    started: Instant,
    counters: Mutex<Counters>,
    /// By connection of a worker.
    served: Mutex<BTreeMap<u64, Served>>,
    pub(crate) first_token: Distribution,
    pub(crate) inter_token: Distribution,
    pub(crate) request_time: Distribution,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            counters: Mutex::default(),
            served: Mutex::default(),
            first_token: Distribution::new(FIRST_TOKEN_SECONDS),
            inter_token: Distribution::new(FIRST_TOKEN_SECONDS),
            request_time: Distribution::new(LATENCY_SECONDS),
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
        self.request_time.add(seconds);
        self.with(|c, now| {
            c.time.add(seconds, now);
            match end {
                End::Success => c.success.add(1.0, now),
                End::Failed => c.failed.add(1.0, now),
                End::Rejected => c.rejected.add(1.0, now),
            }
        });
    }

    /// Counts an attempt at its worker. What connections that are gone have served is forgotten in time.
    pub(crate) fn attempt(&self, attempt: &Attempt) {
        if let Some(seconds) = attempt.first_token_seconds {
            self.first_token.add(seconds);
        }
        let now = self.now();
        let mut served = self.served();
        while served.len() > 2 * MAX_WORKER_CONNECTIONS {
            served.pop_first();
        }
        let served = served.entry(attempt.worker).or_default();
        served.queries.add(1.0, now);
        served.time.add(attempt.seconds, now);
        served.worker_time.add(attempt.worker_seconds, now);
        served.success.add(f64::from(u8::from(attempt.is_success)), now);
    }

    /// Counts the pace of an answer: the mean between its tokens. An answer that came at once has none.
    pub(crate) fn pace(&self, ms_after_first: u64, completion_tokens: u64) {
        if completion_tokens > 1 && ms_after_first > 0 {
            let seconds = ms_after_first as f64 / 1000.0;
            self.inter_token.add(seconds / (completion_tokens - 1) as f64);
        }
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

    /// The counters as they are.
    pub(crate) fn snapshot(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a connection served, as the deployed statistics name it.
    pub(crate) fn served_by(&self, worker: u64) -> [(&'static str, f64); 4] {
        let now = self.now();
        let served = self.served().get(&worker).copied().unwrap_or_default();
        [
            ("queries_10m", served.queries.rate_10m(now)),
            ("queries_time_10m", served.time.rate_10m(now)),
            ("worker_queries_time_10m", served.worker_time.rate_10m(now)),
            ("queries_success_10m", served.success.rate_10m(now)),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        let now = self.now();
        let c = self.snapshot();
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
        let now = self.now();
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner), now);
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<u64, Served>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_workers_served_is_bounded_and_the_newest_connections_stay() {
        let stats = Stats::default();
        let last = 3 * MAX_WORKER_CONNECTIONS as u64;
        for worker in 0..=last {
            let is_success = worker == last;
            stats.attempt(&Attempt {
                worker,
                is_success,
                seconds: 2.0,
                worker_seconds: 1.0,
                first_token_seconds: None,
            });
        }
        assert!(stats.served().len() <= 2 * MAX_WORKER_CONNECTIONS + 1);
        let [(_, queries), (_, time), (_, worker_time), (_, success)] = stats.served_by(last);
        assert!(queries > 0.0 && (success - queries).abs() < 1e-9);
        assert!((time - 2.0 * queries).abs() < 1e-9 && (worker_time - queries).abs() < 1e-9);
        assert!(stats.served_by(0).iter().all(|(_, rate)| *rate == 0.0));
    }

    #[tokio::test]
    async fn an_answer_of_one_token_has_no_pace() {
        let stats = Stats::default();
        stats.pace(1000, 1);
        stats.pace(0, 11);
        assert_eq!(stats.inter_token.count(), 0);
        stats.pace(1000, 11);
        assert_eq!(stats.inter_token.count(), 1);
    }
}
