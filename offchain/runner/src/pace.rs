//! A pause between two bursts of what is made durable together.
//!
//! A sync of the disk, and what it wakes, cost the same whatever it makes durable. Whoever has little to keep does not wait at all;
//! whoever has much gathers for a moment, so that many share one sync. Answers to requests do not wait for it.

use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Instant, sleep_until};

use crate::limits::SYNC_PAUSE;

/// When the last burst began.
#[derive(Debug, Default)]
pub struct Pace(Option<Instant>);

impl Pace {
    /// Waits until the last burst began long enough ago, and begins another one.
    async fn wait(&mut self) {
        if let Some(last) = self.0 {
            sleep_until(last + SYNC_PAUSE).await;
        }
        self.0 = Some(Instant::now());
    }

    /// The next burst of at most `limit`, at its time; empty when nobody can send any more.
    pub async fn burst<T>(&mut self, jobs: &mut impl Jobs<T>, limit: usize) -> Vec<T> {
        let mut burst = Vec::new();
        if jobs.some(&mut burst, limit).await > 0 {
            self.wait().await;
        }
        while burst.len() < limit
            && let Some(job) = jobs.one()
        {
            burst.push(job);
        }
        burst
    }
}

/// Where a burst comes from.
pub trait Jobs<T> {
    /// Waits for at least one; 0 when nobody can send any more.
    fn some(&mut self, burst: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> + Send;

    /// One that is there already.
    fn one(&mut self) -> Option<T>;
}

impl<T: Send> Jobs<T> for Receiver<T> {
    async fn some(&mut self, burst: &mut Vec<T>, limit: usize) -> usize {
        self.recv_many(burst, limit).await
    }

    fn one(&mut self) -> Option<T> {
        self.try_recv().ok()
    }
}

impl<T: Send> Jobs<T> for UnboundedReceiver<T> {
    async fn some(&mut self, burst: &mut Vec<T>, limit: usize) -> usize {
        self.recv_many(burst, limit).await
    }

    fn one(&mut self) -> Option<T> {
        self.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::{Duration, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_single_job_does_not_wait_and_many_come_together() {
        let (sender, mut jobs) = mpsc::unbounded_channel();
        let mut pace = Pace::default();
        let begun = Instant::now();
        sender.send(0).unwrap();
        assert_eq!(pace.burst(&mut jobs, 8).await, [0]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let sending = tokio::spawn(async move {
            for job in 1..=20 {
                sender.send(job).unwrap();
                sleep(SYNC_PAUSE / 4).await;
            }
        });
        let mut bursts = Vec::new();
        loop {
            let burst = pace.burst(&mut jobs, 8).await;
            if burst.is_empty() {
                break;
            }
            bursts.push(burst);
        }
        sending.await.unwrap();
        assert_eq!(bursts.concat(), (1..=20).collect::<Vec<_>>());
        assert!(bursts.len() <= 7, "{bursts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_bounded() {
        let (sender, mut jobs) = mpsc::channel(64);
        for job in 0..40 {
            sender.send(job).await.unwrap();
        }
        drop(sender);
        let mut pace = Pace::default();
        let mut lengths = Vec::new();
        while let burst = pace.burst(&mut jobs, 16).await
            && !burst.is_empty()
        {
            lengths.push(burst.len());
        }
        assert_eq!(lengths, [16, 16, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_later_than_the_pause_does_not_wait() {
        let (sender, mut jobs) = mpsc::unbounded_channel();
        let mut pace = Pace::default();
        for job in 0..3 {
            sleep(SYNC_PAUSE * 2).await;
            sender.send(job).unwrap();
            let begun = Instant::now();
            assert_eq!(pace.burst(&mut jobs, 8).await, [job]);
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
    }
}
