//! All workers, indexed so that a decision never looks at each of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::units::Coefficient;

use crate::average::Average;
use crate::draw::{Draw, two_of};
use crate::limits::{AFFINITY_SLACK, CHEAPEST, DRAWS, RETRY_AFTER, UNKNOWN_SECONDS};
use crate::member::{Member, Offer, Outcome, Verdict, WorkerView};
use crate::refusal::Refusal;

/// What a request needs of its worker.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// Base name of the model.
    pub model: &'a str,
    /// The client's price ceiling.
    pub max_coefficient: Coefficient,
    /// Workers that had their chance.
    pub tried: &'a [u64],
    /// The worker that may have the beginning of the prompt in its cache.
    pub preferred: Option<u64>,
}

/// A slot of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The worker.
    pub worker: u64,
    /// Its price when it was chosen; it holds for this request.
    pub coefficient: Coefficient,
}

/// The workers of one model.
#[derive(Debug, Default)]
struct Model {
    /// Those that can take a request now, in no order.
    ready: Vec<u64>,
    /// The same by price.
    prices: BTreeSet<(Coefficient, u64)>,
    /// Those that can take a request now or later, by price.
    listed: BTreeSet<(Coefficient, u64)>,
    /// Those whose breaker pauses, by the bits of the time when it ends (times are not negative: bits order as times do).
    paused: BTreeSet<(u64, u64)>,
    /// Slots of the listed ones.
    slots: u64,
    /// Durations of all requests.
    average: Average,
}

/// The workers that are connected.
#[derive(Debug)]
pub struct Pool {
    members: HashMap<u64, Member>,
    /// Models stay when their last worker has gone: they are then busy, not unknown. The root contract lists each.
    models: BTreeMap<Arc<str>, Model>,
    price_weight: f64,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(0.5)
    }
}

impl Pool {
    /// An empty pool. `price_weight` says how much a price counts against expected time: a worker of twice the price gets
    /// the requests of one that is slower by two to the power of it. 0 ignores prices below the ceiling.
    pub fn new(price_weight: f64) -> Self {
        Self {
            members: HashMap::new(),
            models: BTreeMap::new(),
            price_weight,
        }
    }

    /// Changes how much prices count.
    pub fn set_price_weight(&mut self, price_weight: f64) {
        self.price_weight = price_weight;
        for member in self.members.values_mut() {
            member.set_price(member.coefficient, price_weight);
        }
    }

    /// Adds a worker under a number that no other one has.
    pub fn add(&mut self, worker: u64, model: &str, offer: Offer, now: f64) {
        self.remove(worker);
        let name = match self.models.get_key_value(model) {
            Some((name, _)) => Arc::clone(name),
            None => {
                let name: Arc<str> = model.into();
                self.models.insert(Arc::clone(&name), Model::default());
                name
            }
        };
        self.members.insert(worker, Member::new(name, offer, self.price_weight));
        self.refresh(worker, now);
    }

    /// Forgets a worker.
    pub fn remove(&mut self, worker: u64) {
        self.unlist(worker);
        self.members.remove(&worker);
    }

    /// The worker takes requests, or no more.
    pub fn set_enabled(&mut self, worker: u64, is_enabled: bool, now: f64) {
        self.change(worker, now, |member, _| member.is_enabled = is_enabled);
    }

    /// The worker is being emptied: what runs goes on, nothing new goes there.
    pub fn set_draining(&mut self, worker: u64, is_draining: bool, now: f64) {
        self.change(worker, now, |member, _| member.is_draining = is_draining);
    }

    /// The worker has a new price.
    pub fn set_coefficient(&mut self, worker: u64, coefficient: Coefficient, now: f64) {
        self.change(worker, now, |member, weight| member.set_price(coefficient, weight));
    }

    /// What is thought of the worker, from 0 (worst) to 1.
    pub fn set_reputation(&mut self, worker: u64, reputation: f64) {
        if let Some(member) = self.members.get_mut(&worker)
            && reputation.is_finite()
        {
            member.reputation = reputation.clamp(0.0, 1.0);
        }
    }

    /// Chooses a worker that is enabled, not being emptied, admitted by its breaker, has a free slot, costs no more than
    /// the ceiling and was not tried, and takes one of its slots. Of two drawn at random the one with the smaller expected
    /// time is taken, which spreads load almost as well as knowing the whole queue and, unlike always taking the best, does
    /// not send every request to one worker between two measurements. `random` is any number.
    pub fn choose(&mut self, need: &Need<'_>, now: f64, random: u64) -> Result<Grant, Refusal> {
        self.wake(need.model, now);
        let chosen = self.find(need, now, random)?;
        self.take(chosen, now).ok_or_else(|| Refusal::NoneReady {
            model: need.model.to_owned(),
        })
    }

    /// Takes a slot of this very worker, if it could be chosen for the need.
    pub fn choose_only(&mut self, worker: u64, need: &Need<'_>, now: f64) -> Option<Grant> {
        self.wake(need.model, now);
        let is_of_model = self.members.get(&worker)?.model.as_ref() == need.model;
        (is_of_model && self.is_usable(worker, need)).then(|| self.take(worker, now))?
    }

    /// Takes a free slot of this very worker although nothing new goes there: to see whether it should.
    pub fn take_anyway(&mut self, worker: u64, max_coefficient: Coefficient, now: f64) -> Option<Grant> {
        let member = self.members.get(&worker)?;
        let is_free = member.running < member.slots && member.coefficient <= max_coefficient;
        is_free.then(|| self.take(worker, now))?
    }

    /// Gives a slot back. A worker that has gone in the meantime is no matter.
    pub fn release(&mut self, worker: u64, outcome: &Outcome, now: f64) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        member.running = member.running.saturating_sub(1);
        member.note(outcome, now);
        if outcome.verdict == Verdict::Served
            && let Some(model) = self.models.get_mut(&member.model)
        {
            model.average.add(outcome.seconds, now);
        }
        self.refresh(worker, now);
    }

    /// Gives back a slot that no request has used: it says nothing about its worker.
    pub fn give_back(&mut self, worker: u64, now: f64) {
        if let Some(member) = self.members.get_mut(&worker) {
            member.running = member.running.saturating_sub(1);
            member.breaker.withdrawn(now);
        }
        self.refresh(worker, now);
    }

    /// Whether a worker is there that could take the request later.
    pub fn may_wait(&self, need: &Need<'_>) -> bool {
        let Some(model) = self.models.get(need.model) else {
            return false;
        };
        let affordable = model.listed.range(..=(need.max_coefficient, u64::MAX));
        affordable.into_iter().any(|(_, worker)| !need.tried.contains(worker))
    }

    /// Whether a worker is there that can take the request now.
    pub fn is_any_usable(&self, need: &Need<'_>) -> bool {
        let Some(model) = self.models.get(need.model) else {
            return false;
        };
        let affordable = model.prices.range(..=(need.max_coefficient, u64::MAX));
        affordable.into_iter().any(|(_, worker)| !need.tried.contains(worker))
    }

    /// Price of the cheapest worker of the model that can take a request now.
    pub fn cheapest_ready(&mut self, model: &str, now: f64) -> Option<Coefficient> {
        self.wake(model, now);
        let first = self.models.get(model)?.prices.first()?;
        Some(first.0)
    }

    /// How long one request more waits when `ahead` wait already: as long as all slots of the model take for them.
    pub fn expected_wait(&self, model: &str, ahead: usize, now: f64) -> Duration {
        let estimate = self.models.get(model).map_or(0.0, |model| {
            model.average.mean(now) * (ahead as f64 + 1.0) / model.slots.max(1) as f64
        });
        Duration::try_from_secs_f64(estimate).unwrap_or(RETRY_AFTER.1)
    }

    /// What is known of a worker.
    pub fn view(&self, worker: u64, now: f64) -> Option<WorkerView> {
        self.members.get(&worker).map(|member| member.view(now))
    }

    /// The model of a worker.
    pub fn model_of(&self, worker: u64) -> Option<&str> {
        self.members.get(&worker).map(|member| member.model.as_ref())
    }

    fn find(&self, need: &Need<'_>, now: f64, random: u64) -> Result<u64, Refusal> {
        let unknown = || Refusal::UnknownModel {
            model: need.model.to_owned(),
        };
        let model = self.models.get(need.model).ok_or_else(unknown)?;
        let usual = model.average.mean(now).max(UNKNOWN_SECONDS);
        let weight = |worker: u64| {
            self.members
                .get(&worker)
                .map_or(f64::INFINITY, |member| member.weight(usual, now))
        };
        let best = self.sample(model, need, Draw::new(random)).map(|pair| match pair {
            (one, None) => one,
            (one, Some(other)) => {
                let price = |worker: u64| self.members.get(&worker).map(|member| member.coefficient);
                let order = (weight(one), price(one)).partial_cmp(&(weight(other), price(other)));
                if order.is_some_and(|order| order.is_gt()) {
                    other
                } else {
                    one
                }
            }
        });
        if let Some(best) = best {
            let is_near = |worker: &u64| weight(*worker) <= weight(best) * AFFINITY_SLACK;
            let preferred = need.preferred.filter(|&worker| self.is_usable(worker, need));
            let preferred = preferred.filter(|worker| self.is_in(*worker, need.model));
            return Ok(preferred.filter(is_near).unwrap_or(best));
        }
        let cheapest = model.prices.iter().find(|(_, worker)| !need.tried.contains(worker));
        Err(match cheapest {
            Some(&(cheapest, _)) if cheapest > need.max_coefficient => Refusal::TooExpensive { cheapest },
            _ => Refusal::NoneReady {
                model: need.model.to_owned(),
            },
        })
    }

    /// One or two usable workers: drawn at random, or else among the cheapest.
    fn sample(&self, model: &Model, need: &Need<'_>, mut draw: Draw) -> Option<(u64, Option<u64>)> {
        let usable = |worker: &u64| self.is_usable(*worker, need);
        if model.ready.len() <= DRAWS {
            let all: Vec<u64> = model.ready.iter().copied().filter(usable).collect();
            return two_of(&all, &mut draw);
        }
        let mut first = None;
        for _ in 0..DRAWS {
            let drawn = model.ready.get(draw.below(model.ready.len())).copied().filter(usable);
            match (first, drawn) {
                (None, drawn) => first = drawn,
                (Some(one), Some(other)) if one != other => return Some((one, Some(other))),
                _ => {}
            }
        }
        if let Some(one) = first {
            return Some((one, None));
        }
        let affordable = model.prices.range(..=(need.max_coefficient, u64::MAX));
        let cheapest = affordable.map(|(_, worker)| *worker).filter(usable).take(CHEAPEST);
        two_of(&cheapest.collect::<Vec<_>>(), &mut draw)
    }

    /// Whether a worker can take the request now.
    fn is_usable(&self, worker: u64, need: &Need<'_>) -> bool {
        let is_fit = |member: &Member| member.ready_at.is_some() && member.coefficient <= need.max_coefficient;
        self.members.get(&worker).is_some_and(is_fit) && !need.tried.contains(&worker)
    }

    fn is_in(&self, worker: u64, model: &str) -> bool {
        self.model_of(worker) == Some(model)
    }

    fn take(&mut self, worker: u64, now: f64) -> Option<Grant> {
        let member = self.members.get_mut(&worker)?;
        member.running += 1;
        member.breaker.started();
        let coefficient = member.coefficient;
        self.refresh(worker, now);
        Some(Grant { worker, coefficient })
    }

    /// Workers whose breaker's pause is over may be drawn again.
    fn wake(&mut self, model: &str, now: f64) {
        while let Some(model) = self.models.get_mut(model)
            && let Some(&(until, worker)) = model.paused.first()
            && f64::from_bits(until) <= now
        {
            model.paused.pop_first();
            if let Some(member) = self.members.get_mut(&worker) {
                member.paused_until = None;
            }
            self.refresh(worker, now);
        }
    }

    fn change(&mut self, worker: u64, now: f64, change: impl FnOnce(&mut Member, f64)) {
        // The indexes hold the price: out of them first.
        self.unlist(worker);
        if let Some(member) = self.members.get_mut(&worker) {
            change(member, self.price_weight);
        }
        self.refresh(worker, now);
    }

    /// Brings the indexes in line with what the worker is now.
    fn refresh(&mut self, worker: u64, now: f64) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Some(model) = self.models.get_mut(&member.model) else {
            return;
        };
        let key = (member.coefficient, worker);
        let slots = u64::from(member.slots);
        if !member.is_listed() {
            if model.listed.remove(&key) {
                model.slots = model.slots.saturating_sub(slots);
            }
        } else if model.listed.insert(key) {
            model.slots = model.slots.saturating_add(slots);
        }
        let ends = member.breaker.opens_at().filter(|until| *until > now);
        let ends = ends.map(|until| until.max(0.0).to_bits());
        if ends != member.paused_until {
            if let Some(old) = member.paused_until {
                model.paused.remove(&(old, worker));
            }
            if let Some(new) = ends {
                model.paused.insert((new, worker));
            }
            member.paused_until = ends;
        }
        match (member.is_ready(now), member.ready_at) {
            (true, None) => {
                member.ready_at = Some(model.ready.len());
                model.ready.push(worker);
                model.prices.insert(key);
            }
            (false, Some(place)) => {
                member.ready_at = None;
                model.prices.remove(&key);
                self.leave_ready(worker, place);
            }
            _ => {}
        }
    }

    /// Takes a worker out of the ready ones; the last one gets its place.
    fn leave_ready(&mut self, worker: u64, place: usize) {
        let name = self.members.get(&worker).map(|member| Arc::clone(&member.model));
        let Some(model) = name.and_then(|name| self.models.get_mut(&name)) else {
            return;
        };
        if place >= model.ready.len() {
            return;
        }
        model.ready.swap_remove(place);
        if let Some(moved) = model.ready.get(place).and_then(|moved| self.members.get_mut(moved)) {
            moved.ready_at = Some(place);
        }
    }

    /// Takes a worker out of every index.
    fn unlist(&mut self, worker: u64) {
        let Some(member) = self.members.get_mut(&worker) else {
            return;
        };
        let Some(model) = self.models.get_mut(&member.model) else {
            return;
        };
        let key = (member.coefficient, worker);
        if model.listed.remove(&key) {
            model.slots = model.slots.saturating_sub(u64::from(member.slots));
        }
        model.prices.remove(&key);
        if let Some(until) = member.paused_until.take() {
            model.paused.remove(&(until, worker));
        }
        if let Some(place) = member.ready_at.take() {
            self.leave_ready(worker, place);
        }
    }
}

#[cfg(test)]
mod tests;
