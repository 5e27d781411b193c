//! How often a server may be asked: a bucket of tokens that fills with time.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens of one server. Taking one more than there are makes whoever takes it wait, in the order of asking.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket, which holds what comes in one second.
    pub(super) fn new(rate_per_second: u32, now: Instant) -> Self {
        let rate = f64::from(rate_per_second.max(1));
        Self {
            rate,
            tokens: rate,
            filled_at: now,
        }
    }

    /// How long a request would wait now.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let missing = 1.0 - self.level(now);
        if missing <= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(missing / self.rate)
        }
    }

    /// Takes a token, and says how long to wait for it.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let wait = self.wait(now);
        self.tokens = self.level(now) - 1.0;
        self.filled_at = now;
        wait
    }

    /// The server said that it was too much: whatever we counted, there is nothing left.
    pub(super) fn empty(&mut self, now: Instant) {
        self.tokens = self.level(now).min(0.0);
        self.filled_at = now;
    }

    fn level(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        (self.tokens + passed * self.rate).min(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_waits_its_turn() {
        let now = Instant::now();
        let mut bucket = Bucket::new(2, now);
        let waits: Vec<_> = (0..4).map(|_| bucket.take(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 500, 1000]);
        let later = now + Duration::from_secs(1);
        assert_eq!(
            bucket.wait(later).as_millis(),
            500,
            "the waiting ones have used what came in"
        );
        assert_eq!(bucket.wait(now + Duration::from_secs(100)), Duration::ZERO);
    }

    #[test]
    fn it_never_holds_more_than_one_second() {
        let now = Instant::now();
        let mut bucket = Bucket::new(3, now);
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..4).filter(|_| bucket.take(later).is_zero()).count(), 3);
        bucket.empty(later);
        assert!(!bucket.wait(later).is_zero());
    }
}
