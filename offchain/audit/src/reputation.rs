//! What the receipts of a log say about its workers (docs/reputation.md).

use crate::limits::MAX_REPUTATION_GROUPS;
use crate::statement::date;
use cocoon_bindings::ton::Address;
use cocoon_receipt::limits::REPUTATION_WINDOW_DAYS;
use cocoon_receipt::reputation::{Record, Reputation, day_of};
use cocoon_receipt::{Receipt, WorkStatement};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The reputations of a log's workers on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reputations {
    /// The day, UTC: that of the chain's time when it was read. Receipts of the 56 days before it count.
    pub day: String,
    /// Every worker contract that a receipt names, by address.
    pub workers: Vec<WorkerReputation>,
    /// Why there are none, if there are too many to count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// The reputation of one worker contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerReputation {
    /// The contract.
    pub contract: Address,
    /// From 0 to 10,000; 5,000 is that of one whom nobody knows.
    pub reputation: u16,
}

/// The receipts of all workers, as far as the reputations of one day need them: one entry for each worker, payer and day of the
/// window, however many receipts there are, and at most [`MAX_REPUTATION_GROUPS`].
///
/// A payer is the client contract of the receipt, not the name in the statement: the proxy may write any name there, and nobody else
/// can tell. Where it keeps to one name for each client, as it should, the groups are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Days since 1970.
    day: u64,
    workers: BTreeMap<Address, Record>,
    /// Entries of all workers together.
    groups: usize,
    /// There were more than are counted.
    is_full: bool,
}

impl Standing {
    /// For reputations at a time, Unix seconds.
    pub(crate) fn at(time: u32) -> Self {
        Self {
            day: day_of(u64::from(time).saturating_mul(1000)),
            workers: BTreeMap::new(),
            groups: 0,
            is_full: false,
        }
    }

    /// Counts a receipt that was accepted.
    pub(crate) fn note(&mut self, receipt: &Receipt, is_signed: bool) {
        if self.is_full {
            return;
        }
        let statement = &receipt.statement;
        let counts = self.counts(statement);
        let record = self.workers.entry(statement.worker.clone()).or_default();
        if !counts {
            return;
        }
        let before = record.groups();
        record.note(&of_contract(receipt), is_signed);
        self.groups += record.groups() - before;
        if self.groups > MAX_REPUTATION_GROUPS {
            self.is_full = true;
            self.workers.clear();
        }
    }

    /// The worker's signature of a receipt that was counted without it.
    pub(crate) fn countersign(&mut self, receipt: &Receipt) {
        if self.counts(&receipt.statement)
            && let Some(record) = self.workers.get_mut(&receipt.statement.worker)
        {
            record.countersign(&of_contract(receipt));
        }
    }

    /// Whether a receipt is of the days that count.
    fn counts(&self, statement: &WorkStatement) -> bool {
        let first = self.day.saturating_sub(REPUTATION_WINDOW_DAYS);
        (first..self.day).contains(&day_of(statement.timing.started_ms))
    }

    /// The numbers.
    pub(crate) fn reputations(&self) -> Reputations {
        let of = |(contract, record): (&Address, &Record)| WorkerReputation {
            contract: contract.clone(),
            reputation: Reputation::get(record.on(self.day)),
        };
        Reputations {
            day: date(self.day),
            workers: self.workers.iter().map(of).collect(),
            left_out: self.is_full.then(|| {
                format!("the receipts of these days are of more than {MAX_REPUTATION_GROUPS} workers, clients and days")
            }),
        }
    }
}

/// The statement, with the client's contract for the name of the payer.
fn of_contract(receipt: &Receipt) -> WorkStatement {
    WorkStatement {
        client: receipt.client.address,
        ..receipt.statement.clone()
    }
}
