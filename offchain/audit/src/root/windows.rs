//! When something was listed.

use crate::limits::{CLOCK_SKEW_SECONDS, LISTING_GRACE_SECONDS};
use cocoon_bindings::TrustTimes;
use cocoon_bindings::ton::HashBytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Images that may run a proxy.
    ProxyImage,
    /// Images that may run a worker.
    WorkerImage,
    /// Models that may be served.
    Model,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProxyImage | Self::WorkerImage => "image",
            Self::Model => "model",
        })
    }
}

/// A time in which something was listed and trusted, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Window {
    /// The first second.
    pub from: u32,
    /// The last second; none while it lasts.
    pub until: Option<u32>,
}

impl Window {
    /// Whether a receipt of this moment (Unix milliseconds) may rely on it: clocks differ, and a proxy learns late.
    pub fn covers(&self, time_ms: u64) -> bool {
        let time = time_ms / 1000;
        let ended = self
            .until
            .is_some_and(|until| time > u64::from(until).saturating_add(LISTING_GRACE_SECONDS));
        time.saturating_add(CLOCK_SKEW_SECONDS) >= u64::from(self.from) && !ended
    }
}

/// Why something may not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotListed {
    /// It never was listed.
    Never,
    /// It was, but not at that time; the nearest window.
    NotThen(Window),
}

impl fmt::Display for NotListed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("which the root contract never listed"),
            Self::NotThen(Window { from, until: None }) => {
                write!(f, "which the root contract listed only from {from} on")
            }
            Self::NotThen(Window {
                from,
                until: Some(until),
            }) => write!(f, "which the root contract listed only from {from} to {until}"),
        }
    }
}

/// What was listed when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listings {
    windows: BTreeMap<(Listed, HashBytes), Vec<Window>>,
    /// Whether a model was ever listed.
    has_models: bool,
}

impl Listings {
    /// Whether something was listed at a time, Unix milliseconds. A network that never listed a model restricts none.
    pub fn check(&self, list: Listed, hash: &HashBytes, time_ms: u64) -> Result<(), NotListed> {
        self.window(list, hash, time_ms).map(drop)
    }

    /// The same, with the window that covers the time; none where a network restricts nothing.
    pub fn window(&self, list: Listed, hash: &HashBytes, time_ms: u64) -> Result<Option<Window>, NotListed> {
        let Some(windows) = self.windows.get(&(list, *hash)) else {
            let restricts = list != Listed::Model || self.has_models;
            return if restricts { Err(NotListed::Never) } else { Ok(None) };
        };
        if let Some(window) = windows.iter().find(|window| window.covers(time_ms)) {
            return Ok(Some(*window));
        }
        let begun = windows
            .iter()
            .rev()
            .find(|window| u64::from(window.from) <= time_ms / 1000);
        Err(begun
            .or(windows.first())
            .map_or(NotListed::Never, |window| NotListed::NotThen(*window)))
    }

    /// All of it, by list, hash and time.
    pub fn iter(&self) -> impl Iterator<Item = (Listed, HashBytes, Window)> {
        let each = |(key, windows): (&(Listed, HashBytes), &Vec<Window>)| {
            let (list, hash) = *key;
            windows
                .iter()
                .map(move |window| (list, hash, *window))
                .collect::<Vec<_>>()
        };
        self.windows.iter().flat_map(each)
    }

    /// Adds a time in which something was on its list, with the limits that its entry had. What follows at once is one
    /// window with what was before.
    pub(super) fn add(&mut self, list: Listed, hash: HashBytes, window: Window, times: TrustTimes) {
        let from = window.from.max(times.not_before);
        let retired = Some(times.retire_after).filter(|time| *time != 0);
        let until = match (window.until, retired) {
            (Some(until), Some(retired)) => Some(until.min(retired)),
            (until, retired) => until.or(retired),
        };
        if until.is_some_and(|until| until < from) {
            return;
        }
        self.has_models |= list == Listed::Model;
        let windows = self.windows.entry((list, hash)).or_default();
        match windows.last_mut() {
            Some(last) if last.until.is_some_and(|until| until >= from) => last.until = until,
            _ => windows.push(Window { from, until }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: HashBytes = HashBytes([1; 32]);
    const HOUR: u64 = LISTING_GRACE_SECONDS;

    fn listed(windows: &[(u32, Option<u32>, TrustTimes)]) -> Listings {
        let mut listings = Listings::default();
        for (from, until, times) in windows {
            let window = Window {
                from: *from,
                until: *until,
            };
            listings.add(Listed::WorkerImage, HASH, window, *times);
        }
        listings
    }

    fn at(listings: &Listings, seconds: u64) -> Result<(), NotListed> {
        listings.check(Listed::WorkerImage, &HASH, seconds * 1000)
    }

    #[test]
    fn a_hash_counts_from_its_listing_to_the_grace_after_its_end() {
        let listings = listed(&[(100_000, Some(200_000), TrustTimes::default())]);
        assert_eq!(at(&listings, 100_000 - CLOCK_SKEW_SECONDS), Ok(()));
        assert_eq!(at(&listings, 200_000 + HOUR), Ok(()));
        let window = Window {
            from: 100_000,
            until: Some(200_000),
        };
        assert_eq!(
            at(&listings, 99_999 - CLOCK_SKEW_SECONDS),
            Err(NotListed::NotThen(window))
        );
        assert_eq!(at(&listings, 200_001 + HOUR), Err(NotListed::NotThen(window)));
    }

    #[test]
    fn a_hash_that_comes_back_has_two_windows_and_one_whose_entry_changes_has_one() {
        let none = TrustTimes::default();
        let twice = listed(&[(100_000, Some(200_000), none), (300_000, None, none)]);
        assert!(at(&twice, 250_000).is_err() && at(&twice, 300_000).is_ok() && at(&twice, 900_000).is_ok());
        assert_eq!(twice.iter().count(), 2);
        let changed = listed(&[(100_000, Some(200_000), none), (200_000, None, none)]);
        assert_eq!(changed.iter().count(), 1);
    }

    #[test]
    fn the_times_of_an_entry_limit_its_window() {
        let times = TrustTimes {
            not_before: 150_000,
            retire_after: 180_000,
        };
        let listings = listed(&[(100_000, None, times)]);
        assert!(at(&listings, 140_000).is_err() && at(&listings, 160_000).is_ok());
        assert!(at(&listings, 180_001 + HOUR).is_err());
        let never = TrustTimes {
            not_before: 300_000,
            retire_after: 0,
        };
        assert_eq!(listed(&[(100_000, Some(200_000), never)]).iter().count(), 0);
    }

    #[test]
    fn a_network_that_never_listed_a_model_restricts_none() {
        let mut listings = listed(&[(100_000, None, TrustTimes::default())]);
        assert_eq!(listings.check(Listed::Model, &HASH, 100_000_000), Ok(()));
        let window = Window {
            from: 100_000,
            until: None,
        };
        listings.add(Listed::Model, HashBytes([2; 32]), window, TrustTimes::default());
        assert_eq!(listings.check(Listed::Model, &HASH, 100_000_000), Err(NotListed::Never));
        assert_eq!(
            listings.check(Listed::ProxyImage, &HASH, 100_000_000),
            Err(NotListed::Never)
        );
    }
}
