//! What was seen of the chain already, so that no server turns it back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cocoon_bindings::ton::Address;
use tokio::time::Instant;

use crate::ChainError;
use crate::client::{AccountState, Transaction};
use crate::limits::{MAX_AHEAD, MAX_BEHIND, MAX_SEEN_ACCOUNTS, SEEN_FOR};

/// The newest that any server told. What a single server said and nobody confirms is forgotten after [`SEEN_FOR`]: one that
/// lies about the future does not keep the others out for ever.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The newest time that can be.
    newest: u32,
    accounts: BTreeMap<Address, Sighting>,
    /// Accounts by when they were first seen, to forget the oldest.
    order: VecDeque<Address>,
}

#[derive(Debug, Clone, Copy)]
struct Sighting {
    lt: u64,
    /// The chain's time of the answer.
    time: u32,
    at: Instant,
}

impl Seen {
    /// The newest time of the chain that any server told.
    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    /// Takes note of a server's time. One that is far ahead of this machine's clock (seconds since 1970) does not count.
    pub(super) fn note_time(&mut self, time: u32, clock: u32) {
        if is_possible(time, clock) {
            self.newest = self.newest.max(time);
        }
    }

    /// Whether a time is too far behind.
    pub(super) fn is_behind(&self, time: u32) -> bool {
        time.saturating_add(seconds(MAX_BEHIND)) < self.newest
    }

    /// An account's state may not be older than what was seen of the account or, much, of the chain.
    pub(super) fn check_account(&mut self, account: &AccountState, clock: u32, now: Instant) -> Result<(), ChainError> {
        if self.is_behind(account.time) {
            return Err(stale(format!(
                "its time is {}, another's was {}",
                account.time, self.newest
            )));
        }
        self.check_lt(&account.address, account.last.map(|last| last.lt), account.time, now)?;
        self.note_time(account.time, clock);
        Ok(())
    }

    /// The newest transaction of a history may not be older than the last one seen.
    pub(super) fn check_history(
        &mut self,
        address: &Address,
        newest: Option<&Transaction>,
        now: Instant,
    ) -> Result<(), ChainError> {
        match newest {
            Some(transaction) => self.check_lt(address, Some(transaction.lt), transaction.now, now),
            // An account that was deleted keeps its history: none is older than any.
            None => self.check_lt(address, None, 0, now),
        }
    }

    /// The state that a get method ran on may not be older than what was seen of the account.
    pub(super) fn check_getter(&mut self, address: &Address, lt: u64, now: Instant) -> Result<(), ChainError> {
        self.check_lt(address, Some(lt), 0, now)
    }

    fn check_lt(&mut self, address: &Address, lt: Option<u64>, time: u32, now: Instant) -> Result<(), ChainError> {
        let known = self.accounts.get_mut(address);
        let known = known.filter(|known| now.saturating_duration_since(known.at) < SEEN_FOR);
        match (known, lt) {
            (Some(known), Some(lt)) if lt < known.lt => Err(stale(format!(
                "the last transaction of {address} is at {lt}, another was seen at {}",
                known.lt
            ))),
            // It may have been deleted since, but not before it was seen.
            (Some(known), None) if time < known.time || time == 0 => Err(stale(format!(
                "it knows no transaction of {address}, one was seen at {}",
                known.lt
            ))),
            (Some(known), Some(lt)) => {
                *known = Sighting {
                    lt,
                    time: known.time.max(time),
                    at: now,
                };
                Ok(())
            }
            (Some(_), None) | (None, None) => Ok(()),
            (None, Some(lt)) => {
                self.remember(address, Sighting { lt, time, at: now });
                Ok(())
            }
        }
    }

    fn remember(&mut self, address: &Address, sighting: Sighting) {
        if self.accounts.insert(address.clone(), sighting).is_none() {
            self.order.push_back(address.clone());
        }
        if self.order.len() > MAX_SEEN_ACCOUNTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.accounts.remove(&oldest);
        }
    }
}

/// Whether a chain can be at a time, by this machine's clock.
pub(super) fn is_possible(time: u32, clock: u32) -> bool {
    time <= clock.saturating_add(seconds(MAX_AHEAD))
}

fn stale(reason: String) -> ChainError {
    ChainError::Stale { reason }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::TransactionId;
    use cocoon_bindings::ton::HashBytes;
    use cocoon_bindings::units::Nanoton;
    use cocoon_emulator::AccountStatus;

    const CLOCK: u32 = 1_800_000_000;

    fn state(lt: u64, time: u32) -> AccountState {
        AccountState {
            address: Address::new(0, HashBytes([1; 32])),
            balance: Nanoton::ZERO,
            status: AccountStatus::Active,
            code: None,
            data: None,
            last: (lt != 0).then_some(TransactionId {
                lt,
                hash: HashBytes::ZERO,
            }),
            time,
        }
    }

    #[test]
    fn an_account_never_goes_back() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        for (lt, time, fine) in [
            (10, CLOCK, true),
            (10, CLOCK - 5, true),
            (9, CLOCK + 1, false),
            (12, CLOCK, true),
            (0, CLOCK - 1, false),
            (0, CLOCK + 1, true),
            (20, CLOCK - seconds(MAX_BEHIND) - 10, false),
        ] {
            let verdict = seen.check_account(&state(lt, time), CLOCK, now);
            assert_eq!(verdict.is_ok(), fine, "{lt} at {time}: {verdict:?}");
        }
        let address = state(1, 1).address;
        assert!(seen.check_history(&address, None, now).is_err());
        assert!(seen.check_getter(&address, 11, now).is_err());
        assert!(seen.check_getter(&address, 12, now).is_ok());
    }

    #[test]
    fn a_server_from_the_future_does_not_keep_the_others_out() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        seen.note_time(u32::MAX, CLOCK);
        assert!(!seen.is_behind(CLOCK));
        seen.check_account(&state(u64::MAX, CLOCK), CLOCK, now).unwrap();
        assert!(seen.check_account(&state(10, CLOCK), CLOCK, now).is_err());
        assert!(seen.check_account(&state(10, CLOCK), CLOCK, now + SEEN_FOR).is_ok());
    }

    #[test]
    fn it_remembers_a_bounded_number_of_accounts() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        for n in 0..MAX_SEEN_ACCOUNTS as u64 + 10 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            let address = Address::new(0, HashBytes(hash));
            seen.check_getter(&address, 1, now).unwrap();
        }
        assert_eq!(
            (seen.accounts.len(), seen.order.len()),
            (MAX_SEEN_ACCOUNTS, MAX_SEEN_ACCOUNTS)
        );
    }
}
