//! Sums over the receipts: by worker, by model, by proxy contract.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::reputation::{Record, Reputation};
use cocoon_receipt::{FinishReason, Receipt, WorkStatement};

use crate::limits::{MAX_MODELS_OF_A_WORKER, MAX_REPUTATION_GROUPS, MAX_SUMS};
use crate::receipts::Proven;

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
}

impl WorkerSum {
    /// Its reputation on a day.
    pub(crate) fn reputation(&self, day: u64) -> Reputation {
        self.record.on(day)
    }
}

/// What receipts say of one model.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelSum {
    /// Workers that ran it.
    pub(crate) workers: BTreeSet<Address>,
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
    groups: usize,
    /// Whether there were more than sums are kept of.
    pub(crate) is_full: bool,
    /// Whether reputations can be told.
    pub(crate) has_no_reputations: bool,
}

impl Sums {
    /// Counts a receipt that was proven.
    pub(crate) fn count(&mut self, proven: &Proven) {
        let signed = &proven.signed;
        let receipt = &signed.receipt;
        let statement = &receipt.statement;
        let (charged, ended) = (receipt.charged(), proven.ended_ms);
        let coefficient = statement.coefficient.get();
        if let Some(sum) = place(&mut self.proxies, &statement.proxy, &mut self.is_full) {
            sum.receipts += 1;
            sum.tokens = sum.tokens.saturating_add(charged);
        }
        if let Some(sum) = place(&mut self.models, &statement.model.to_hash_bytes(), &mut self.is_full) {
            if sum.workers.len() < MAX_SUMS {
                sum.workers.insert(statement.worker.clone());
            }
            sum.receipts += 1;
            sum.tokens = sum.tokens.saturating_add(charged);
            Coefficients::see(&mut sum.coefficients, coefficient, ended);
            sum.last_seen_ms = sum.last_seen_ms.max(ended);
        }
        let Some(sum) = place(&mut self.workers, &statement.worker, &mut self.is_full) else {
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
        if self.has_no_reputations {
            return;
        }
        let before = sum.record.groups();
        sum.record
            .note(&of_contract(receipt), signed.worker_signature.is_some());
        self.groups += sum.record.groups() - before;
        if self.groups > MAX_REPUTATION_GROUPS {
            self.has_no_reputations = true;
            self.workers.values_mut().for_each(|sum| sum.record = Record::default());
        }
    }

    /// Counts the worker's signature of a receipt that was counted without it.
    pub(crate) fn countersign(&mut self, receipt: &Receipt) {
        if let Some(sum) = self.workers.get_mut(&receipt.statement.worker) {
            sum.signed += 1;
            sum.record.countersign(&of_contract(receipt));
        }
    }
}

/// The entry of a key, unless there are too many.
fn place<'a, K: Ord + Clone, V: Default>(
    sums: &'a mut BTreeMap<K, V>,
    key: &K,
    is_full: &mut bool,
) -> Option<&'a mut V> {
    if !sums.contains_key(key) && sums.len() >= MAX_SUMS {
        *is_full = true;
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
