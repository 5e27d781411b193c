//! Which families are fetched, and when next. Without a clock: times are arguments, in Unix seconds.

use std::collections::BTreeMap;

use cocoon_attest::PlatformFamily;

use crate::RunnerError;
use crate::backoff::Backoff;
use crate::limits::{
    COLLATERAL_REFRESH_SECONDS, COLLATERAL_RETRY, COLLATERAL_RETRY_CEILING, MAX_COLLATERAL_FAMILIES,
    MIN_COLLATERAL_REFRESH_SECONDS,
};

struct Entry {
    is_configured: bool,
    is_known: bool,
    next_at: u64,
    backoff: Backoff,
}

impl Entry {
    fn due(is_configured: bool, now: u64) -> Self {
        Self {
            is_configured,
            is_known: false,
            next_at: now,
            backoff: Backoff::new(COLLATERAL_RETRY, COLLATERAL_RETRY_CEILING),
        }
    }
}

/// The families, at most [`MAX_COLLATERAL_FAMILIES`].
pub(super) struct Schedule(BTreeMap<PlatformFamily, Entry>);

impl Schedule {
    /// The families of the configuration are due at once.
    pub(super) fn new(configured: &[PlatformFamily], now: u64) -> Result<Self, RunnerError> {
        let entries: BTreeMap<_, _> = configured
            .iter()
            .map(|family| (*family, Entry::due(true, now)))
            .collect();
        if entries.len() > MAX_COLLATERAL_FAMILIES {
            return Err(RunnerError::ConfigValue {
                key: "attestation.collateral_service.fmspc".to_owned(),
                problem: format!("more than {MAX_COLLATERAL_FAMILIES} families"),
            });
        }
        Ok(Self(entries))
    }

    /// Adds a family that a peer showed; whether it is there now. When full, one that a peer showed and nobody could give
    /// makes room: the one that would be asked for last.
    pub(super) fn want(&mut self, family: PlatformFamily, now: u64) -> bool {
        if self.0.contains_key(&family) {
            return true;
        }
        if self.0.len() >= MAX_COLLATERAL_FAMILIES {
            let unknown = self
                .0
                .iter()
                .filter(|(_, entry)| !entry.is_configured && !entry.is_known);
            let Some(last) = unknown
                .max_by_key(|(_, entry)| entry.next_at)
                .map(|(family, _)| *family)
            else {
                return false;
            };
            self.0.remove(&last);
        }
        self.0.insert(family, Entry::due(false, now));
        true
    }

    /// A family to fetch now: those of the configuration and those that are known come before what strangers showed.
    pub(super) fn due(&self, now: u64) -> Option<PlatformFamily> {
        let due = self.0.iter().filter(|(_, entry)| entry.next_at <= now);
        due.min_by_key(|(_, entry)| (!entry.is_configured, !entry.is_known, entry.next_at))
            .map(|(family, _)| *family)
    }

    /// A document that holds in `window`, whose end is excluded, was fetched at `at`.
    pub(super) fn succeeded(&mut self, family: &PlatformFamily, window: (u64, u64), at: u64) {
        if let Some(entry) = self.0.get_mut(family) {
            entry.is_known = true;
            entry.next_at = refresh_at(window, at);
            entry.backoff.reset();
        }
    }

    /// Nothing was fetched; the seconds until the next attempt. `random` is as [`Backoff::step`] wants it.
    pub(super) fn failed(&mut self, family: &PlatformFamily, now: u64, random: u32) -> u64 {
        let Some(entry) = self.0.get_mut(family) else { return 0 };
        let wait = entry.backoff.step(random).as_secs().max(1);
        entry.next_at = now.saturating_add(wait);
        wait
    }
}

/// At two thirds of the validity and at least daily, but not again at once when the service has nothing newer; yet when
/// the document ends before that, with its end, so that there is no gap behind it.
fn refresh_at((not_before, not_after): (u64, u64), at: u64) -> u64 {
    let two_thirds = not_before.saturating_add(not_after.saturating_sub(not_before) / 3 * 2);
    let end = not_after.max(at.saturating_add(COLLATERAL_RETRY.as_secs()));
    two_thirds
        .min(at.saturating_add(COLLATERAL_REFRESH_SECONDS))
        .max(at.saturating_add(MIN_COLLATERAL_REFRESH_SECONDS))
        .min(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;
    const DAY: u64 = 86_400;

    fn family(number: u8) -> PlatformFamily {
        format!("0000000000{number:02x}").parse().unwrap()
    }

    #[test]
    fn collateral_is_renewed_daily_and_at_two_thirds_of_a_short_life() {
        let month = (NOW, NOW + 30 * DAY);
        assert_eq!(refresh_at(month, NOW), NOW + DAY);
        assert_eq!(refresh_at((NOW, NOW + 9 * 3600), NOW), NOW + 6 * 3600);
        // Past two thirds and nothing newer: not in a loop.
        assert_eq!(refresh_at(month, NOW + 29 * DAY), NOW + 29 * DAY + 3600);
    }

    #[test]
    fn collateral_that_ends_within_the_hour_is_fetched_again_when_it_ends() {
        let month = (NOW, NOW + 30 * DAY);
        assert_eq!(refresh_at(month, NOW + 30 * DAY - 600), NOW + 30 * DAY);
        // At its end and behind it: soon, and not in a loop.
        for at in [NOW + 30 * DAY - 5, NOW + 30 * DAY, NOW + 31 * DAY] {
            assert_eq!(refresh_at(month, at), at + 60);
        }
    }

    #[test]
    fn a_failing_family_waits_longer_each_time_up_to_an_hour() {
        let mut schedule = Schedule::new(&[family(1)], NOW).unwrap();
        let waits: Vec<u64> = (0..8).map(|_| schedule.failed(&family(1), NOW, 0)).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(schedule.due(NOW + 3599), None);
        assert_eq!(schedule.due(NOW + 3600), Some(family(1)));
        schedule.succeeded(&family(1), (NOW, NOW + 30 * DAY), NOW);
        assert_eq!(schedule.failed(&family(1), NOW, 0), 60);
    }

    #[test]
    fn what_strangers_show_takes_no_place_of_what_is_configured_or_known() {
        let mut schedule = Schedule::new(&[family(255)], NOW).unwrap();
        assert!(schedule.want(family(254), NOW));
        schedule.succeeded(&family(254), (NOW, NOW + DAY), NOW - DAY);
        for number in 0..200 {
            assert!(schedule.want(family(number), NOW));
            assert!(schedule.0.len() <= MAX_COLLATERAL_FAMILIES);
        }
        assert_eq!(schedule.due(NOW), Some(family(255)), "what is configured comes first");
        schedule.failed(&family(255), NOW, 0);
        assert_eq!(schedule.due(NOW), Some(family(254)), "then what is known");
    }

    #[test]
    fn when_all_places_are_known_a_stranger_waits() {
        let mut schedule = Schedule::new(&[], NOW).unwrap();
        for number in 0..MAX_COLLATERAL_FAMILIES as u8 {
            schedule.want(family(number), NOW);
            schedule.succeeded(&family(number), (NOW, NOW + DAY), NOW);
        }
        assert!(!schedule.want(family(200), NOW));
        assert_eq!(schedule.due(NOW), None);
    }
}
