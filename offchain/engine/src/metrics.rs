//! How busy an engine is and how fast it answers.

use std::time::Duration;

/// How the places and blocks of an engine are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupancy {
    /// Sequences that run.
    pub running: usize,
    /// Sequences that wait, preempted ones included.
    pub waiting: usize,
    /// Blocks of the cache, each of [`crate::limits::KV_BLOCK`] positions.
    pub kv_blocks: usize,
    /// Of these, blocks that sequences use.
    pub kv_blocks_used: usize,
    /// Of these, free blocks whose content can still be found.
    pub kv_blocks_cached: usize,
    /// Sequences that lost their blocks to older ones, so far.
    pub preemptions: u64,
    /// Prompt tokens of all sequences that began to run, so far.
    pub prompt_tokens: u64,
    /// Of these, tokens that the prefix cache had.
    pub cached_tokens: u64,
    /// Sequences in the last step: the batch size.
    pub step_seqs: usize,
    /// Tokens in the last step, prompts and answers together.
    pub step_tokens: usize,
}

/// How busy an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineLoad {
    /// Requests that were submitted and have not ended.
    pub active: usize,
    /// Whether the thread lives.
    pub is_alive: bool,
    /// After the last step.
    pub occupancy: Occupancy,
    /// From the submission of a request to its first token (TTFT).
    pub time_to_first_token: Histogram,
    /// Between the tokens of an answer (ITL).
    pub inter_token_latency: Histogram,
}

/// Durations, counted by size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS_MILLIS.len() + 1],
    sum_micros: u64,
}

/// Upper bounds of the counted sizes, in milliseconds: about two to a doubling where people notice the difference.
const BOUNDS_MILLIS: [u64; 16] = [
    1, 2, 5, 10, 20, 35, 50, 75, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
];

impl Histogram {
    /// Counts a duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let at = BOUNDS_MILLIS.partition_point(|bound| Duration::from_millis(*bound) < duration);
        self.counts[at] += 1;
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// For each bound how many durations were at most as long, smallest bound first. [`Histogram::count`] includes the
    /// longer ones too.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS_MILLIS.iter().copied().map(Duration::from_millis).zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_under_their_bounds() {
        let mut histogram = Histogram::default();
        for millis in [1, 2, 3, 40_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let counts: Vec<_> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!((counts.len(), counts[..3].to_vec(), counts[15]), (16, vec![1, 2, 3], 3));
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_millis(40_006)));
    }
}
