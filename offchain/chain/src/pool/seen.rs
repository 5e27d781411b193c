//! What was seen of the chain already, so that no server turns it back.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cocoon_bindings::ton::Address;
use tokio::time::Instant;

use crate::ChainError;
use crate::client::{AccountState, Transaction};
use crate::limits::{MAX_AHEAD, MAX_BEHIND, MAX_SEEN_ACCOUNTS, SEEN_FOR};

/// Who said something, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    /// The server's place in the pool.
    pub(super) server: usize,
    /// The time on this machine's clock, seconds since 1970.
    pub(super) clock: u32,
    /// The same for measuring.
    pub(super) now: Instant,
}

/// The newest that any server told. What one server says and another contradicts stands for [`SEEN_FOR`] at most, however
/// often the one repeats it: one that lies about the future does not keep the others out for ever.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The chain's time as each server last told it, and when.
    told: BTreeMap<usize, (u32, Instant)>,
    accounts: BTreeMap<Address, Sighting>,
    /// Accounts by when they were first seen, to forget the oldest.
    order: VecDeque<Address>,
}

/// The last transaction of an account.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    lt: u64,
    /// The chain's time of the answer.
    time: u32,
    /// Who showed it first.
    by: usize,
    /// Whether there was a contract that runs.
    is_active: bool,
    disputed: Option<Dispute>,
    /// Who showed what nobody confirmed in time. It is not believed alone any more, until another shows as much.
    doubted: Option<(usize, u64)>,
}

/// A server shows less than another did.
#[derive(Debug, Clone, Copy)]
struct Dispute {
    since: Instant,
    /// What was seen before.
    lt: u64,
    /// Who had shown it.
    by: usize,
    /// Who shows less.
    against: usize,
}

impl Seen {
    /// The newest time of the chain that counts: the newest that can be, or else the second newest, since then the clock of
    /// this machine is wrong or the chain's time was moved on purpose.
    pub(super) fn newest(&self, clock: u32) -> u32 {
        let mut times: Vec<u32> = self.told.values().map(|(time, _)| *time).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let possible = times.iter().find(|time| is_possible(**time, clock));
        let newest = possible.or(times.get(1)).or(times.first());
        newest.copied().unwrap_or_default()
    }

    /// Takes note of a server's time.
    pub(super) fn note_time(&mut self, time: u32, who: Witness) {
        let possible = |time| is_possible(time, who.clock);
        let time = match self.told.get(&who.server) {
            Some((before, _)) if possible(*before) && possible(time) => time.max(*before),
            _ => time,
        };
        self.told.insert(who.server, (time, who.now));
    }

    /// Whether a time is too far behind.
    pub(super) fn is_behind(&self, time: u32, clock: u32) -> bool {
        time.saturating_add(seconds(MAX_BEHIND)) < self.newest(clock)
    }

    /// Whether a time cannot be, and another server told one lately that can.
    pub(super) fn is_ahead(&self, time: u32, who: Witness) -> bool {
        !is_possible(time, who.clock)
            && self.told.iter().any(|(server, (told, at))| {
                let is_fresh = who.now.saturating_duration_since(*at) < MAX_BEHIND;
                *server != who.server && is_fresh && is_possible(*told, who.clock)
            })
    }

    /// A server's time may not be far from the others'.
    pub(super) fn check_time(&mut self, time: u32, who: Witness) -> Result<(), ChainError> {
        if self.is_ahead(time, who) {
            return Err(stale(format!(
                "its time is {time}, which cannot be, and others tell another"
            )));
        }
        if self.is_behind(time, who.clock) {
            let newest = self.newest(who.clock);
            return Err(stale(format!("its time is {time}, another's was {newest}")));
        }
        self.note_time(time, who);
        Ok(())
    }

    /// An account's state may not be older than what was seen of the account or, much, of the chain.
    pub(super) fn check_account(&mut self, account: &AccountState, who: Witness) -> Result<(), ChainError> {
        self.check_time(account.time, who)?;
        let lt = account.last.map(|last| last.lt);
        self.check_lt(&account.address, lt, account.time, Some(account.is_active()), who)
    }

    /// The newest transaction of a history may not be older than the last one seen.
    pub(super) fn check_history(
        &mut self,
        address: &Address,
        newest: Option<&Transaction>,
        who: Witness,
    ) -> Result<(), ChainError> {
        match newest {
            Some(transaction) => self.check_lt(address, Some(transaction.lt), transaction.now, None, who),
            // An account that was deleted keeps its history: none is older than any.
            None => self.check_lt(address, None, 0, None, who),
        }
    }

    /// The state that a get method ran on may not be older than what was seen of the account.
    pub(super) fn check_getter(&mut self, address: &Address, lt: u64, who: Witness) -> Result<(), ChainError> {
        self.check_lt(address, Some(lt), 0, Some(true), who)
    }

    /// Whether a contract was seen at an address: who says that there is none may be behind.
    pub(super) fn was_active(&self, address: &Address) -> bool {
        self.accounts.get(address).is_some_and(|known| known.is_active)
    }

    fn check_lt(
        &mut self,
        address: &Address,
        lt: Option<u64>,
        time: u32,
        is_active: Option<bool>,
        who: Witness,
    ) -> Result<(), ChainError> {
        let Some(known) = self.accounts.get_mut(address) else {
            if let Some(lt) = lt {
                let is_active = is_active.unwrap_or(false);
                self.remember(address, Sighting::new(lt, time, is_active, who));
            }
            return Ok(());
        };
        let is_older = match lt {
            Some(lt) => lt < known.lt,
            // It may have been deleted since, but not before it was seen.
            None => time < known.time || time == 0,
        };
        if is_older && !known.falls(lt.unwrap_or_default(), who) {
            return Err(stale(match lt {
                Some(lt) => format!(
                    "the last transaction of {address} is at {lt}, another was seen at {}",
                    known.lt
                ),
                None => format!("it knows no transaction of {address}, one was seen at {}", known.lt),
            }));
        }
        if is_older {
            tracing::warn!(%address, lt = known.lt, "nobody confirmed an account's last transaction: it is forgotten");
            let doubted = (known.by != who.server).then_some((known.by, known.lt));
            *known = Sighting {
                doubted,
                ..Sighting::new(lt.unwrap_or_default(), time, is_active.unwrap_or(false), who)
            };
            return Ok(());
        }
        let Some(lt) = lt else {
            known.is_active = false;
            return Ok(());
        };
        match known.doubted {
            Some((liar, _)) if liar == who.server && lt > known.lt => {
                return Err(stale(format!(
                    "the last transaction of {address} is at {lt}, which only the server says that was wrong before"
                )));
            }
            Some((liar, claimed)) if liar != who.server && lt >= claimed => known.doubted = None,
            _ => {}
        }
        known.see(lt, time, who);
        known.is_active = is_active.unwrap_or(known.is_active);
        Ok(())
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

impl Sighting {
    fn new(lt: u64, time: u32, is_active: bool, who: Witness) -> Self {
        Self {
            lt,
            time,
            by: who.server,
            is_active,
            disputed: None,
            doubted: None,
        }
    }

    /// Takes note of an answer that is not older.
    fn see(&mut self, lt: u64, time: u32, who: Witness) {
        self.settle(lt, who);
        if lt > self.lt {
            self.by = who.server;
        }
        self.lt = lt;
        self.time = self.time.max(time);
    }

    /// A server shows less. Whether it has done so for so long that the other's word falls.
    fn falls(&mut self, lt: u64, who: Witness) -> bool {
        self.settle(lt, who);
        let dispute = self.disputed.get_or_insert(Dispute {
            since: who.now,
            lt: self.lt,
            by: self.by,
            against: who.server,
        });
        who.now.saturating_duration_since(dispute.since) >= SEEN_FOR
    }

    /// A dispute ends when somebody else shows as much as was disputed, or the server that contradicted itself.
    fn settle(&mut self, lt: u64, who: Witness) {
        let is_over = |dispute: &Dispute| {
            let counts = dispute.by != who.server || dispute.against == who.server;
            counts && lt >= dispute.lt
        };
        if self.disputed.as_ref().is_some_and(is_over) {
            self.disputed = None;
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
