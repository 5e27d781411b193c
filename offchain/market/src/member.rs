//! What is known of one worker, and what a request given to it now would take.

use std::sync::Arc;

use cocoon_bindings::units::Coefficient;

use crate::average::Average;
use crate::breaker::Breaker;
use crate::limits::{MIN_CHANCE, UNKNOWN_SECONDS, UNMEASURED};

/// What a worker says of itself when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its price.
    pub coefficient: Coefficient,
    /// Requests that may run there at once.
    pub slots: u32,
    /// Whether it takes requests now.
    pub is_enabled: bool,
}

/// How a request at a worker ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// What it says about the worker.
    pub verdict: Verdict,
    /// How long it took.
    pub seconds: f64,
    /// How long its first token took; `None` when there was none.
    pub first_token_seconds: Option<f64>,
}

/// What a request says about its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It served.
    Served,
    /// It failed.
    Failed,
    /// Nothing: the client went away, or the request was bad.
    Withdrawn,
}

/// A worker as a person or a statistic looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerView {
    /// Its price.
    pub coefficient: Coefficient,
    /// Requests that may run there at once.
    pub slots: u32,
    /// Requests that run there.
    pub running: u32,
    /// Whether it takes requests.
    pub is_enabled: bool,
    /// Whether it is being emptied.
    pub is_draining: bool,
    /// Whether its breaker keeps requests away.
    pub is_held_back: bool,
    /// Mean duration of its requests in seconds, 0 when unknown.
    pub average_seconds: f64,
    /// Mean time to the first token in seconds, 0 when unknown.
    pub first_token_seconds: f64,
    /// Share of its requests that failed, from 0 to 1.
    pub failure_rate: f64,
    /// As it was given, from 0 to 1.
    pub reputation: f64,
    /// Requests that ended there.
    pub finished: u64,
    /// Those that it served.
    pub succeeded: u64,
}

/// A worker of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) model: Arc<str>,
    pub(crate) coefficient: Coefficient,
    pub(crate) slots: u32,
    pub(crate) running: u32,
    pub(crate) is_enabled: bool,
    pub(crate) is_draining: bool,
    pub(crate) reputation: f64,
    pub(crate) price_factor: f64,
    pub(crate) breaker: Breaker,
    /// Its place among the ready ones of its model.
    pub(crate) ready_at: Option<usize>,
    /// The key under which it waits for the end of its breaker's pause.
    pub(crate) paused_until: Option<u64>,
    average: Average,
    first_token: Average,
    failures: Average,
    finished: u64,
    succeeded: u64,
}

impl Member {
    pub(crate) fn new(model: Arc<str>, offer: Offer, price_weight: f64) -> Self {
        let mut member = Self {
            model,
            coefficient: offer.coefficient,
            slots: offer.slots,
            running: 0,
            is_enabled: offer.is_enabled,
            is_draining: false,
            reputation: 1.0,
            price_factor: 1.0,
            breaker: Breaker::default(),
            ready_at: None,
            paused_until: None,
            average: Average::default(),
            first_token: Average::default(),
            failures: Average::default(),
            finished: 0,
            succeeded: 0,
        };
        member.set_price(offer.coefficient, price_weight);
        member
    }

    pub(crate) fn set_price(&mut self, coefficient: Coefficient, weight: f64) {
        self.coefficient = coefficient;
        self.price_factor = (f64::from(coefficient.get()).max(1.0) / 1000.0).powf(weight);
    }

    /// Whether it is there for requests at all, be it now or when one of its slots is free.
    pub(crate) fn is_listed(&self) -> bool {
        self.is_enabled && !self.is_draining
    }

    /// Whether a request may go there now.
    pub(crate) fn is_ready(&self, now: f64) -> bool {
        self.is_listed() && self.running < self.slots && self.breaker.admits(now)
    }

    /// Seconds until a request given to it now has ended, as far as can be told: its mean, longer the fuller it is, by the
    /// chance that it fails, and by its reputation; and what it costs, weighted. `usual` is the mean of the model.
    pub(crate) fn weight(&self, usual: f64, now: f64) -> f64 {
        let mean = self.average.mean(now);
        let mean = if mean > 0.0 { mean } else { usual * UNMEASURED };
        let load = f64::from(self.running) / f64::from(self.slots.max(1));
        let chance = (1.0 - self.failures.mean(now)).max(MIN_CHANCE) * self.reputation.max(MIN_CHANCE);
        mean.max(UNKNOWN_SECONDS) * (1.0 + load) * self.price_factor / chance
    }

    /// A request has ended there. A short failure says nothing about how long requests take, and a worker that fails fast
    /// must not look fast.
    pub(crate) fn note(&mut self, outcome: &Outcome, now: f64) {
        self.finished += 1;
        if outcome.verdict == Verdict::Served || outcome.seconds > self.average.mean(now) {
            self.average.add(outcome.seconds, now);
        }
        if let Some(seconds) = outcome.first_token_seconds {
            self.first_token.add(seconds, now);
        }
        match outcome.verdict {
            Verdict::Served => {
                self.succeeded += 1;
                self.failures.add(0.0, now);
                self.breaker.succeeded();
            }
            Verdict::Failed => {
                self.failures.add(1.0, now);
                self.breaker.failed(now);
            }
            Verdict::Withdrawn => self.breaker.withdrawn(now),
        }
    }

    pub(crate) fn view(&self, now: f64) -> WorkerView {
        WorkerView {
            coefficient: self.coefficient,
            slots: self.slots,
            running: self.running,
            is_enabled: self.is_enabled,
            is_draining: self.is_draining,
            is_held_back: self.breaker.is_open(),
            average_seconds: self.average.mean(now),
            first_token_seconds: self.first_token.mean(now),
            failure_rate: self.failures.mean(now),
            reputation: self.reputation,
            finished: self.finished,
            succeeded: self.succeeded,
        }
    }
}
