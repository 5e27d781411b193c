//! Waiting times between attempts to reach a peer: doubling, with a ceiling and jitter.

use std::time::Duration;

/// The next waiting time; reset it after a success.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    ceiling: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `first`, then twice as long each time, never longer than `ceiling`.
    pub fn new(first: Duration, ceiling: Duration) -> Self {
        Self {
            first,
            ceiling,
            next: first.min(ceiling),
        }
    }

    /// Starts from the first waiting time again.
    pub fn reset(&mut self) {
        self.next = self.first.min(self.ceiling);
    }

    /// The time to wait now. `random` in 0..=u32::MAX takes up to half of it away, so that many
    /// nodes that lost one peer do not come back in the same instant.
    pub fn step(&mut self, random: u32) -> Duration {
        let now = self.next;
        self.next = now.saturating_mul(2).min(self.ceiling);
        now - now.mul_f64(0.5 * f64::from(random) / f64::from(u32::MAX))
    }

    /// Sleeps for one step.
    pub async fn wait(&mut self) {
        let pause = self.step(rand::random());
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_time_doubles_up_to_the_ceiling() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let steps: Vec<u64> = (0..4).map(|_| backoff.step(0).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 5]);
        backoff.reset();
        assert_eq!(backoff.step(u32::MAX), Duration::from_millis(500));
    }
}
