//! A pause between two bursts of what is made durable together.
//!
//! A sync of the disk, and what it wakes, cost the same whatever it makes durable. Whoever has little to keep does not wait at all;
//! whoever has much gathers for a moment, so that many share one sync and answers have the processors meanwhile. Answers to
//! requests do not wait for it.

use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Duration, Instant, sleep_until};

use crate::limits::{LARGE_BURST, LARGE_SYNC_PAUSE, SYNC_PAUSE};

/// When the next burst may begin.
#[derive(Debug, Default)]
pub struct Pace(Option<Instant>);

impl Pace {
    /// The next burst of at most `limit`, at its time; empty when nobody can send any more.
    pub async fn burst<T>(&mut self, jobs: &mut impl Jobs<T>, limit: usize) -> Vec<T> {
        let mut burst = Vec::new();
        if jobs.some(&mut burst, limit).await > 0
            && let Some(next) = self.0
        {
            sleep_until(next).await;
        }
        while burst.len() < limit
            && let Some(job) = jobs.one()
        {
            burst.push(job);
        }
        self.0 = Some(Instant::now() + pause_after(burst.len()));
        burst
    }
}

/// Time from the beginning of a burst of so many to that of the next one.
fn pause_after(jobs: usize) -> Duration {
    if jobs < LARGE_BURST {
        SYNC_PAUSE
    } else {
        LARGE_SYNC_PAUSE
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
    use tokio::time::sleep;

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
    async fn a_large_burst_is_followed_sooner() {
        let (sender, mut jobs) = mpsc::unbounded_channel();
        let mut pace = Pace::default();
        for (jobs_of_it, pause) in [(LARGE_BURST - 1, SYNC_PAUSE), (LARGE_BURST, LARGE_SYNC_PAUSE)] {
            (0..jobs_of_it).for_each(|job| sender.send(job).unwrap());
            pace.burst(&mut jobs, LARGE_BURST).await;
            let begun = Instant::now();
            sender.send(0).unwrap();
            assert_eq!(pace.burst(&mut jobs, LARGE_BURST).await, [0]);
            assert_eq!(begun.elapsed(), pause);
        }
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
