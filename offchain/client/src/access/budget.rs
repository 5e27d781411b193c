//! What keys may still spend and what channels still hold. A machine of states only: no clock, no disk, no network.
//!
//! Before each attempt the most that it may cost is held, by the same arithmetic as the proxy's; the receipt settles it. What is
//! held counts like what is spent, so requests at once never exceed a limit, whatever becomes of them and in whatever order. A hold
//! whose outcome is not known stays: after a crash what was held counts as spent, until a receipt says what it was.

mod channel;
mod hold;

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use serde::{Deserialize, Serialize};

pub use self::channel::ChannelAccount;
pub use self::hold::{Hold, Open};
use super::keys::KeyLimits;
use crate::limits::MAX_OPEN_HOLDS;

/// Name of an attempt: that of its request between client and proxy.
pub type Attempt = [u8; 32];

/// The account of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAccount {
    /// Spent in all.
    pub spent: Nanoton,
    /// The newest day that something was spent or held on.
    pub day: u64,
    /// Spent on that day.
    pub spent_on_day: Nanoton,
    /// What may still be spent by attempts whose cost is not known.
    pub holds: Vec<Hold>,
}

/// What an attempt may use at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its name.
    pub attempt: Attempt,
    /// The key that pays, by its hash, and what it may use.
    pub key: Option<(String, KeyLimits)>,
    /// Our contract at the proxy.
    pub channel: Address,
    /// The proxy's own.
    pub proxy: Address,
    /// Adjusted tokens at most.
    pub tokens: u64,
    /// Of one token.
    pub price: Nanoton,
    /// The day, UTC, since 1970.
    pub day: u64,
    /// When it begins, Unix seconds.
    pub since: u64,
}

/// Why nothing is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// The key has so much left in all, of so much that may be needed.
    Total(Nanoton, Nanoton),
    /// The key has so much left for the day.
    Day(Nanoton, Nanoton),
    /// Balance and stake cover so many tokens more, of so many that may be needed.
    Channel(u64, u64),
    /// There is a hold of that name already.
    Twice,
    /// The amount is beyond all money.
    Absurd,
}

/// Why a hold is not ended by the operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// The key has none of that name.
    Unknown,
    /// It runs, or waits for its receipt, and ends by itself.
    Running,
    /// So much is held, and more was said.
    TooMuch(Nanoton),
}

/// What an attempt has used, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// The receipt's tokens, and the channel's total after it.
    Receipt {
        /// Adjusted tokens.
        tokens: u64,
        /// Of the channel, ever.
        total: u64,
    },
    /// Adjusted tokens, by the word of the proxy.
    Told(u64),
}

impl Used {
    fn tokens(self) -> u64 {
        match self {
            Self::Receipt { tokens, .. } | Self::Told(tokens) => tokens,
        }
    }
}

/// All accounts.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    keys: BTreeMap<String, KeyAccount>,
    channels: BTreeMap<Address, ChannelAccount>,
}

impl KeyAccount {
    fn held(&self, is_counted: impl Fn(&Hold) -> bool) -> Nanoton {
        let counted = self.holds.iter().filter(|hold| is_counted(hold));
        counted.fold(Nanoton::ZERO, |sum, hold| plus(sum, hold.amount))
    }

    /// What is left in all and for a day; `None`: there is no limit.
    pub fn left(&self, limits: &KeyLimits, day: u64) -> (Option<Nanoton>, Option<Nanoton>) {
        // A clock that went back begins no new day.
        let day = day.max(self.day);
        let on_day = if day == self.day {
            self.spent_on_day
        } else {
            Nanoton::ZERO
        };
        let total = plus(self.spent, self.held(|_| true));
        let of_day = plus(on_day, self.held(|hold| hold.day == day));
        (
            limits.spend.map(|limit| limit.saturating_sub(total)),
            limits.spend_per_day.map(|limit| limit.saturating_sub(of_day)),
        )
    }

    fn hold(&mut self, limits: &KeyLimits, mut hold: Hold) -> Result<(), Short> {
        let (total, of_day) = self.left(limits, hold.day);
        if let Some(left) = total.filter(|left| *left < hold.amount) {
            return Err(Short::Total(left, hold.amount));
        }
        if let Some(left) = of_day.filter(|left| *left < hold.amount) {
            return Err(Short::Day(left, hold.amount));
        }
        hold.day = hold.day.max(self.day);
        if hold.day > self.day {
            self.day = hold.day;
            self.spent_on_day = Nanoton::ZERO;
        }
        self.holds.push(hold);
        if self.holds.len() > MAX_OPEN_HOLDS {
            // The oldest is given up: it counts as spent for good.
            let oldest = self.holds.remove(0);
            self.spend(oldest.day, oldest.amount);
        }
        Ok(())
    }

    fn spend(&mut self, day: u64, amount: Nanoton) {
        self.spent = plus(self.spent, amount);
        if day == self.day {
            self.spent_on_day = plus(self.spent_on_day, amount);
        }
    }

    fn place(&self, attempt: &Attempt) -> Option<usize> {
        self.holds.iter().position(|hold| hold.request.0 == *attempt)
    }

    /// Ends a hold with what it cost. Says whether there was one.
    pub fn settle(&mut self, attempt: &Attempt, tokens: u64) -> bool {
        let Some(place) = self.place(attempt) else {
            return false;
        };
        let hold = self.holds.remove(place);
        let cost = hold.price.checked_mul(tokens).unwrap_or(Nanoton::MAX);
        self.spend(hold.day, cost);
        true
    }

    /// Ends a hold with what somebody says that it cost; says what was held.
    fn settle_by_hand(&mut self, attempt: &Attempt, charge: Nanoton) -> Result<Nanoton, ByHand> {
        let place = self.place(attempt).ok_or(ByHand::Unknown)?;
        let held = self.holds.get(place).map_or(Nanoton::ZERO, |hold| hold.amount);
        if charge > held {
            return Err(ByHand::TooMuch(held));
        }
        let hold = self.holds.remove(place);
        self.spend(hold.day, charge);
        Ok(held)
    }

    fn release(&mut self, attempt: &Attempt) {
        if let Some(place) = self.place(attempt) {
            self.holds.remove(place);
        }
    }

    fn shrink(&mut self, attempt: &Attempt, tokens: u64) {
        let Some(hold) = self.place(attempt).and_then(|place| self.holds.get_mut(place)) else {
            return;
        };
        hold.tokens = hold.tokens.min(tokens);
        hold.amount = hold.price.checked_mul(hold.tokens).unwrap_or(hold.amount);
    }
}

impl Budgets {
    /// Takes over the account of a key as it was kept.
    pub fn restore(&mut self, key: String, account: KeyAccount) {
        self.keys.insert(key, account);
    }

    /// The account of a key.
    pub fn key(&self, key: &str) -> Option<&KeyAccount> {
        self.keys.get(key)
    }

    /// The account of a channel.
    pub fn channel(&self, channel: &Address) -> Option<&ChannelAccount> {
        self.channels.get(channel)
    }

    /// Takes note of what chain and proxy count of a channel, which only grows. `asked`: when they were asked for it, on the clock of
    /// [`settle`](Self::settle); `None`: they told it unasked.
    pub fn see_channel(&mut self, channel: &Address, cover: Option<u64>, counted: u64, asked: Option<u64>) {
        let account = self.channels.entry(channel.clone()).or_default();
        account.see(cover, counted, asked);
    }

    /// Holds what an attempt may cost, of key and channel, or of neither.
    pub fn hold(&mut self, wish: &Wish) -> Result<(), Short> {
        let amount = wish.price.checked_mul(wish.tokens).ok_or(Short::Absurd)?;
        let known = self.channels.get(&wish.channel);
        if known.is_some_and(|account| account.has(&wish.attempt)) {
            return Err(Short::Twice);
        }
        if let Some(left) = known.and_then(ChannelAccount::left)
            && left < wish.tokens
        {
            return Err(Short::Channel(left, wish.tokens));
        }
        if let Some((key, limits)) = &wish.key {
            let account = self.keys.entry(key.clone()).or_default();
            if account.place(&wish.attempt).is_some() {
                return Err(Short::Twice);
            }
            let hold = Hold {
                request: HashBytes(wish.attempt),
                tokens: wish.tokens,
                price: wish.price,
                amount,
                day: wish.day,
                since: Some(wish.since),
                proxy: Some(wish.proxy.clone()),
                open: Open::default(),
            };
            account.hold(limits, hold)?;
        }
        let account = self.channels.entry(wish.channel.clone()).or_default();
        account.hold(wish.attempt, wish.tokens);
        Ok(())
    }

    /// The answer has ended and the proxy says what it used: no more than that is held until the receipt.
    pub fn shrink(&mut self, wish: &Wish, tokens: u64) {
        if let Some(channel) = self.channels.get_mut(&wish.channel) {
            channel.shrink(&wish.attempt, tokens);
        }
        if let Some(account) = wish.key.as_ref().and_then(|(key, _)| self.keys.get_mut(key)) {
            account.shrink(&wish.attempt, tokens);
        }
    }

    /// Ends a hold with what it used. `now`: milliseconds of a clock that never goes back.
    pub fn settle(&mut self, wish: &Wish, used: Used, now: u64) {
        if let Some(channel) = self.channels.get_mut(&wish.channel) {
            channel.settle(&wish.attempt, used, now);
        }
        if let Some(account) = wish.key.as_ref().and_then(|(key, _)| self.keys.get_mut(key)) {
            account.settle(&wish.attempt, used.tokens());
        }
    }

    /// Ends a hold of a key whose receipt was found.
    pub fn settle_key(&mut self, key: &str, attempt: &Attempt, tokens: u64) {
        if let Some(account) = self.keys.get_mut(key) {
            account.settle(attempt, tokens);
        }
    }

    /// Ends a hold of which nothing was or will be charged.
    pub fn release(&mut self, wish: &Wish) {
        if let Some(channel) = self.channels.get_mut(&wish.channel) {
            channel.forget(&wish.attempt);
        }
        if let Some(account) = wish.key.as_ref().and_then(|(key, _)| self.keys.get_mut(key)) {
            account.release(&wish.attempt);
        }
    }

    /// Nobody knows what an attempt cost. Of the key it stays held; what the channel has used is for the proxy to tell.
    pub fn give_up(&mut self, wish: &Wish, why: Open) {
        if let Some(channel) = self.channels.get_mut(&wish.channel) {
            channel.forget(&wish.attempt);
        }
        let account = wish.key.as_ref().and_then(|(key, _)| self.keys.get_mut(key));
        if let Some(account) = account
            && let Some(place) = account.place(&wish.attempt)
            && let Some(hold) = account.holds.get_mut(place)
        {
            hold.open = why;
        }
    }

    /// Whether an attempt runs, or waits for its receipt.
    pub fn is_running(&self, attempt: &Attempt) -> bool {
        self.channels.values().any(|channel| channel.has(attempt))
    }

    /// Ends a hold that nothing else ends, by the word of the operator: it cost this much. Says what was held. Whatever comes of the
    /// attempt after that books nothing more.
    pub fn settle_by_hand(&mut self, key: &str, attempt: &Attempt, charge: Nanoton) -> Result<Nanoton, ByHand> {
        let is_running = self.is_running(attempt);
        let account = self.keys.get_mut(key).ok_or(ByHand::Unknown)?;
        match account.place(attempt) {
            Some(_) if is_running => Err(ByHand::Running),
            _ => account.settle_by_hand(attempt, charge),
        }
    }
}

/// A sum of money. Beyond all money it stays there: limits are below.
fn plus(one: Nanoton, other: Nanoton) -> Nanoton {
    one.checked_add(other).unwrap_or(Nanoton::MAX)
}

#[cfg(test)]
mod tests;
