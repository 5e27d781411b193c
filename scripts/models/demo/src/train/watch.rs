//! How long a training has computed.

use std::time::{Duration, Instant};

/// A step that took longer was interrupted: the process was suspended, or the machine slept.
const LONGEST_STEP: Duration = Duration::from_secs(30);

/// Counts the time of steps, and of an interruption only [`LONGEST_STEP`].
pub(super) struct Watch {
    counted: Duration,
    last: Instant,
}

impl Watch {
    pub(super) fn start(now: Instant) -> Self {
        Self {
            counted: Duration::ZERO,
            last: now,
        }
    }

    /// Ends a step.
    pub(super) fn step(&mut self, now: Instant) {
        self.counted += (now - self.last).min(LONGEST_STEP);
        self.last = now;
    }

    /// The time of all steps so far.
    pub(super) fn counted(&self) -> Duration {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_hardly_counts() {
        let begin = Instant::now();
        let mut watch = Watch::start(begin);
        watch.step(begin + Duration::from_secs(2));
        watch.step(begin + Duration::from_secs(3602));
        assert_eq!(watch.counted(), Duration::from_secs(2) + LONGEST_STEP);
    }
}
