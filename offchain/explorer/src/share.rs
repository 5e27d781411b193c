//! Places of a bounded table, dealt out evenly among the logs.

use std::collections::BTreeMap;

/// How many places of a table each log took: none takes those of the others, whatever it names.
#[derive(Debug, Default)]
pub(crate) struct Shares(BTreeMap<usize, usize>);

/// Who asks for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfLog {
    /// The log, by its place among those that are read.
    pub(crate) log: usize,
    /// How many there are.
    pub(crate) logs: usize,
}

impl Shares {
    /// Takes so many of all `places`, if the share of the log is not used up yet. The last time may take more than is left.
    pub(crate) fn take(&mut self, of: OfLog, count: usize, places: usize) -> bool {
        let taken = self.0.entry(of.log).or_default();
        let has_left = *taken < places / of.logs.max(1);
        if has_left {
            *taken = taken.saturating_add(count);
        }
        has_left
    }

    /// Takes back what a log no longer has.
    pub(crate) fn give_back(&mut self, log: usize, count: usize) {
        let taken = self.0.entry(log).or_default();
        *taken = taken.saturating_sub(count);
    }

    /// Notes what a log has, whether its share is enough for it or not.
    pub(crate) fn note(&mut self, log: usize, count: usize) {
        let taken = self.0.entry(log).or_default();
        *taken = taken.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_gets_its_share_and_no_more() {
        let mut shares = Shares::default();
        let of = |log| OfLog { log, logs: 3 };
        let taken = |shares: &mut Shares, log| (0..100).filter(|_| shares.take(of(log), 1, 10)).count();
        assert_eq!((taken(&mut shares, 0), taken(&mut shares, 2)), (3, 3));
        assert!(!shares.take(of(0), 1, 10));
        assert!(shares.take(of(1), 1, 10));
        assert!(!Shares::default().take(OfLog { log: 0, logs: 11 }, 1, 10));
    }
}
