//! What challenges say of a worker.

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_receipt::ChallengeResult;
use serde::{Deserialize, Serialize};

/// One owner's workers of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// They get no requests of clients.
    pub(super) is_benched: bool,
    /// Challenges since then in which they answered like others.
    good: u32,
}

impl Standing {
    /// It answered like others.
    pub(super) fn was_good(&mut self, needed: u32) {
        self.good = self.good.saturating_add(1);
        if needed > 0 && self.good >= needed {
            self.is_benched = false;
        }
    }

    /// It answered otherwise than two others who agree.
    pub(super) fn was_odd(&mut self) {
        *self = Self {
            is_benched: true,
            good: 0,
        };
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
pub(super) fn name(owner: &Address, model: &str) -> String {
    format!("{owner} {model}")
}

/// Owner and model of a name.
pub(super) fn parse(name: &str) -> Option<(Address, String)> {
    let (owner, model) = name.split_once(' ')?;
    Some((parse_address(owner).ok()?, model.to_owned()))
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    #[test]
    fn a_benched_worker_comes_back_after_so_many_good_challenges_in_a_row() {
        let mut standing = Standing::default();
        standing.was_odd();
        standing.was_good(2);
        assert!(standing.is_benched);
        standing.was_odd();
        standing.was_good(2);
        assert!(standing.is_benched, "what was good before counts no more");
        standing.was_good(2);
        assert!(!standing.is_benched);
        standing.was_odd();
        (0..100).for_each(|_| standing.was_good(0));
        assert!(standing.is_benched, "only the operator");
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
