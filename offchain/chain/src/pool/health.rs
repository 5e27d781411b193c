//! How one server does: latency, failures, and whether it is asked at all. Time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;
use crate::ChainError;
use crate::client::ChainHead;
use crate::limits::{
    FAILURE_HALF_LIFE, FAILURES_TO_OPEN, LATENCY_WEIGHT, MAX_OPEN_FOR, MAX_RATE_PAUSE, OPEN_FOR, RATE_PAUSE,
};

/// What one recent failure costs in a comparison: as much as a second of latency.
const FAILURE_COST: f64 = 1.0;

/// What is known of one server.
#[derive(Debug, Clone)]
pub(super) struct Health {
    /// Smoothed, in seconds.
    latency: Option<f64>,
    /// Recent failures; their memory halves with time.
    failures: f64,
    failures_at: Instant,
    in_a_row: u32,
    breaker: Breaker,
    /// Until when the server asked to be left alone.
    paused_until: Option<Instant>,
    bucket: Option<Bucket>,
    /// How far it was when it last told.
    pub(super) head: Option<ChainHead>,
    /// Whether it has fallen behind the others, or tells a time that cannot be.
    pub(super) out_of_step: bool,
    pub(super) counts: Counts,
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) rate_limited: u64,
    pub(super) refuted: u64,
}

/// A server that fails again and again is left alone, and then tried by one request at a time.
#[derive(Debug, Clone, Copy)]
enum Breaker {
    Closed,
    Open {
        until: Instant,
        pause: Duration,
        /// Whether a request is trying it.
        on_trial: bool,
    },
}

impl Health {
    pub(super) fn new(rate_per_second: Option<u32>, now: Instant) -> Self {
        Self {
            latency: None,
            failures: 0.0,
            failures_at: now,
            in_a_row: 0,
            breaker: Breaker::Closed,
            paused_until: None,
            bucket: rate_per_second.map(|rate| Bucket::new(rate, now)),
            head: None,
            out_of_step: false,
            counts: Counts::default(),
        }
    }

    /// Whether it may be asked now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let open = matches!(self.breaker, Breaker::Open { until, .. } if now < until);
        !open && self.paused_until.is_none_or(|until| now >= until)
    }

    /// When it is tried again, if it is left alone for its failures and did not ask for it.
    pub(super) fn tried_again_at(&self, now: Instant) -> Option<Instant> {
        match self.breaker {
            Breaker::Open { until, .. } if self.asked_to_wait(now).is_none() => Some(until),
            _ => None,
        }
    }

    /// How long it still wants to be left alone.
    pub(super) fn asked_to_wait(&self, now: Instant) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether it has failed so often that it is tried only now and then.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.breaker, Breaker::Open { .. })
    }

    /// The smaller, the better: what an answer is likely to cost in seconds, waiting for a token included.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        let wait = self
            .bucket
            .as_ref()
            .map_or(0.0, |bucket| bucket.wait(now).as_secs_f64());
        wait + self.latency.unwrap_or(0.0) + self.recent_failures(now) * FAILURE_COST
    }

    /// Smoothed time of its answers.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency.map(Duration::from_secs_f64)
    }

    /// A request is about to be made; it must wait so long first. Of a server that is being tried again nobody else asks
    /// until this request tells.
    pub(super) fn begin(&mut self, now: Instant) -> Duration {
        self.counts.requests = self.counts.requests.saturating_add(1);
        if let Breaker::Open { until, pause, on_trial } = &mut self.breaker {
            *until = now + *pause;
            *on_trial = true;
        }
        self.bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(now))
    }

    /// It answered, be it with a refusal by the chain.
    pub(super) fn succeeded(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.latency = Some(match self.latency {
            Some(before) => before + (took - before) * LATENCY_WEIGHT,
            None => took,
        });
        self.end_trial();
    }

    fn end_trial(&mut self) {
        self.in_a_row = 0;
        self.breaker = Breaker::Closed;
    }

    /// It did not answer, or with something that cannot be.
    pub(super) fn failed(&mut self, error: &ChainError, now: Instant) {
        if let ChainError::RateLimited { retry_after, .. } = error {
            self.counts.rate_limited = self.counts.rate_limited.saturating_add(1);
            let pause = retry_after.unwrap_or(RATE_PAUSE).clamp(RATE_PAUSE, MAX_RATE_PAUSE);
            self.paused_until = Some(now + pause);
            if let Some(bucket) = &mut self.bucket {
                bucket.empty(now);
            }
            return;
        }
        if matches!(error, ChainError::Stale { .. } | ChainError::Unproven { .. }) {
            self.counts.refuted = self.counts.refuted.saturating_add(1);
        }
        // It does answer, and it may be another that told of what is not.
        if matches!(error, ChainError::Stale { .. }) {
            self.end_trial();
            return;
        }
        self.counts.failures = self.counts.failures.saturating_add(1);
        self.failures = self.recent_failures(now) + 1.0;
        self.failures_at = now;
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.breaker = match self.breaker {
            Breaker::Open {
                pause, on_trial: true, ..
            } => {
                let pause = pause.saturating_mul(2).min(MAX_OPEN_FOR);
                Breaker::Open {
                    until: now + pause,
                    pause,
                    on_trial: false,
                }
            }
            // A request that was under way when the server was given up says nothing new.
            open @ Breaker::Open { .. } => open,
            Breaker::Closed if self.in_a_row >= FAILURES_TO_OPEN => Breaker::Open {
                until: now + OPEN_FOR,
                pause: OPEN_FOR,
                on_trial: false,
            },
            Breaker::Closed => Breaker::Closed,
        };
    }

    fn recent_failures(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.failures_at).as_secs_f64();
        self.failures * 0.5f64.powf(passed / FAILURE_HALF_LIFE.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> ChainError {
        ChainError::Response {
            method: "m",
            reason: "r".to_owned(),
        }
    }

    #[test]
    fn a_failing_server_is_left_alone_longer_each_time_and_forgiven_at_once() {
        let start = Instant::now();
        let mut health = Health::new(None, start);
        for _ in 0..FAILURES_TO_OPEN {
            assert!(health.admits(start));
            health.begin(start);
            health.failed(&failure(), start);
        }
        let mut now = start;
        let mut pause = OPEN_FOR;
        for _ in 0..8 {
            assert!(!health.admits(now + pause - Duration::from_millis(1)));
            now += pause;
            assert!(health.admits(now));
            health.begin(now);
            assert!(!health.admits(now), "one request tries it, and nobody else meanwhile");
            health.failed(&failure(), now);
            pause = (pause * 2).min(MAX_OPEN_FOR);
        }
        now += pause;
        health.begin(now);
        health.succeeded(Duration::from_millis(5));
        assert!(health.admits(now) && !health.is_open());
    }

    #[test]
    fn a_trial_that_is_given_up_does_not_keep_the_server_out_for_ever() {
        let mut now = Instant::now();
        let mut health = Health::new(None, now);
        (0..FAILURES_TO_OPEN).for_each(|_| health.failed(&failure(), now));
        now += OPEN_FOR;
        health.begin(now);
        assert!(health.admits(now + OPEN_FOR));
    }

    #[test]
    fn many_requests_that_fail_at_once_are_one_failure() {
        let now = Instant::now();
        let mut health = Health::new(None, now);
        (0..FAILURES_TO_OPEN + 10).for_each(|_| health.failed(&failure(), now));
        assert!(!health.admits(now) && health.admits(now + OPEN_FOR));
        assert_eq!(health.tried_again_at(now), Some(now + OPEN_FOR));
    }

    #[test]
    fn an_old_answer_does_not_keep_a_server_out() {
        let now = Instant::now();
        let mut health = Health::new(None, now);
        let stale = ChainError::Stale {
            reason: "old".to_owned(),
        };
        (0..FAILURES_TO_OPEN * 2).for_each(|_| health.failed(&stale, now));
        assert!(health.admits(now) && health.cost(now) < 1e-9);
        assert_eq!(
            (health.counts.failures, health.counts.refuted),
            (0, FAILURES_TO_OPEN as u64 * 2)
        );
    }

    #[test]
    fn the_memory_of_failures_fades() {
        let now = Instant::now();
        let mut health = Health::new(None, now);
        health.failed(&failure(), now);
        let fresh = health.cost(now);
        let later = health.cost(now + FAILURE_HALF_LIFE * 2);
        assert!((fresh - FAILURE_COST).abs() < 1e-9 && (later - FAILURE_COST / 4.0).abs() < 1e-9);
    }

    #[test]
    fn who_asks_to_be_left_alone_is_but_not_for_ever_and_it_is_no_failure() {
        let now = Instant::now();
        let mut health = Health::new(Some(10), now);
        let limited = |seconds| ChainError::RateLimited {
            method: "m",
            retry_after: Some(Duration::from_secs(seconds)),
        };
        health.failed(&limited(7), now);
        assert!(!health.admits(now + Duration::from_secs(6)) && health.admits(now + Duration::from_secs(7)));
        health.failed(&limited(1_000_000), now);
        assert!(health.admits(now + MAX_RATE_PAUSE));
        assert_eq!((health.counts.failures, health.counts.rate_limited), (0, 2));
    }
}
