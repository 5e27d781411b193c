//! What the contract at a proxy still covers, by what chain and proxy count and what is held.

use std::collections::{BTreeMap, VecDeque};

use super::{Attempt, Used};
use crate::limits::MAX_TOLD_ENDS;

/// The account of one channel: our contract at one proxy. In adjusted tokens, ever.
///
/// A proxy's word of what an answer used comes beside its count, which may have the answer already or not. So that nothing is taken
/// for covered that is used, the word counts beside the count until a count comes that was asked for after the answer had ended; and
/// so that it does not count twice for good, no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelAccount {
    /// What balance and stake cover, used tokens included; `None`: not known, so nothing is refused.
    pub cover: Option<u64>,
    /// What was used, by the highest count of chain, proxy and receipts.
    counted: u64,
    /// When answers ended that the count may lack, and what they used by the proxy's word.
    told: VecDeque<(u64, u64)>,
    holds: BTreeMap<Attempt, u64>,
}

impl ChannelAccount {
    /// What was used, at most.
    pub fn used(&self) -> u64 {
        let told = self.told.iter();
        told.fold(self.counted, |sum, (_, tokens)| sum.saturating_add(*tokens))
    }

    /// Adjusted tokens that may still be held; `None`: not known.
    pub fn left(&self) -> Option<u64> {
        let held = self
            .holds
            .values()
            .fold(0_u64, |sum, tokens| sum.saturating_add(*tokens));
        self.cover
            .map(|cover| cover.saturating_sub(self.used()).saturating_sub(held))
    }

    /// Whether an attempt runs, or waits for its receipt.
    pub(super) fn has(&self, attempt: &Attempt) -> bool {
        self.holds.contains_key(attempt)
    }

    /// Takes a count, which only grows, and when it was asked for, if it was.
    pub(super) fn see(&mut self, cover: Option<u64>, counted: u64, asked: Option<u64>) {
        self.cover = cover;
        self.counted = self.counted.max(counted);
        if let Some(asked) = asked {
            self.told.retain(|(ended, _)| *ended >= asked);
        }
    }

    pub(super) fn hold(&mut self, attempt: Attempt, tokens: u64) {
        self.holds.insert(attempt, tokens);
    }

    pub(super) fn shrink(&mut self, attempt: &Attempt, tokens: u64) {
        if let Some(held) = self.holds.get_mut(attempt) {
            *held = (*held).min(tokens);
        }
    }

    /// Ends a hold with what it used, at a time.
    pub(super) fn settle(&mut self, attempt: &Attempt, used: Used, now: u64) {
        let Some(held) = self.holds.remove(attempt) else { return };
        match used {
            Used::Receipt { total, .. } => self.counted = self.counted.max(total),
            // A worker may say any number; nobody is charged beyond the reservation, which is not more than what is held.
            Used::Told(tokens) => self.tell(now, tokens.min(held)),
        }
    }

    fn tell(&mut self, now: u64, tokens: u64) {
        self.told.push_back((now, tokens));
        if self.told.len() > MAX_TOLD_ENDS
            && let Some((_, oldest)) = self.told.pop_front()
            && let Some((_, next)) = self.told.front_mut()
        {
            *next = next.saturating_add(oldest);
        }
    }

    /// Ends a hold of which nothing is known here.
    pub(super) fn forget(&mut self, attempt: &Attempt) {
        self.holds.remove(attempt);
    }
}
