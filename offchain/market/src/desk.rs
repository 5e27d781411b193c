//! Where requests get their slots: at once, or after waiting their turn.

use std::collections::BTreeMap;
use std::time::Duration;

use cocoon_bindings::units::Coefficient;

use crate::draw::Draw;
use crate::limits::RETRY_AFTER;
use crate::member::{Offer, Outcome};
use crate::pool::{Grant, Need, Pool};
use crate::prefixes::Prefixes;
use crate::queue::{Full, Queue, QueueLimits};
use crate::refusal::Refusal;

/// How requests are given to workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many may wait, for each model.
    pub queue: QueueLimits,
    /// How long one may wait at most.
    pub max_wait: Duration,
    /// How much prices count; see [`Pool::new`].
    pub price_weight: f64,
}

/// A request for a slot.
#[derive(Debug, Clone)]
pub struct Ask<C> {
    /// Who asks.
    pub client: C,
    /// Base name of the model.
    pub model: String,
    /// The client's price ceiling.
    pub max_coefficient: Coefficient,
    /// Workers that had their chance.
    pub tried: Vec<u64>,
    /// Salted hashes of the beginnings of its prompt; see [`Prefixes`].
    pub prefixes: Vec<u64>,
    /// What it counts against its client when others wait too: its reserved tokens.
    pub cost: u64,
}

/// What came of an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A slot.
    Granted(Grant),
    /// A place in the queue. It ends with a grant of [`Desk::hand_out`], or by [`Desk::leave`].
    Waits {
        /// The number of the place.
        ticket: u64,
    },
}

/// The workers, and those that wait for one.
#[derive(Debug)]
pub struct Desk<C> {
    pool: Pool,
    queues: BTreeMap<String, Queue<C, Ask<C>>>,
    prefixes: Prefixes,
    settings: Settings,
    next_ticket: u64,
}

impl<C: Ord + Clone> Desk<C> {
    /// Without workers.
    pub fn new(settings: Settings) -> Self {
        Self {
            pool: Pool::new(settings.price_weight),
            queues: BTreeMap::new(),
            prefixes: Prefixes::default(),
            settings,
            next_ticket: 0,
        }
    }

    /// Changes the settings; who waits goes on waiting.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
        self.pool.set_price_weight(settings.price_weight);
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The workers.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The workers, to be changed. After a change that makes one of them free, [`Self::hand_out`] is called.
    pub fn pool_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// A worker comes.
    pub fn add(&mut self, worker: u64, model: &str, offer: Offer, now: f64) {
        self.pool.add(worker, model, offer, now);
    }

    /// Gives a slot, or a place in the queue while some worker could take the request later.
    pub fn ask(&mut self, ask: Ask<C>, now: f64, random: u64) -> Result<Asked, Refusal> {
        let refusal = match self.grant(&ask, now, random) {
            Ok(grant) => return Ok(Asked::Granted(grant)),
            Err(refusal) => refusal,
        };
        if self.settings.max_wait.is_zero() || !self.pool.may_wait(&need(&ask, None)) {
            return Err(refusal);
        }
        let model = ask.model.clone();
        let waiting = self.waiting(&model);
        let retry_after = self.retry_after(&model, now);
        if self.pool.expected_wait(&model, waiting, now) > self.settings.max_wait {
            return Err(Refusal::QueueFull { model, retry_after });
        }
        let ticket = self.next_ticket;
        let (client, cost) = (ask.client.clone(), ask.cost);
        let queue = self.queues.entry(model.clone()).or_default();
        match queue.push(&client, ticket, cost, ask, self.settings.queue) {
            Ok(()) => {
                self.next_ticket += 1;
                Ok(Asked::Waits { ticket })
            }
            Err(Full::All) => Err(Refusal::QueueFull { model, retry_after }),
            Err(Full::Share) => Err(Refusal::ShareFull { model, retry_after }),
        }
    }

    /// Gives up a place in the queue; false when it was not there any more, because it was granted.
    pub fn leave(&mut self, model: &str, client: &C, ticket: u64) -> bool {
        self.queues
            .get_mut(model)
            .is_some_and(|queue| queue.remove(client, ticket))
    }

    /// The refusal of who waited as long as one may.
    pub fn waited_too_long(&self, model: &str, now: f64) -> Refusal {
        Refusal::WaitedTooLong {
            model: model.to_owned(),
            retry_after: self.retry_after(model, now),
        }
    }

    /// Gives a slot back.
    pub fn release(&mut self, worker: u64, outcome: &Outcome, now: f64) {
        self.pool.release(worker, outcome, now);
    }

    /// Gives free slots to those that wait, in their turn. Called whenever a slot may have become free, and now and then
    /// for the breakers' pauses, which end by time alone.
    pub fn hand_out(&mut self, model: &str, now: f64, random: u64) -> Vec<(u64, Grant)> {
        let mut granted = Vec::new();
        let mut draw = Draw::new(random);
        while let Some(cheapest) = self.pool.cheapest_ready(model, now)
            && let Some(queue) = self.queues.get_mut(model)
            && !queue.is_empty()
        {
            let pool = &self.pool;
            let next = queue.next(|ask| cheapest <= ask.max_coefficient && pool.is_any_usable(&need(ask, None)));
            let Some((ticket, ask)) = next else { break };
            match self.grant(&ask, now, draw.next()) {
                Ok(grant) => granted.push((ticket, grant)),
                // Not reached: somebody was usable. The one who waits hears of it by its own time.
                Err(_) => break,
            }
        }
        granted
    }

    /// How many wait for a model.
    pub fn waiting(&self, model: &str) -> usize {
        self.queues.get(model).map_or(0, Queue::len)
    }

    /// How many wait in all.
    pub fn waiting_in_all(&self) -> usize {
        self.queues.values().map(Queue::len).fold(0, usize::saturating_add)
    }

    /// When a request for this model that is refused now may be sent again.
    pub fn retry_after(&self, model: &str, now: f64) -> Duration {
        let wait = self.pool.expected_wait(model, self.waiting(model), now);
        wait.clamp(RETRY_AFTER.0, RETRY_AFTER.1)
    }

    fn grant(&mut self, ask: &Ask<C>, now: f64, random: u64) -> Result<Grant, Refusal> {
        let preferred = self.prefixes.worker_of(&ask.prefixes);
        let grant = self.pool.choose(&need(ask, preferred), now, random)?;
        self.prefixes.served(&ask.prefixes, grant.worker);
        Ok(grant)
    }
}

fn need<C>(ask: &Ask<C>, preferred: Option<u64>) -> Need<'_> {
    Need {
        model: &ask.model,
        max_coefficient: ask.max_coefficient,
        tried: &ask.tried,
        preferred,
    }
}

#[cfg(test)]
mod tests;
