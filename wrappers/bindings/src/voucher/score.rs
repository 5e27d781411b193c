//! A worker's score, as a proxy counts it and signs it along with a payout.

use crate::units::TokenCount;
use crate::worker::{LatencyBuckets, WorkerScore};

/// Upper bounds of the latency buckets in milliseconds, from the request to the first token; what takes longer is in
/// the last bucket.
pub const LATENCY_BOUNDS_MS: [u64; 7] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000];

impl LatencyBuckets {
    /// Nothing counted yet.
    pub const EMPTY: Self = Self {
        within100_ms: 0,
        within250_ms: 0,
        within500_ms: 0,
        within1_s: 0,
        within2500_ms: 0,
        within5_s: 0,
        within10_s: 0,
        later: 0,
    };

    /// Counts an answer that began after this many milliseconds. A full bucket stays full.
    pub fn record(&mut self, first_token_ms: u64) {
        let bucket = match LATENCY_BOUNDS_MS.partition_point(|bound| *bound < first_token_ms) {
            0 => &mut self.within100_ms,
            1 => &mut self.within250_ms,
            2 => &mut self.within500_ms,
            3 => &mut self.within1_s,
            4 => &mut self.within2500_ms,
            5 => &mut self.within5_s,
            6 => &mut self.within10_s,
            _ => &mut self.later,
        };
        *bucket = bucket.saturating_add(1);
    }
}

impl WorkerScore {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self {
        requests: 0,
        failures: 0,
        tokens: TokenCount::ZERO,
        latency: LatencyBuckets::EMPTY,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_in_the_bucket_of_its_bound() {
        let mut latency = LatencyBuckets::EMPTY;
        for first_token in [0, 100, 101, 250, 500, 501, 2_500, 5_000, 10_000, 10_001, u64::MAX] {
            latency.record(first_token);
        }
        let expected = LatencyBuckets {
            within100_ms: 2,
            within250_ms: 2,
            within500_ms: 1,
            within1_s: 1,
            within2500_ms: 1,
            within5_s: 1,
            within10_s: 1,
            later: 2,
        };
        assert_eq!(latency, expected);
    }

    #[test]
    fn a_full_bucket_stays_full() {
        let mut latency = LatencyBuckets {
            later: u32::MAX,
            ..LatencyBuckets::EMPTY
        };
        latency.record(u64::MAX);
        assert_eq!(latency.later, u32::MAX);
    }
}
