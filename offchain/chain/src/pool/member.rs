//! One server of a pool.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::health::Health;
use crate::ChainError;
use crate::client::{ChainHead, SharedChain};
use crate::limits::COMPARE_TIMEOUT;

/// A server and what is known of it.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    client: SharedChain,
    health: Mutex<Health>,
}

/// How one server does. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointReport {
    /// Its place in the configuration, from 0.
    pub index: usize,
    /// Its host and port.
    pub host: String,
    /// Questions asked of it.
    pub requests: u64,
    /// Questions that it failed to answer.
    pub failures: u64,
    /// Questions that it refused because there were too many.
    pub rate_limited: u64,
    /// Answers of it that were older than what was seen, or not proven by what it showed.
    pub refuted: u64,
    /// Smoothed time of its answers, once it gave one.
    pub latency: Option<Duration>,
    /// Whether it failed so often that it is only tried now and then.
    pub is_open: bool,
    /// Whether it is not read because it is behind the others, or tells a time that cannot be.
    pub is_behind: bool,
    /// How far it was when it last told.
    pub head: Option<ChainHead>,
}

impl Member {
    pub(super) fn new(name: String, client: SharedChain, rate_per_second: Option<u32>) -> Self {
        Self {
            name,
            client,
            health: Mutex::new(Health::new(rate_per_second, Instant::now())),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Asks it, when its rate allows, and says how long the answer took. Whether the answer was good is told later.
    pub(super) async fn ask<T, F>(&self, ask: &impl Fn(SharedChain) -> F) -> Result<(T, Duration), ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let wait = self.with(|health| health.begin(Instant::now()));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let started = Instant::now();
        let answer = ask(self.client.clone()).await;
        let took = started.elapsed();
        if let Err(error) = &answer
            && error.retry() != crate::Retry::OtherServer
        {
            self.succeeded(took);
        }
        answer.map(|answer| (answer, took))
    }

    /// Asks how far it is, within a short time.
    pub(super) async fn tell_head(&self) {
        let head = |server: SharedChain| async move {
            match timeout(COMPARE_TIMEOUT, server.head()).await {
                Ok(head) => head,
                Err(_) => Err(ChainError::Timeout {
                    url: self.name.clone(),
                    method: "head",
                    seconds: COMPARE_TIMEOUT.as_secs(),
                }),
            }
        };
        match self.ask(&head).await {
            Ok((head, took)) => {
                self.succeeded(took);
                self.with(|health| health.head = Some(head));
            }
            Err(error) => {
                tracing::debug!(server = self.name, %error, "a chain server does not tell how far it is");
                self.failed(&error);
            }
        }
    }

    pub(super) fn succeeded(&self, took: Duration) {
        self.with(|health| health.succeeded(took));
    }

    pub(super) fn failed(&self, error: &ChainError) {
        self.with(|health| health.failed(error, Instant::now()));
    }

    /// When it is tried again, if it is left alone for its failures only.
    pub(super) fn tried_again_at(&self, now: Instant) -> Option<Instant> {
        self.with(|health| health.tried_again_at(now).filter(|_| !health.out_of_step))
    }

    pub(super) fn admits(&self, now: Instant, even_behind: bool) -> bool {
        self.with(|health| health.admits(now) && (even_behind || !health.out_of_step))
    }

    pub(super) fn cost(&self, now: Instant) -> f64 {
        self.with(|health| health.cost(now))
    }

    /// The time that it last told.
    pub(super) fn time(&self) -> Option<u32> {
        self.with(|health| health.head.map(|head| head.time))
    }

    /// How long it still wants to be left alone.
    pub(super) fn asked_to_wait(&self, now: Instant) -> Option<Duration> {
        self.with(|health| health.asked_to_wait(now))
    }

    pub(super) fn is_out_of_step(&self) -> bool {
        self.with(|health| health.out_of_step)
    }

    /// Decides by its time whether it is read.
    pub(super) fn judge(&self, is_wrong: impl FnOnce(u32) -> bool) {
        self.with(|health| {
            let wrong = health.head.is_some_and(|head| is_wrong(head.time));
            if wrong != health.out_of_step {
                let time = health.head.map(|head| head.time);
                tracing::warn!(
                    server = self.name,
                    time,
                    out_of_step = wrong,
                    "a chain server's standing changed"
                );
            }
            health.out_of_step = wrong;
        });
    }

    pub(super) fn report(&self, index: usize) -> EndpointReport {
        self.with(|health| EndpointReport {
            index,
            host: self.name.clone(),
            requests: health.counts.requests,
            failures: health.counts.failures,
            rate_limited: health.counts.rate_limited,
            refuted: health.counts.refuted,
            latency: health.latency(),
            is_open: health.is_open(),
            is_behind: health.out_of_step,
            head: health.head,
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Health) -> T) -> T {
        look(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
