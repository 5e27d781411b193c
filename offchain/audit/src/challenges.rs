//! What a log says of requests that two workers answered (docs/challenges.md).

use std::collections::BTreeMap;

use cocoon_receipt::ChallengeResult;
use cocoon_tlog::Compared;
use serde::Serialize;

/// Records of challenges whose receipts are in the log, of two workers and one model, summed up. They are the proxy's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChallengeTotals {
    /// Both workers gave the same answer.
    pub equal: u64,
    /// They gave two answers.
    pub different: u64,
    /// One of the answers says nothing that can be compared.
    pub not_comparable: u64,
    /// By raw address of a worker's contract: comparisons in which it was one of the two and they differed.
    pub differing_workers: BTreeMap<String, u64>,
}

impl ChallengeTotals {
    pub(crate) fn of(compared: &[Compared]) -> Self {
        let mut totals = Self::default();
        for one in compared {
            let counter = match one.challenge.record.result {
                ChallengeResult::Equal => &mut totals.equal,
                ChallengeResult::NotComparable => &mut totals.not_comparable,
                ChallengeResult::Different { .. } => {
                    for answerer in [&one.first, &one.second] {
                        let count = totals.differing_workers.entry(answerer.worker.to_string()).or_default();
                        *count = count.saturating_add(1);
                    }
                    &mut totals.different
                }
            };
            *counter = counter.saturating_add(1);
        }
        totals
    }
}
