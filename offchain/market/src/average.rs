//! A mean that forgets.

use crate::limits::{AVERAGE_WINDOW, MIN_COUNT};

/// Exponentially decayed sum and count of durations. Times are seconds of any clock that does not run backwards.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Average {
    sum: f64,
    count: f64,
    at: f64,
}

impl Average {
    /// Adds a duration in seconds.
    pub fn add(&mut self, seconds: f64, now: f64) {
        self.decay(now);
        self.sum += seconds.max(0.0);
        self.count += 1.0;
    }

    /// The mean in seconds; zero when there is too little left to say.
    pub fn mean(&self, now: f64) -> f64 {
        let mut decayed = *self;
        decayed.decay(now);
        if decayed.count <= MIN_COUNT {
            0.0
        } else {
            decayed.sum / decayed.count
        }
    }

    fn decay(&mut self, now: f64) {
        let passed = (now - self.at).max(0.0);
        let factor = (-passed / AVERAGE_WINDOW.as_secs_f64()).exp();
        self.sum *= factor;
        self.count *= factor;
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_durations_weigh_more_and_old_ones_are_forgotten() {
        let mut average = Average::default();
        assert_eq!(average.mean(0.0), 0.0);
        average.add(10.0, 0.0);
        average.add(1.0, 1200.0);
        assert!(average.mean(1200.0) < 3.0);
        assert_eq!(average.mean(1200.0 + 3600.0), 0.0);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_inflate() {
        let mut average = Average::default();
        average.add(4.0, 100.0);
        average.add(4.0, 50.0);
        assert!((average.mean(50.0) - 4.0).abs() < 1e-9);
    }
}
