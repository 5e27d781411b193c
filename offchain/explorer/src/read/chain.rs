//! What the chain costs: how long its answers took, whether it wants to be left alone, and how long to rest after a look.

use std::time::Duration;

use cocoon_chain::ChainError;
use cocoon_owner::OwnerError;

use crate::limits::{MAX_REST, REST_FACTOR};

/// Why the chain was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoChain {
    /// In words.
    pub(super) problem: String,
    /// Whether its servers take no more questions for now.
    is_limited: bool,
}

impl From<ChainError> for NoChain {
    fn from(error: ChainError) -> Self {
        Self {
            problem: format!("{error} ({})", error.hint()),
            is_limited: is_limited(&error),
        }
    }
}

impl From<OwnerError> for NoChain {
    fn from(error: OwnerError) -> Self {
        Self {
            problem: format!("{error} ({})", error.hint()),
            is_limited: matches!(&error, OwnerError::Chain(error) if is_limited(error)),
        }
    }
}

impl From<String> for NoChain {
    fn from(problem: String) -> Self {
        Self {
            problem,
            is_limited: false,
        }
    }
}

/// Whether servers want to be left alone.
pub(super) fn is_limited(error: &ChainError) -> bool {
    matches!(error, ChainError::RateLimited { .. } | ChainError::NoServer { .. })
}

/// What one look cost the chain.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// How long its answers took, all together.
    pub(crate) took: Duration,
    /// Whether it took no more questions.
    pub(crate) is_limited: bool,
}

impl Cost {
    /// Notes that the chain was not read.
    pub(super) fn note(&mut self, refused: &NoChain) {
        self.is_limited |= refused.is_limited;
    }
}

/// How long to rest between looks.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    /// Looks in a row that a server refused.
    refused: u32,
}

impl Pace {
    /// No less than this.
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, refused: 0 }
    }

    /// After a look: longer the longer the chain's answers took, and twice as long each time that it takes no more questions.
    pub(crate) fn after(&mut self, cost: Cost) -> Duration {
        self.refused = if cost.is_limited {
            self.refused.saturating_add(1)
        } else {
            0
        };
        let refused = 1_u32.checked_shl(self.refused).unwrap_or(u32::MAX);
        let rest = cost.took.saturating_mul(REST_FACTOR);
        let rest = rest.max(self.every.saturating_mul(refused));
        rest.min(MAX_REST).max(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    fn cost(seconds: u64, is_limited: bool) -> Cost {
        Cost {
            took: Duration::from_secs(seconds),
            is_limited,
        }
    }

    #[test]
    fn a_quick_chain_is_looked_at_as_often_as_was_asked_and_a_slow_one_less_often() {
        let mut pace = Pace::new(EVERY);
        assert_eq!(pace.after(cost(0, false)), EVERY);
        assert_eq!(pace.after(cost(1, false)), EVERY);
        assert_eq!(pace.after(cost(10, false)), Duration::from_secs(40));
        assert_eq!(pace.after(cost(1_000_000, false)), MAX_REST);
        let mut slow = Pace::new(Duration::from_secs(3_600));
        assert_eq!(
            slow.after(cost(1_000, true)),
            Duration::from_secs(3_600),
            "never less than was asked"
        );
    }

    #[test]
    fn a_server_that_refuses_is_left_alone_for_longer_and_longer_until_it_answers() {
        let mut pace = Pace::new(EVERY);
        let rests: Vec<u64> = (0..6).map(|_| pace.after(cost(0, true)).as_secs()).collect();
        assert_eq!(rests, [10, 20, 40, 80, 120, 120]);
        for _ in 0..100 {
            assert_eq!(pace.after(cost(0, true)), MAX_REST);
        }
        assert_eq!(pace.after(cost(0, false)), EVERY);
    }

    #[test]
    fn only_a_server_that_takes_no_more_questions_is_left_alone() {
        let limited = || ChainError::RateLimited {
            method: "m",
            retry_after: None,
        };
        let lost = || ChainError::Unreachable {
            url: "u".to_owned(),
            reason: "r".to_owned(),
        };
        assert!(NoChain::from(limited()).is_limited && NoChain::from(OwnerError::Chain(limited())).is_limited);
        assert!(!NoChain::from(lost()).is_limited && !NoChain::from(OwnerError::Chain(lost())).is_limited);
    }
}
