//! What challenges may cost in a day.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// Whether the budget begins anew. A clock that steps back over midnight begins no new day; one that was set right by days does.
pub(super) fn is_new_day(kept: u64, day: u64) -> bool {
    day > kept || day.saturating_add(1) < kept
}

/// Tokens that a running challenge may cost; given back when dropped.
pub(super) struct Held<'a> {
    held: &'a AtomicU64,
    tokens: u64,
}

impl<'a> Held<'a> {
    /// Adds so many to what is held.
    pub(super) fn of(held: &'a AtomicU64, tokens: u64) -> Self {
        held.fetch_add(tokens, Ordering::Relaxed);
        Self { held, tokens }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.held.fetch_sub(self.tokens, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_does_not_begin_anew_when_the_clock_steps_back_over_midnight() {
        assert!(is_new_day(5, 6) && !is_new_day(6, 6) && !is_new_day(6, 5));
        assert!(is_new_day(400, 6), "the clock was a year ahead");
    }

    #[test]
    fn what_is_held_is_given_back() {
        let held = AtomicU64::new(0);
        let (one, two) = (Held::of(&held, 3), Held::of(&held, 4));
        assert_eq!(held.load(Ordering::Relaxed), 7);
        drop(one);
        assert_eq!(held.load(Ordering::Relaxed), 4);
        drop(two);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
}
