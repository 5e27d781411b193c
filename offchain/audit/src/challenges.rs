//! What a log says of requests that two workers answered (docs/challenges.md).

use std::collections::BTreeMap;

use cocoon_receipt::ChallengeResult;
use cocoon_tlog::Comparisons;
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
    /// Records that say nothing, and are no finding: of one worker, of two models, or of receipts that are not in the log.
    pub left_out: u64,
    /// Records that are too old to be looked at; see `cocoon_tlog::limits::READ_CHALLENGE_FILES`.
    pub older: u64,
    /// By raw address of a worker's contract: comparisons in which it was one of the two and they differed.
    pub differing_workers: BTreeMap<String, u64>,
}

impl ChallengeTotals {
    pub(crate) fn of(found: &Comparisons) -> Self {
        let mut totals = Self {
            left_out: found.void.saturating_add(found.unknown),
            older: found.older,
            ..Self::default()
        };
        for one in &found.compared {
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
