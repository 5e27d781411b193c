//! What the receipts of a log say about its workers (docs/reputation.md).

use crate::statement::date;
use cocoon_bindings::ton::Address;
use cocoon_receipt::WorkStatement;
use cocoon_receipt::limits::REPUTATION_WINDOW_DAYS;
use cocoon_receipt::reputation::{Record, Reputation, day_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The reputations of a log's workers on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reputations {
    /// The day, UTC: that of the chain's time when it was read. Receipts of the 56 days before it count.
    pub day: String,
    /// Every worker contract that a receipt names, by address.
    pub workers: Vec<WorkerReputation>,
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
/// window, however many receipts there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Days since 1970.
    day: u64,
    workers: BTreeMap<Address, Record>,
}

impl Standing {
    /// For reputations at a time, Unix seconds.
    pub(crate) fn at(time: u32) -> Self {
        Self {
            day: day_of(u64::from(time).saturating_mul(1000)),
            workers: BTreeMap::new(),
        }
    }

    /// Counts a receipt that was accepted.
    pub(crate) fn note(&mut self, statement: &WorkStatement, is_signed: bool) {
        let counts = self.counts(statement);
        let record = self.workers.entry(statement.worker.clone()).or_default();
        if counts {
            record.note(statement, is_signed);
        }
    }

    /// The worker's signature of a receipt that was counted without it.
    pub(crate) fn countersign(&mut self, statement: &WorkStatement) {
        if self.counts(statement)
            && let Some(record) = self.workers.get_mut(&statement.worker)
        {
            record.countersign(statement);
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
        }
    }
}
