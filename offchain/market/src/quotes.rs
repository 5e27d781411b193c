//! Firm quotes: slots that are kept for clients for a while, at the price of the moment when they were kept.

use std::collections::HashMap;
use std::hash::Hash;

use crate::limits::{MAX_QUOTES, MAX_QUOTES_PER_CLIENT, QUOTED_SHARE};

/// Name of a quote: random, so that nobody guesses another one's.
pub type QuoteId = [u8; 32];

/// Why no slot is kept for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoQuote {
    /// The client has as many as one may.
    Client {
        /// Until one of them makes room, in whole seconds.
        seconds: u64,
    },
    /// All clients together have as many as there may be.
    All,
}

/// Why a quote cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteFault {
    /// Nobody was given it, another client was, or it ended so long ago that it is forgotten.
    #[error("this quote is not known")]
    Unknown,
    /// It was used before: a quote is for one request.
    #[error("this quote was used before")]
    Used,
    /// Its time is over.
    #[error("this quote has expired")]
    Expired,
    /// The request asks for something else than what was quoted.
    #[error("this quote is for another request: {0}")]
    Other(&'static str),
}

#[derive(Debug)]
enum State<T> {
    Held(T),
    Used,
    Expired,
}

#[derive(Debug)]
struct Entry<C, T> {
    client: C,
    worker: u64,
    /// When it expires.
    until: f64,
    /// When it is forgotten, and, unless its request was paid for, makes room for another one.
    forgotten: f64,
    state: State<T>,
    is_paid: bool,
}

/// All quotes of a proxy. `C` names a client, `T` is what is kept for it. Times are seconds of a clock that does not run
/// backwards.
///
/// A quote that is not paid for takes its place for as long again as it was held, so that a client that asks for quotes and
/// never uses them, or uses them for requests that cost nothing, keeps slots from others for half of the time at most.
#[derive(Debug)]
pub struct Quotes<C, T> {
    entries: HashMap<QuoteId, Entry<C, T>>,
    tally: Tally,
}

/// What came of quotes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// That were given.
    pub given: u64,
    /// That were used.
    pub used: u64,
    /// That expired, or whose worker was lost.
    pub expired: u64,
}

impl<C, T> Default for Quotes<C, T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            tally: Tally::default(),
        }
    }
}

impl<C: Eq + Hash, T> Quotes<C, T> {
    /// Whether a client may have one more.
    pub fn may_hold(&self, client: &C, now: f64) -> Result<(), NoQuote> {
        let of_client = self.entries.values().filter(|entry| entry.client == *client);
        let places: Vec<f64> = of_client
            .filter(|entry| !entry.is_paid)
            .map(|entry| entry.forgotten)
            .collect();
        if places.len() >= MAX_QUOTES_PER_CLIENT {
            let first = places.into_iter().fold(f64::INFINITY, f64::min);
            let seconds = (first - now).max(0.0).ceil() as u64;
            return Err(NoQuote::Client {
                seconds: seconds.max(1),
            });
        }
        let unpaid = self.entries.values().filter(|entry| !entry.is_paid).count();
        if unpaid >= MAX_QUOTES {
            return Err(NoQuote::All);
        }
        Ok(())
    }

    /// Whether one more slot of a worker with so many of them may be kept: at most [`QUOTED_SHARE`] of them are, and one.
    pub fn may_keep_of(&self, worker: u64, slots: u32) -> bool {
        let is_held = |entry: &&Entry<C, T>| entry.worker == worker && matches!(entry.state, State::Held(_));
        let held = self.entries.values().filter(is_held).count();
        held < ((f64::from(slots) * QUOTED_SHARE) as usize).max(1)
    }

    /// Keeps `kept` until a time.
    pub fn hold(&mut self, id: QuoteId, client: C, worker: u64, kept: T, (now, until): (f64, f64)) {
        self.tally.given += 1;
        if self.entries.len() >= 2 * MAX_QUOTES {
            // Only those that were paid for are beyond what may be held: the oldest of them is forgotten.
            let paid = self.entries.iter().filter(|(_, entry)| entry.is_paid);
            let oldest = paid.min_by(|(_, one), (_, other)| one.forgotten.total_cmp(&other.forgotten));
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.entries.remove(&id);
            }
        }
        let entry = Entry {
            client,
            worker,
            until,
            forgotten: until + (until - now).max(0.0),
            state: State::Held(kept),
            is_paid: false,
        };
        self.entries.insert(id, entry);
    }

    /// Takes what was kept, once, if the request fits it. A request that does not fit leaves the quote as it is.
    pub fn redeem(
        &mut self,
        id: &QuoteId,
        client: &C,
        now: f64,
        fits: impl FnOnce(&T) -> Result<(), QuoteFault>,
    ) -> Result<T, QuoteFault> {
        let entry = self.entries.get_mut(id).filter(|entry| entry.client == *client);
        let entry = entry.ok_or(QuoteFault::Unknown)?;
        match &entry.state {
            State::Used => return Err(QuoteFault::Used),
            State::Expired => return Err(QuoteFault::Expired),
            State::Held(_) if now >= entry.until => return Err(QuoteFault::Expired),
            State::Held(kept) => fits(kept)?,
        }
        match std::mem::replace(&mut entry.state, State::Used) {
            State::Held(kept) => {
                self.tally.used += 1;
                Ok(kept)
            }
            // Not reached: it was held a line ago.
            _ => Err(QuoteFault::Used),
        }
    }

    /// The request that used it was paid for: it makes room for another one.
    pub fn paid(&mut self, id: &QuoteId) {
        if let Some(entry) = self.entries.get_mut(id)
            && matches!(entry.state, State::Used)
        {
            entry.is_paid = true;
        }
    }

    /// Ends all of them. Gives back what was kept.
    pub fn end_all(&mut self) -> Vec<T> {
        self.expire(f64::INFINITY)
    }

    /// Ends those whose time is over, and forgets older ones. Gives back what was kept for them.
    pub fn expire(&mut self, now: f64) -> Vec<T> {
        let mut ended = Vec::new();
        for entry in self.entries.values_mut() {
            if now >= entry.until
                && matches!(entry.state, State::Held(_))
                && let State::Held(kept) = std::mem::replace(&mut entry.state, State::Expired)
            {
                self.tally.expired += 1;
                ended.push(kept);
            }
        }
        self.entries.retain(|_, entry| now < entry.forgotten);
        ended
    }

    /// Slots that are kept now.
    pub fn held(&self) -> usize {
        let is_held = |entry: &&Entry<C, T>| matches!(entry.state, State::Held(_));
        self.entries.values().filter(is_held).count()
    }

    /// What came of them so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fit<T>(_: &T) -> Result<(), QuoteFault> {
        Ok(())
    }

    fn id(number: u8) -> QuoteId {
        [number; 32]
    }

    #[test]
    fn a_quote_is_used_once_by_its_client_in_its_time() {
        let mut quotes = Quotes::default();
        quotes.hold(id(1), "a", 7, "slot", (0.0, 10.0));
        assert_eq!(quotes.redeem(&id(2), &"a", 1.0, fit), Err(QuoteFault::Unknown));
        assert_eq!(quotes.redeem(&id(1), &"b", 1.0, fit), Err(QuoteFault::Unknown));
        let other = |_: &&str| Err(QuoteFault::Other("model"));
        assert_eq!(quotes.redeem(&id(1), &"a", 1.0, other), Err(QuoteFault::Other("model")));
        assert_eq!(quotes.redeem(&id(1), &"a", 1.0, fit), Ok("slot"));
        assert_eq!(quotes.redeem(&id(1), &"a", 1.0, fit), Err(QuoteFault::Used));
        quotes.hold(id(3), "a", 7, "late", (0.0, 10.0));
        assert_eq!(quotes.redeem(&id(3), &"a", 10.0, fit), Err(QuoteFault::Expired));
        assert_eq!(quotes.expire(10.0), ["late"]);
        assert_eq!(quotes.redeem(&id(3), &"a", 11.0, fit), Err(QuoteFault::Expired));
        assert!(quotes.expire(20.0).is_empty());
        assert_eq!(quotes.redeem(&id(3), &"a", 20.0, fit), Err(QuoteFault::Unknown));
        let expected = Tally {
            given: 2,
            used: 1,
            expired: 1,
        };
        assert_eq!((quotes.held(), quotes.tally()), (0, expected));
    }

    #[test]
    fn a_client_has_so_many_and_one_that_was_not_used_takes_its_place_as_long_again() {
        let mut quotes = Quotes::default();
        for number in 0..MAX_QUOTES_PER_CLIENT {
            quotes.may_hold(&"a", 0.0).unwrap();
            quotes.hold(id(number as u8), "a", 7, (), (0.0, 10.0));
        }
        assert_eq!(quotes.may_hold(&"a", 0.0), Err(NoQuote::Client { seconds: 20 }));
        assert_eq!(quotes.may_hold(&"b", 0.0), Ok(()));
        quotes.paid(&id(0));
        quotes.redeem(&id(0), &"a", 5.0, fit).unwrap();
        assert!(quotes.may_hold(&"a", 5.0).is_err(), "nothing was paid for it");
        quotes.paid(&id(0));
        assert_eq!(quotes.may_hold(&"a", 5.0), Ok(()));
        quotes.hold(id(99), "a", 7, (), (5.0, 15.0));
        assert_eq!(quotes.expire(19.5).len(), MAX_QUOTES_PER_CLIENT);
        assert_eq!(quotes.may_hold(&"a", 19.5), Err(NoQuote::Client { seconds: 1 }));
        quotes.expire(20.0);
        assert_eq!(quotes.may_hold(&"a", 20.0), Ok(()));
    }

    #[test]
    fn half_of_a_worker_is_left_to_others_and_memory_is_bounded() {
        let mut quotes = Quotes::default();
        for number in 0..4u8 {
            assert!(quotes.may_keep_of(7, 8));
            quotes.hold(id(number), number, 7, (), (0.0, 10.0));
        }
        assert!(!quotes.may_keep_of(7, 8) && quotes.may_keep_of(8, 1));
        for number in 4..MAX_QUOTES as u32 {
            let mut name = [0; 32];
            name[..4].copy_from_slice(&number.to_le_bytes());
            quotes.hold(name, 255, 9, (), (0.0, 10.0));
        }
        assert_eq!(quotes.may_hold(&77, 0.0), Err(NoQuote::All));
    }

    proptest! {
        #[test]
        fn whatever_is_kept_comes_back_exactly_once(
            steps in prop::collection::vec((0u8..12, 0u8..3, 0.0..6.0_f64, any::<bool>()), 1..60),
        ) {
            let mut quotes = Quotes::default();
            let (mut now, mut given, mut back) = (0.0, 0usize, Vec::new());
            for (number, client, pause, is_redeemed) in steps {
                now += pause;
                back.extend(quotes.expire(now));
                if is_redeemed {
                    back.extend(quotes.redeem(&id(number), &client, now, fit));
                } else if quotes.may_hold(&client, now).is_ok() && !quotes.entries.contains_key(&id(number)) {
                    quotes.hold(id(number), client, 1, given, (now, now + 10.0));
                    given += 1;
                }
                prop_assert_eq!(quotes.held() + back.len(), given);
            }
            back.extend(quotes.expire(now + 10.0));
            back.sort_unstable();
            prop_assert_eq!(back, (0..given).collect::<Vec<_>>());
        }
    }
}
