//! What challenges say of a worker.

use std::collections::BTreeSet;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_receipt::ChallengeResult;
use serde::{Deserialize, Serialize};

use crate::limits::{LOST_TO_BENCH, LOST_WINDOW, MAX_LOST, OWNERS_TO_BENCH};

/// The workers of one contract and one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Standing {
    /// They get no requests of clients.
    pub(super) is_benched: bool,
    /// Challenges since then in which they answered like others.
    good: u32,
    /// Challenges in which they were alone, the oldest first.
    lost: Vec<Lost>,
}

/// A challenge in which a worker was alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lost {
    /// When, Unix milliseconds.
    time_ms: u64,
    /// Owners of those who agreed.
    against: Vec<String>,
}

impl Standing {
    /// It answered like others.
    pub(super) fn was_good(&mut self, needed: u32) {
        self.good = self.good.saturating_add(1);
        if self.is_benched && needed > 0 && self.good >= needed {
            *self = Self::default();
        }
    }

    /// It answered otherwise than two others who agree, of these owners. One such answer may be an accident, and two others may be one: it
    /// is benched only when that came again, within a time, and enough owners were against it.
    pub(super) fn was_odd(&mut self, time_ms: u64, against: &[&Address]) {
        self.good = 0;
        self.forget(time_ms);
        if self.lost.len() >= MAX_LOST {
            self.lost.remove(0);
        }
        let against = against.iter().map(|owner| owner.to_string()).collect();
        self.lost.push(Lost { time_ms, against });
        let owners: BTreeSet<&String> = self.lost.iter().flat_map(|lost| &lost.against).collect();
        self.is_benched |= self.lost.len() >= LOST_TO_BENCH && owners.len() >= OWNERS_TO_BENCH;
    }

    /// Forgets what is too long ago; says whether anything is left to remember.
    pub(super) fn forget(&mut self, time_ms: u64) -> bool {
        let window = u64::try_from(LOST_WINDOW.as_millis()).unwrap_or(u64::MAX);
        self.lost.retain(|lost| time_ms.saturating_sub(lost.time_ms) < window);
        self.is_benched || !self.lost.is_empty()
    }
}

/// Who is alone among three, when the first two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    First,
    Second,
    Unknown,
}

/// From the comparison of the third with each of the others.
pub(super) fn odd_one(with_first: ChallengeResult, with_second: ChallengeResult) -> Odd {
    use ChallengeResult::{Different, Equal};
    match (with_first, with_second) {
        (Equal, Different { .. }) => Odd::Second,
        (Different { .. }, Equal) => Odd::First,
        _ => Odd::Unknown,
    }
}

/// The name under which a standing is kept.
pub(super) fn name(contract: &Address, model: &str) -> String {
    format!("{contract} {model}")
}

/// Contract and model of a name.
pub(super) fn parse(name: &str) -> Option<(Address, String)> {
    let (contract, model) = name.split_once(' ')?;
    Some((parse_address(contract).ok()?, model.to_owned()))
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    fn owner(tag: u8) -> Address {
        Address::new(0, HashBytes([tag; 32]))
    }

    fn lost(standing: &mut Standing, time_ms: u64) {
        standing.was_odd(time_ms, &[&owner(1), &owner(2)]);
    }

    #[test]
    fn a_benched_worker_comes_back_after_so_many_good_challenges_in_a_row() {
        let mut standing = Standing::default();
        lost(&mut standing, 1);
        lost(&mut standing, 2);
        standing.was_good(2);
        assert!(standing.is_benched);
        lost(&mut standing, 3);
        standing.was_good(2);
        assert!(standing.is_benched, "what was good before counts no more");
        standing.was_good(2);
        assert_eq!(standing, Standing::default());
        lost(&mut standing, 4);
        lost(&mut standing, 5);
        (0..100).for_each(|_| standing.was_good(0));
        assert!(standing.is_benched, "only the operator");
    }

    #[test]
    fn one_lost_challenge_one_owner_or_one_long_ago_benches_nobody() {
        let mut standing = Standing::default();
        lost(&mut standing, 1);
        assert!(!standing.is_benched, "one may be an accident");
        let window = u64::try_from(LOST_WINDOW.as_millis()).unwrap();
        lost(&mut standing, 1 + window);
        assert!(!standing.is_benched, "the other one is forgotten");
        lost(&mut standing, 2 + window);
        assert!(standing.is_benched);
        let mut standing = Standing::default();
        (0..20).for_each(|time| standing.was_odd(time, &[&owner(1), &owner(1)]));
        assert!(!standing.is_benched, "one owner alone");
        assert_eq!(standing.lost.len(), MAX_LOST);
        assert!(standing.forget(20) && !standing.forget(20 + window));
    }

    #[test]
    fn what_an_earlier_version_kept_is_read() {
        let kept: Standing = serde_json::from_str(r#"{"is_benched":true,"good":3}"#).unwrap();
        assert!(kept.is_benched && kept.lost.is_empty());
    }

    #[test]
    fn two_that_agree_tell_who_is_alone_and_three_opinions_tell_nothing() {
        let (equal, different) = (ChallengeResult::Equal, ChallengeResult::Different { after: 3 });
        assert_eq!(odd_one(equal, different), Odd::Second);
        assert_eq!(odd_one(different, equal), Odd::First);
        for (one, other) in [
            (different, different),
            (equal, equal),
            (ChallengeResult::NotComparable, equal),
            (different, ChallengeResult::NotComparable),
        ] {
            assert_eq!(odd_one(one, other), Odd::Unknown);
        }
    }

    #[test]
    fn names_lead_back_to_owner_and_model() {
        let owner = Address::new(0, HashBytes([7; 32]));
        let found = parse(&name(&owner, "acme/writer")).unwrap();
        assert_eq!(found, (owner, "acme/writer".to_owned()));
        assert_eq!(parse("nothing"), None);
    }
}
