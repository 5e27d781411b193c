//! Sums over the receipts: by worker, by model, by proxy contract.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::limits::REPUTATION_WINDOW_DAYS;
use cocoon_receipt::reputation::{Record, Reputation, day_of};
use cocoon_receipt::{FinishReason, Receipt, WorkStatement};

use crate::limits::{MAX_MODELS_OF_A_WORKER, MAX_REPUTATION_GROUPS, MAX_SUMS};
use crate::receipts::Proven;
use crate::share::{OfLog, Shares};

/// Coefficients that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coefficients {
    /// The smallest.
    pub(crate) least: u32,
    /// The largest.
    pub(crate) most: u32,
    /// That of the newest receipt.
    pub(crate) last: u32,
    at_ms: u64,
}

impl Coefficients {
    fn see(seen: &mut Option<Self>, coefficient: u32, at_ms: u64) {
        let one = Self {
            least: coefficient,
            most: coefficient,
            last: coefficient,
            at_ms,
        };
        let known = seen.get_or_insert(one);
        known.least = known.least.min(coefficient);
        known.most = known.most.max(coefficient);
        if at_ms >= known.at_ms {
            (known.last, known.at_ms) = (coefficient, at_ms);
        }
    }
}

/// What receipts of one log say of one worker contract.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerSum {
    /// The proxy contract of the newest receipt.
    pub(crate) proxy: Option<Address>,
    /// Receipts.
    pub(crate) receipts: u64,
    /// Tokens charged.
    pub(crate) tokens: u64,
    /// Receipts that it signed.
    pub(crate) signed: u64,
    /// Receipts that ended by its fault.
    pub(crate) failed: u64,
    /// What it ran.
    pub(crate) models: BTreeSet<HashBytes>,
    /// What it asked for.
    pub(crate) coefficients: Option<Coefficients>,
    /// Sum of the times to the first token, and of how many answers.
    pub(crate) first_token_ms: (u64, u64),
    /// End of the first and last answer, Unix milliseconds.
    pub(crate) seen_ms: Option<(u64, u64)>,
    record: Record,
    /// The last day for which there was no place for all that would make its reputation.
    lost_on: Option<u64>,
}

impl WorkerSum {
    /// Its reputation on a day, unless there was too much that would make it.
    pub(crate) fn reputation(&self, day: u64) -> Option<Reputation> {
        let counted_from = day.saturating_sub(REPUTATION_WINDOW_DAYS);
        let is_whole = self.lost_on.is_none_or(|lost| lost < counted_from);
        is_whole.then(|| self.record.on(day))
    }
}

/// What receipts say of one model.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelSum {
    /// Receipts.
    pub(crate) receipts: u64,
    /// Tokens charged.
    pub(crate) tokens: u64,
    /// What was asked for.
    pub(crate) coefficients: Option<Coefficients>,
    /// End of the last answer, Unix milliseconds.
    pub(crate) last_seen_ms: u64,
}

/// What receipts say of one proxy contract.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProxySum {
    /// Receipts.
    pub(crate) receipts: u64,
    /// Tokens charged.
    pub(crate) tokens: u64,
}

/// All sums.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// By worker contract and log, by the place of that among those that are read: a log may name any worker, and says nothing of
    /// those of another.
    pub(crate) workers: BTreeMap<(Address, usize), WorkerSum>,
    /// By model.
    pub(crate) models: BTreeMap<HashBytes, ModelSum>,
    /// By proxy contract.
    pub(crate) proxies: BTreeMap<Address, ProxySum>,
    /// Whether there were more than sums are kept of.
    pub(crate) is_full: bool,
    taken: Taken,
    /// The day of the newest answer.
    day: u64,
}

/// What each log took of the places.
#[derive(Debug, Default)]
struct Taken {
    workers: Shares,
    models: Shares,
    proxies: Shares,
    groups: Shares,
}

impl Sums {
    /// Counts a receipt that was proven, of one of so many logs.
    pub(crate) fn count(&mut self, proven: &Proven, logs: usize) {
        let of = OfLog { log: proven.log, logs };
        let signed = &proven.signed;
        let receipt = &signed.receipt;
        let statement = &receipt.statement;
        let (charged, ended) = (receipt.charged(), proven.ended_ms);
        let coefficient = statement.coefficient.get();
        if day_of(ended) > self.day {
            self.day = day_of(ended);
            self.forget();
        }
        if let Some(sum) = place(&mut self.proxies, &statement.proxy, &mut self.taken.proxies, of) {
            sum.receipts += 1;
            sum.tokens = sum.tokens.saturating_add(charged);
        } else {
            self.is_full = true;
        }
        if let Some(sum) = place(
            &mut self.models,
            &statement.model.to_hash_bytes(),
            &mut self.taken.models,
            of,
        ) {
            sum.receipts += 1;
            sum.tokens = sum.tokens.saturating_add(charged);
            Coefficients::see(&mut sum.coefficients, coefficient, ended);
            sum.last_seen_ms = sum.last_seen_ms.max(ended);
        } else {
            self.is_full = true;
        }
        let name = (statement.worker.clone(), of.log);
        let Some(sum) = place(&mut self.workers, &name, &mut self.taken.workers, of) else {
            self.is_full = true;
            return;
        };
        sum.proxy = Some(statement.proxy.clone());
        sum.receipts += 1;
        sum.tokens = sum.tokens.saturating_add(charged);
        sum.signed += u64::from(signed.worker_signature.is_some());
        sum.failed += u64::from(is_fault(statement.finish));
        if sum.models.len() < MAX_MODELS_OF_A_WORKER {
            sum.models.insert(statement.model.to_hash_bytes());
        }
        Coefficients::see(&mut sum.coefficients, coefficient, ended);
        let waited = statement
            .timing
            .first_token_ms
            .saturating_sub(statement.timing.started_ms);
        if charged > 0 {
            let (ms, of) = sum.first_token_ms;
            sum.first_token_ms = (ms.saturating_add(waited), of + 1);
        }
        let (first, last) = sum.seen_ms.unwrap_or((ended, ended));
        sum.seen_ms = Some((first.min(ended), last.max(ended)));
        self.rate(proven, name, of);
    }

    /// Notes what a receipt says of its worker's reputation, in the place that its log has for it.
    fn rate(&mut self, proven: &Proven, name: (Address, usize), of: OfLog) {
        let today = self.day;
        let is_rated = is_in_window(proven, today);
        let sum = self.workers.get_mut(&name);
        let Some(sum) = sum.filter(|sum| is_rated && sum.lost_on != Some(today)) else {
            return;
        };
        let before = sum.record.groups();
        let is_signed = proven.signed.worker_signature.is_some();
        sum.record.note(&of_contract(&proven.signed.receipt), is_signed);
        let more = sum.record.groups().saturating_sub(before);
        if more == 0 || self.taken.groups.take(of, more, MAX_REPUTATION_GROUPS) {
            return;
        }
        // The worker that takes most of the log's place loses it, and none of another log.
        self.taken.groups.note(of.log, more);
        let of_log = self.workers.iter_mut().filter(|((_, log), _)| *log == of.log);
        if let Some((_, most)) = of_log.max_by_key(|(_, sum)| sum.record.groups()) {
            self.taken.groups.give_back(of.log, most.record.groups());
            (most.record, most.lost_on) = (Record::default(), Some(today));
        }
    }

    /// Forgets what no longer counts for a reputation, which leaves its place to what comes.
    fn forget(&mut self) {
        self.taken.groups = Shares::default();
        for ((_, log), sum) in &mut self.workers {
            sum.record.forget_before(self.day);
            self.taken.groups.note(*log, sum.record.groups());
        }
    }

    /// How many workers ran each model, by what is kept of the workers.
    pub(crate) fn workers_of_models(&self) -> BTreeMap<HashBytes, usize> {
        let mut workers: BTreeMap<HashBytes, BTreeSet<&Address>> = BTreeMap::new();
        for ((worker, _), sum) in &self.workers {
            for model in &sum.models {
                workers.entry(*model).or_default().insert(worker);
            }
        }
        workers
            .into_iter()
            .map(|(model, workers)| (model, workers.len()))
            .collect()
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        let names: BTreeSet<&Address> = self.workers.keys().map(|(worker, _)| worker).collect();
        names.len()
    }

    /// Groups that are kept, all together.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> usize {
        self.workers.values().map(|sum| sum.record.groups()).sum()
    }

    /// What the receipts of a log say of a worker; without a log, those of the first that names it.
    pub(crate) fn worker(&self, address: &Address, log: Option<usize>) -> Option<&WorkerSum> {
        let (first, last) = log.map_or((0, usize::MAX), |log| (log, log));
        let mut sums = self.workers.range((address.clone(), first)..=(address.clone(), last));
        sums.next().map(|(_, sum)| sum)
    }

    /// Counts the worker's signature of a receipt that was counted without it.
    pub(crate) fn countersign(&mut self, proven: &Proven) {
        let receipt = &proven.signed.receipt;
        let name = (receipt.statement.worker.clone(), proven.log);
        if let Some(sum) = self.workers.get_mut(&name) {
            sum.signed += 1;
            if is_in_window(proven, self.day) {
                // Of one without a reputation nothing is kept that this could change.
                sum.record.countersign(&of_contract(receipt));
            }
        }
    }
}

/// The entry of a key; none for a new one of a log whose share is used up.
fn place<'a, K: Ord + Clone, V: Default>(
    sums: &'a mut BTreeMap<K, V>,
    key: &K,
    taken: &mut Shares,
    of: OfLog,
) -> Option<&'a mut V> {
    if !sums.contains_key(key) && !taken.take(of, 1, MAX_SUMS) {
        return None;
    }
    Some(sums.entry(key.clone()).or_default())
}

/// Whether a receipt counts for a reputation: its answer began neither before the days that count, nor after it ended. A proxy may
/// sign any time, and what it signs of a time to come would keep its place for ever.
fn is_in_window(proven: &Proven, today: u64) -> bool {
    let began = day_of(proven.signed.receipt.statement.timing.started_ms);
    let first = today.saturating_sub(REPUTATION_WINDOW_DAYS);
    (first..=day_of(proven.ended_ms)).contains(&began)
}

fn is_fault(finish: FinishReason) -> bool {
    matches!(
        finish,
        FinishReason::WorkerLost | FinishReason::Timeout | FinishReason::Failed
    )
}

/// The statement with the client contract for the name of the payer, as an audit counts: the proxy may write any name.
fn of_contract(receipt: &Receipt) -> WorkStatement {
    WorkStatement {
        client: receipt.client.address,
        ..receipt.statement.clone()
    }
}
