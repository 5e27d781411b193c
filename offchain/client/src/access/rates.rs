//! How fast a key may ask: requests and tokens of a minute, and requests at once. No clock: the time is given.

/// Milliseconds of the window.
const MINUTE_MS: u64 = 60_000;

/// A bucket that holds what may be taken in a minute and fills evenly. In units times milliseconds, so that nothing is rounded.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// What was taken and has not come back.
    taken: u128,
    /// When that was so, milliseconds.
    at: u64,
}

impl Bucket {
    /// Lets time pass. A clock that goes back brings nothing.
    fn fill(&mut self, per_minute: u64, now: u64) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let back = u128::from(passed).saturating_mul(u128::from(per_minute));
        self.taken = self.taken.saturating_sub(back);
    }

    /// Milliseconds until `units` may be taken; 0: now. `None`: they are more than a minute has.
    fn wait(&mut self, per_minute: u64, units: u64, now: u64) -> Option<u64> {
        if units > per_minute {
            return None;
        }
        self.fill(per_minute, now);
        let most = u128::from(per_minute) * u128::from(MINUTE_MS);
        let over = (self.taken + u128::from(units) * u128::from(MINUTE_MS)).saturating_sub(most);
        u64::try_from(over.div_ceil(u128::from(per_minute.max(1)))).ok()
    }

    fn take(&mut self, units: u64) {
        self.taken = self.taken.saturating_add(u128::from(units) * u128::from(MINUTE_MS));
    }

    fn give_back(&mut self, units: u64) {
        self.taken = self.taken.saturating_sub(u128::from(units) * u128::from(MINUTE_MS));
    }
}

/// Why not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    /// In so many milliseconds.
    Wait(u64),
    /// Never: one request asks for more than a minute has.
    Never,
}

/// What one key has used of its rates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    requests: Bucket,
    tokens: Bucket,
    running: u32,
}

impl Rates {
    /// Takes one request of the minute's.
    pub(crate) fn request(&mut self, per_minute: Option<u64>, now: u64) -> Result<(), Busy> {
        take(&mut self.requests, per_minute, 1, now)
    }

    /// Takes tokens of the minute's.
    pub(crate) fn tokens(&mut self, per_minute: Option<u64>, tokens: u64, now: u64) -> Result<(), Busy> {
        take(&mut self.tokens, per_minute, tokens, now)
    }

    /// Gives back tokens that were not used after all.
    pub(crate) fn unused(&mut self, tokens: u64) {
        self.tokens.give_back(tokens);
    }

    /// Takes a place among the requests at once; says whether there was one.
    pub(crate) fn begin(&mut self, most: Option<u32>) -> bool {
        let has_place = most.is_none_or(|most| self.running < most);
        self.running = self.running.saturating_add(u32::from(has_place));
        has_place
    }

    /// Gives a place back.
    pub(crate) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }
}

fn take(bucket: &mut Bucket, per_minute: Option<u64>, units: u64, now: u64) -> Result<(), Busy> {
    let Some(per_minute) = per_minute else {
        return Ok(());
    };
    match bucket.wait(per_minute, units, now) {
        None => Err(Busy::Never),
        Some(0) => {
            bucket.take(units);
            Ok(())
        }
        Some(wait) => Err(Busy::Wait(wait)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minute_has_so_many_requests_and_the_next_one_waits() {
        let mut rates = Rates::default();
        for _ in 0..3 {
            assert_eq!(rates.request(Some(3), 5_000), Ok(()));
        }
        assert_eq!(rates.request(Some(3), 5_000), Err(Busy::Wait(20_000)));
        assert_eq!(rates.request(Some(3), 24_999), Err(Busy::Wait(1)));
        assert_eq!(rates.request(Some(3), 25_000), Ok(()));
        assert_eq!(rates.request(None, 25_000), Ok(()));
        assert_eq!(rates.request(Some(0), 25_000), Err(Busy::Never));
    }

    #[test]
    fn tokens_that_were_not_used_come_back() {
        let mut rates = Rates::default();
        assert_eq!(rates.tokens(Some(100), 101, 0), Err(Busy::Never));
        assert_eq!(rates.tokens(Some(100), 100, 0), Ok(()));
        assert!(rates.tokens(Some(100), 1, 0).is_err());
        rates.unused(40);
        assert_eq!(rates.tokens(Some(100), 40, 0), Ok(()));
    }

    #[test]
    fn places_are_given_back() {
        let mut rates = Rates::default();
        assert!(rates.begin(Some(1)) && !rates.begin(Some(1)) && rates.begin(None));
        rates.end();
        rates.end();
        assert!(rates.begin(Some(1)));
    }

    proptest! {
        /// In no minute more is taken than the bucket had at its begin and what came in meanwhile.
        #[test]
        fn no_minute_has_more_than_twice_its_rate(
            per_minute in 1u64..1000, asks in prop::collection::vec((1u64..1000, 0u64..30_000), 1..200)
        ) {
            let mut rates = Rates::default();
            let (mut now, mut taken) = (0, Vec::new());
            for (units, pause) in asks {
                now += pause;
                if rates.tokens(Some(per_minute), units, now).is_ok() {
                    taken.push((now, units));
                }
                let in_minute: u64 = taken.iter().filter(|(at, _)| now - at < MINUTE_MS).map(|(_, units)| units).sum();
                prop_assert!(in_minute <= 2 * per_minute, "{in_minute} of {per_minute}");
            }
        }

        #[test]
        fn whoever_waits_as_told_is_served(per_minute in 1u64..1000, units in 1u64..1000, begun in 0u64..1_000_000) {
            let mut rates = Rates::default();
            let units = units.min(per_minute);
            prop_assert_eq!(rates.tokens(Some(per_minute), per_minute, begun), Ok(()));
            let Err(Busy::Wait(wait)) = rates.tokens(Some(per_minute), units, begun) else {
                return Err(TestCaseError::fail("nothing was left"));
            };
            prop_assert_eq!(rates.tokens(Some(per_minute), units, begun + wait), Ok(()));
        }
    }
}
