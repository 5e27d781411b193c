//! Challenges: an answer that a client got is asked for once more, at another worker, and both are compared (docs/challenges.md).
//!
//! The second worker serves an ordinary request of an ordinary client contract, whose owner is the operator: so it cannot be told from others,
//! and money goes the way that it always goes. What is compared stays in memory until it was, and is never shown; what is kept is a record
//! of two receipts.

mod ask;
mod config;
mod payer;
mod sample;
mod standing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::Address;
use cocoon_ledger::Changes;
use cocoon_ratls::IdentityKeeper;
use cocoon_receipt::{CHALLENGE_BYTES, ChallengeRecord, ChallengeResult, ContractKey, SignedChallenge};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::client::ClientPeer;
use crate::error::ProxyError;
use crate::limits::{MAX_STANDINGS, MAX_UNPUBLISHED_CHALLENGES, MAX_WAITING_CHALLENGES};
use crate::state::Proxy;
use ask::{Asked, ask};
use payer::Payer;
use standing::{Odd, Standing, odd_one};

pub use config::ChallengeConfig;
pub(crate) use sample::{Answered, Kept, Sampled, answered, may_sample};

/// Name of the setting that holds [`State`].
pub(crate) const CHALLENGES: &str = "challenges";

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// What is kept over restarts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Day of the budget: whole days since 1970.
    day: u64,
    /// Tokens that challenges cost on it.
    spent: u64,
    /// What challenges say of workers, by owner and model.
    standings: BTreeMap<String, Standing>,
    /// Records that left for the published log before the ones below.
    published: u64,
    /// Records in base64 that the published log does not have yet.
    waiting: Vec<String>,
}

/// How many challenges ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) equal: u64,
    pub(crate) different: u64,
    pub(crate) not_comparable: u64,
    /// Not made: the payer or the budget has nothing left, or no other worker was free.
    pub(crate) skipped: u64,
    /// Workers that are benched now.
    pub(crate) benched: u64,
}

/// The proxy's side of challenges.
pub(crate) struct Challenges {
    state: Mutex<State>,
    queue: mpsc::Sender<Sampled>,
    equal: AtomicU64,
    different: AtomicU64,
    not_comparable: AtomicU64,
    skipped: AtomicU64,
}

impl Challenges {
    /// With what was kept; the receiver is for [`keep_challenging`].
    pub(crate) fn new(state: State) -> (Self, mpsc::Receiver<Sampled>) {
        let (queue, sampled) = mpsc::channel(MAX_WAITING_CHALLENGES);
        let challenges = Self {
            state: Mutex::new(state),
            queue,
            equal: AtomicU64::new(0),
            different: AtomicU64::new(0),
            not_comparable: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        };
        (challenges, sampled)
    }

    /// An answer that may be compared. When too many wait it is dropped.
    pub(crate) fn offer(&self, sampled: Sampled) {
        if self.queue.try_send(sampled).is_err() {
            self.skip();
        }
    }

    fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the start.
    pub(crate) fn tally(&self) -> Tally {
        let state = self.state();
        let benched = state.standings.values().filter(|standing| standing.is_benched);
        Tally {
            benched: benched.count() as u64,
            equal: self.equal.load(Ordering::Relaxed),
            different: self.different.load(Ordering::Relaxed),
            not_comparable: self.not_comparable.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }

    /// Owners and models that are benched.
    pub(crate) fn benched(&self) -> Vec<(Address, String)> {
        let state = self.state();
        let benched = state.standings.iter().filter(|(_, standing)| standing.is_benched);
        benched.filter_map(|(name, _)| standing::parse(name)).collect()
    }

    /// Records for the published log, behind so many that left before.
    pub(crate) fn waiting(&self) -> (u64, Vec<Vec<u8>>) {
        let state = self.state();
        let records = state
            .waiting
            .iter()
            .map(|record| STANDARD.decode(record).unwrap_or_default());
        let whole = records.filter(|record| record.len() == CHALLENGE_BYTES);
        (state.published, whole.collect())
    }

    /// The published log has so many of the records that waited.
    pub(crate) fn published(&self, proxy: &Proxy, count: usize) -> Result<(), ProxyError> {
        if count == 0 {
            return Ok(());
        }
        self.change(proxy, |state| {
            let count = count.min(state.waiting.len());
            state.waiting.drain(..count);
            state.published = state.published.saturating_add(count as u64);
        })
    }

    /// The operator believes the workers of this owner again; says whether any of them was benched.
    pub(crate) fn restore(&self, proxy: &Proxy, owner: &Address) -> Result<bool, ProxyError> {
        let is_of = |name: &str| standing::parse(name).is_some_and(|(found, _)| found == *owner);
        if !self.state().standings.keys().any(|name| is_of(name)) {
            return Ok(false);
        }
        self.change(proxy, |state| state.standings.retain(|name, _| !is_of(name)))?;
        proxy.workers.set_benched(self.benched());
        Ok(true)
    }

    /// Takes tokens of today's budget.
    fn spend(&self, proxy: &Proxy, tokens: u64) -> Result<(), ProxyError> {
        let day = proxy.unix_ms() / DAY_MS;
        self.change(proxy, |state| {
            if state.day != day {
                (state.day, state.spent) = (day, 0);
            }
            state.spent = state.spent.saturating_add(tokens);
        })
    }

    /// What is left of today's budget.
    fn left(&self, proxy: &Proxy) -> u64 {
        let state = self.state();
        let is_today = state.day == proxy.unix_ms() / DAY_MS;
        let spent = if is_today { state.spent } else { 0 };
        proxy.config.challenge.budget.saturating_sub(spent)
    }

    /// Keeps what a comparison found.
    fn record(
        &self,
        proxy: &Proxy,
        first: &Answered,
        second: &Answered,
        result: ChallengeResult,
    ) -> Result<(), ProxyError> {
        let counter = match result {
            ChallengeResult::Equal => &self.equal,
            ChallengeResult::Different { .. } => &self.different,
            ChallengeResult::NotComparable => &self.not_comparable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let record = ChallengeRecord {
            result,
            time_ms: proxy.unix_ms(),
            first: first.receipt,
            second: second.receipt,
        };
        let signed = record.sign(&ContractKey::from(proxy.books.key().clone()));
        tracing::info!(first = %first.receipt, second = %second.receipt, result = result.name(), "two workers were compared");
        self.keep(proxy, &signed)
    }

    fn keep(&self, proxy: &Proxy, signed: &SignedChallenge) -> Result<(), ProxyError> {
        let text = STANDARD.encode(signed.to_bytes());
        self.change(proxy, |state| {
            // Without a published log the newest are kept.
            if state.waiting.len() >= MAX_UNPUBLISHED_CHALLENGES {
                state.waiting.remove(0);
                state.published = state.published.saturating_add(1);
            }
            state.waiting.push(text);
        })
    }

    /// Notes what several answers say of their workers.
    fn judge(&self, proxy: &Proxy, good: &[&Answered], odd: Option<&Answered>) -> Result<(), ProxyError> {
        let needed = proxy.config.challenge.restore;
        self.change(proxy, |state| {
            for answered in good {
                if let Some(standing) = state
                    .standings
                    .get_mut(&standing::name(&answered.owner, &answered.model))
                {
                    standing.was_good(needed);
                }
            }
            state.standings.retain(|_, standing| standing.is_benched);
            if let Some(odd) = odd
                && state.standings.len() < MAX_STANDINGS
            {
                let name = standing::name(&odd.owner, &odd.model);
                state.standings.entry(name).or_default().was_odd();
            }
        })?;
        if let Some(odd) = odd {
            tracing::warn!(worker = %odd.contract, model = %odd.model, "the worker answers differently from others: benched");
        }
        proxy.workers.set_benched(self.benched());
        Ok(())
    }

    /// Changes what is kept, and queues it for the disk in the same step: an older state never follows a newer one.
    fn change(&self, proxy: &Proxy, change: impl FnOnce(&mut State)) -> Result<(), ProxyError> {
        let mut state = self.state();
        change(&mut state);
        let value = serde_json::json!(*state);
        // Durable with the next write; what is lost with a crash is a challenge or two.
        let ((), _durable) = proxy
            .books
            .change(|_| Ok(((), Changes::default())), vec![(CHALLENGES, value)])?;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made of steps that cannot panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares sampled answers, one after the other, until dropped.
pub(crate) async fn keep_challenging(
    proxy: Arc<Proxy>,
    identities: Arc<IdentityKeeper>,
    mut sampled: mpsc::Receiver<Sampled>,
) {
    if !proxy.config.challenge.is_on() {
        return;
    }
    let mut payer = Payer::new(identities);
    while let Some(sampled) = sampled.recv().await {
        let client = payer.client(&proxy).await;
        let Some(client) = client.filter(|client| client.instance.contract == sampled.proxy) else {
            proxy.challenges.skip();
            continue;
        };
        let owner = Arc::clone(&proxy);
        // A task of its own: what a worker was asked is paid for and written down, also when the proxy stops meanwhile.
        let asked = proxy.shutdown.spawn(async move {
            let _busy = client.busy();
            match challenge(&owner, &client, sampled).await {
                Ok(true) => {}
                Ok(false) => owner.challenges.skip(),
                Err(error) => owner.fail(error),
            }
        });
        if asked.await.is_err() {
            return;
        }
    }
}

/// One challenge; false when nobody could be asked.
async fn challenge(proxy: &Arc<Proxy>, client: &Arc<ClientPeer>, sampled: Sampled) -> Result<bool, ProxyError> {
    let first = &sampled.answered;
    // A benched worker has its chance to be like others again, but most challenges compare those that serve.
    let benched = (rand::random::<u8>() < 64).then(|| proxy.workers.benched_of(&first.model, &first.owner));
    let asked = Asked {
        sampled: &sampled,
        not_of: vec![first.owner.clone()],
        only: benched.flatten(),
    };
    let Some(second) = ask(proxy, client, asked).await? else {
        return Ok(false);
    };
    let result = sampled.compare(first, &second);
    proxy.challenges.record(proxy, first, &second, result)?;
    match result {
        ChallengeResult::Equal => proxy.challenges.judge(proxy, &[first, &second], None)?,
        ChallengeResult::NotComparable => {}
        ChallengeResult::Different { .. } => third_opinion(proxy, client, &sampled, &second).await?,
    }
    Ok(true)
}

/// Of two that differ, a third worker says which one is alone. Without one, nobody is benched: either may be the honest one.
async fn third_opinion(
    proxy: &Arc<Proxy>,
    client: &Arc<ClientPeer>,
    sampled: &Sampled,
    second: &Answered,
) -> Result<(), ProxyError> {
    let first = &sampled.answered;
    let asked = Asked {
        sampled,
        not_of: vec![first.owner.clone(), second.owner.clone()],
        only: None,
    };
    let Some(third) = ask(proxy, client, asked).await? else {
        tracing::warn!(first = %first.contract, second = %second.contract, "two workers differ and no third one can say who is wrong");
        return Ok(());
    };
    let with_first = sampled.compare(first, &third);
    let with_second = sampled.compare(second, &third);
    proxy.challenges.record(proxy, first, &third, with_first)?;
    proxy.challenges.record(proxy, second, &third, with_second)?;
    match odd_one(with_first, with_second) {
        Odd::First => proxy.challenges.judge(proxy, &[second, &third], Some(first)),
        Odd::Second => proxy.challenges.judge(proxy, &[first, &third], Some(second)),
        Odd::Unknown => Ok(()),
    }
}
