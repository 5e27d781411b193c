//! Counters in the form of the deployed runners: a total and six rates that decay.

use std::sync::Mutex;
use std::sync::PoisonError;

/// Time constants of the rates, seconds.
const WINDOWS: [f64; 6] = [1.0, 10.0, 60.0, 600.0, 3600.0, 86400.0];

/// A total and its recent rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counter {
    total: f64,
    /// Exponentially decayed sums, one per window.
    sums: [f64; 6],
    updated_at: f64,
}

impl Counter {
    /// Adds at `now`, seconds.
    pub fn add(&mut self, amount: f64, now: f64) {
        self.decay(now);
        self.total += amount;
        self.sums.iter_mut().for_each(|sum| *sum += amount);
    }

    /// `[total, rate over 1 s, 10 s, 60 s, 600 s, 3600 s, 86400 s]` at `now`.
    pub fn report(&self, now: f64) -> [f64; 7] {
        let mut current = *self;
        current.decay(now);
        let mut report = [current.total; 7];
        for (place, (sum, window)) in report[1..].iter_mut().zip(current.sums.iter().zip(WINDOWS)) {
            *place = sum / window;
        }
        report
    }

    fn decay(&mut self, now: f64) {
        let passed = (now - self.updated_at).max(0.0);
        for (sum, window) in self.sums.iter_mut().zip(WINDOWS) {
            *sum *= (-passed / window).exp();
        }
        self.updated_at = self.updated_at.max(now);
    }
}

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
}

/// The counters of a running client.
#[derive(Debug, Default)]
pub struct Stats(Mutex<Counters>);

impl Stats {
    /// Counts the begin of a request.
    pub fn begun(&self, bytes: usize, now: f64) {
        self.with(|c| {
            c.queries.add(1.0, now);
            c.bytes_received.add(bytes as f64, now);
        });
    }

    /// Counts the end of a request.
    pub fn ended(&self, success: bool, bytes: usize, seconds: f64, now: f64) {
        self.with(|c| {
            let verdict = if success { &mut c.success } else { &mut c.failed };
            verdict.add(1.0, now);
            c.bytes_sent.add(bytes as f64, now);
            c.time.add(seconds, now);
        });
    }

    /// The counters as they are.
    pub fn snapshot(&self) -> Counters {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_decay_and_totals_stay() {
        let mut counter = Counter::default();
        counter.add(60.0, 100.0);
        let fresh = counter.report(100.0);
        assert_eq!((fresh[0], fresh[1], fresh[3]), (60.0, 60.0, 1.0));
        let later = counter.report(160.0);
        assert_eq!(later[0], 60.0);
        assert!((later[3] - (-1.0f64).exp()).abs() < 1e-9);
        assert!(later[1] < 1e-20);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut counter = Counter::default();
        counter.add(1.0, 100.0);
        counter.add(1.0, 50.0);
        assert_eq!(counter.report(0.0)[0], 2.0);
        assert!(counter.report(0.0).iter().all(|n| n.is_finite()));
    }
}
