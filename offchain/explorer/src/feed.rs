//! Transactions of the contracts, the newest ones.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{MessageKind, Transaction};

use crate::limits::{MAX_FEED, MAX_SENT};
use crate::words::{Kind, Said, said};

/// Where a transaction stands: newer ones are larger.
pub(crate) type Place = (u64, HashBytes);

/// A message that a transaction sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its receiver.
    pub(crate) to: Option<Address>,
    /// What it says.
    pub(crate) said: Said,
    /// Coins that travel with it.
    pub(crate) value: Nanoton,
}

/// A transaction of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Logical time and hash.
    pub(crate) place: Place,
    /// Unix seconds.
    pub(crate) time: u32,
    /// Whose it is.
    pub(crate) account: Address,
    /// Who set it off; none for a message from outside.
    pub(crate) from: Option<Address>,
    /// What that message says; none if nothing set it off.
    pub(crate) said: Option<Said>,
    /// Coins that came with it.
    pub(crate) value: Nanoton,
    /// What validators took.
    pub(crate) fees: Nanoton,
    /// Whether the contract accepted it.
    pub(crate) success: bool,
    /// Exit code, if the code ran.
    pub(crate) exit_code: Option<i32>,
    /// Whether the message was sent back.
    pub(crate) bounced: bool,
    /// What it sent.
    pub(crate) sent: Vec<Sent>,
}

impl Item {
    /// Out of a transaction of an account of `kind`; `kinds` knows the other accounts.
    pub(crate) fn of(transaction: &Transaction, kind: Kind, kinds: impl Fn(&Address) -> Kind) -> Self {
        let known = |address: Option<&Address>| address.map_or(Kind::Somebody, &kinds);
        let cause = transaction.in_msg.as_ref();
        let internal = |message: &&cocoon_chain::Message| message.kind == MessageKind::Internal;
        let sent = transaction.out_msgs.iter().filter(internal).take(MAX_SENT);
        let sent = sent.map(|message| Sent {
            to: message.destination.clone(),
            // What is sent back is in the words of the contract that sends it back.
            said: said(known(message.destination.as_ref()), kind, message),
            value: message.value,
        });
        Self {
            place: (transaction.lt, transaction.hash),
            time: transaction.now,
            account: transaction.address.clone(),
            from: cause.and_then(|message| message.source.clone()),
            said: cause.map(|message| said(kind, known(message.source.as_ref()), message)),
            value: cause.map_or(Nanoton::ZERO, |message| message.value),
            fees: transaction.fees.total,
            success: transaction.success(),
            exit_code: transaction.exit_code(),
            bounced: transaction.bounced,
            sent: sent.collect(),
        }
    }

    /// Whether an account takes part in it.
    pub(crate) fn concerns(&self, address: &Address) -> bool {
        let is_receiver = |sent: &Sent| sent.to.as_ref() == Some(address);
        self.account == *address || self.from.as_ref() == Some(address) || self.sent.iter().any(is_receiver)
    }
}

/// The newest transactions.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    items: BTreeMap<Place, Item>,
    /// Whether older ones made place.
    pub(crate) has_lost: bool,
}

impl Feed {
    /// Adds one; the oldest makes place.
    pub(crate) fn add(&mut self, item: Item) {
        self.items.insert(item.place, item);
        while self.items.len() > MAX_FEED {
            self.items.pop_first();
            self.has_lost = true;
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Those before a place, newest first.
    pub(crate) fn before(&self, place: Option<Place>) -> impl Iterator<Item = &Item> {
        let end = match place {
            Some(place) => std::ops::Bound::Excluded(place),
            None => std::ops::Bound::Unbounded,
        };
        self.items
            .range((std::ops::Bound::Unbounded, end))
            .rev()
            .map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(lt: u64) -> Item {
        Item {
            place: (lt, HashBytes::ZERO),
            time: 0,
            account: Address::new(0, HashBytes::ZERO),
            from: None,
            said: None,
            value: Nanoton::ZERO,
            fees: Nanoton::ZERO,
            success: true,
            exit_code: Some(0),
            bounced: false,
            sent: Vec::new(),
        }
    }

    #[test]
    fn the_feed_keeps_the_newest_and_says_that_it_lost_older_ones() {
        let mut feed = Feed::default();
        for lt in 0..MAX_FEED as u64 {
            feed.add(item(lt));
        }
        assert!(!feed.has_lost);
        feed.add(item(5));
        assert_eq!((feed.len(), feed.has_lost), (MAX_FEED, false), "the same once more");
        feed.add(item(u64::MAX));
        assert_eq!((feed.len(), feed.has_lost), (MAX_FEED, true));
        let newest: Vec<u64> = feed.before(None).take(2).map(|item| item.place.0).collect();
        assert_eq!(newest, [u64::MAX, MAX_FEED as u64 - 1]);
        let next = feed.before(Some((3, HashBytes::ZERO))).map(|item| item.place.0);
        assert_eq!(next.collect::<Vec<_>>(), [2, 1]);
    }
}
