//! Sums over the receipts: by worker, by model, by proxy contract.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::{Address, HashBytes};
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

/// What receipts say of one worker contract.
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
    /// The log that named it first.
    log: usize,
    /// Whether there is no reputation of it: there was no place for all that would make it.
    is_unrated: bool,
}

impl WorkerSum {
    /// Its reputation on a day, unless there was too much that would make it.
    pub(crate) fn reputation(&self, day: u64) -> Option<Reputation> {
        (!self.is_unrated).then(|| self.record.on(day))
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
    /// By worker contract.
    pub(crate) workers: BTreeMap<Address, WorkerSum>,
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
        let Some(sum) = place(&mut self.workers, &statement.worker, &mut self.taken.workers, of) else {
            self.is_full = true;
            return;
        };
        if sum.receipts == 0 {
            sum.log = of.log;
        }
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
        if sum.is_unrated {
            return;
        }
        let before = sum.record.groups();
        sum.record
            .note(&of_contract(receipt), signed.worker_signature.is_some());
        let more = sum.record.groups().saturating_sub(before);
        if more > 0 && !self.taken.groups.take(of, more, MAX_REPUTATION_GROUPS) {
            (sum.record, sum.is_unrated) = (Record::default(), true);
        }
    }

    /// Forgets what no longer counts for a reputation, which leaves its place to what comes.
    fn forget(&mut self) {
        self.taken.groups = Shares::default();
        for sum in self.workers.values_mut() {
            sum.record.forget_before(self.day);
            self.taken.groups.note(sum.log, sum.record.groups());
        }
    }

    /// How many workers ran each model, by what is kept of the workers.
    pub(crate) fn workers_of_models(&self) -> BTreeMap<HashBytes, usize> {
        let mut counts = BTreeMap::new();
        for model in self.workers.values().flat_map(|sum| &sum.models) {
            *counts.entry(*model).or_default() += 1;
        }
        counts
    }

    /// Counts the worker's signature of a receipt that was counted without it.
    pub(crate) fn countersign(&mut self, receipt: &Receipt) {
        if let Some(sum) = self.workers.get_mut(&receipt.statement.worker) {
            sum.signed += 1;
            // Of one without a reputation nothing is kept that this could change.
            sum.record.countersign(&of_contract(receipt));
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
