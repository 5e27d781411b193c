//! What the client counts: for the statistics page and for Prometheus.

use std::sync::{Mutex, PoisonError};

use cocoon_runner::report::{Counter, Distribution, FIRST_TOKEN_SECONDS, LATENCY_SECONDS};

/// What the client runner counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    /// Requests.
    pub queries: Counter,
    /// Answers to the end.
    pub success: Counter,
    /// Everything else.
    pub failed: Counter,
    /// Bytes of requests.
    pub bytes_received: Counter,
    /// Bytes of answers.
    pub bytes_sent: Counter,
    /// Seconds of requests.
    pub time: Counter,
    /// Requests that were answered with an error before they were sent to a proxy.
    pub refused: Counter,
}

/// The counters of a running client. Times are seconds of one clock.
#[derive(Debug)]
pub struct Stats {
    counters: Mutex<Counters>,
    /// From a request to the first bytes of its answer's body, in seconds.
    pub first_token: Distribution,
    /// Whole requests, in seconds.
    pub request_time: Distribution,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            counters: Mutex::default(),
            first_token: Distribution::new(FIRST_TOKEN_SECONDS),
            request_time: Distribution::new(LATENCY_SECONDS),
        }
    }
}

impl Stats {
    /// Counts the begin of a request.
    pub fn begun(&self, bytes: usize, now: f64) {
        self.with(|c| {
            c.queries.add(1.0, now);
            c.bytes_received.add(bytes as f64, now);
        });
    }

    /// Counts a request that no proxy has seen.
    pub fn refused(&self, now: f64) {
        self.with(|c| c.refused.add(1.0, now));
    }

    /// Counts the end of a request.
    pub fn ended(&self, success: bool, bytes: usize, seconds: f64, now: f64) {
        self.request_time.add(seconds);
        self.with(|c| {
            let verdict = if success { &mut c.success } else { &mut c.failed };
            verdict.add(1.0, now);
            c.bytes_sent.add(bytes as f64, now);
            c.time.add(seconds, now);
        });
    }

    /// The counters as they are.
    pub fn snapshot(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_ends_once_and_a_refusal_is_none() {
        let stats = Stats::default();
        stats.begun(10, 1.0);
        stats.begun(10, 1.0);
        stats.refused(1.0);
        stats.ended(true, 100, 0.5, 2.0);
        stats.ended(false, 7, 0.5, 2.0);
        let c = stats.snapshot();
        let totals = [c.queries, c.success, c.failed, c.refused, c.bytes_sent, c.time].map(|counter| counter.total());
        assert_eq!(totals, [2.0, 1.0, 1.0, 1.0, 107.0, 1.0]);
        assert_eq!(stats.request_time.count(), 2);
    }
}
