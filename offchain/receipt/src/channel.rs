//! The chain of receipts in one channel, and the first place where it breaks.

use cocoon_bindings::ton::HashBytes;
use serde::{Deserialize, Serialize};

/// Where a channel stands: the last link's number, its hash, and everything charged so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelHead {
    /// Number of the last link; 0 before the first.
    pub seqno: u64,
    /// Hash that the next link must name: of the receipt in a client's channel, of the statement in a worker's.
    pub hash: HashBytes,
    /// Cumulative tokens charged.
    pub total: u64,
}

impl ChannelHead {
    /// A channel without receipts.
    pub const GENESIS: Self = Self {
        seqno: 0,
        hash: HashBytes::ZERO,
        total: 0,
    };

    /// The link that charges `tokens` on top of this head; `None` when a number would overflow.
    pub fn next(&self, tokens: u64) -> Option<ChannelLink> {
        Some(ChannelLink {
            seqno: self.seqno.checked_add(1)?,
            previous: self.hash,
            before: self.total,
            after: self.total.checked_add(tokens)?,
        })
    }

    /// The head after `link`, whose own hash is `hash`; a fault when the link does not continue this head.
    pub fn extend(&self, link: &ChannelLink, hash: HashBytes) -> Result<Self, ChannelFault> {
        link.check_arithmetic()?;
        if link.seqno <= self.seqno {
            return Err(ChannelFault::Reorder {
                expected: self.seqno.saturating_add(1),
                found: link.seqno,
            });
        }
        if link.seqno != self.seqno.saturating_add(1) {
            return Err(ChannelFault::Gap {
                expected: self.seqno.saturating_add(1),
                found: link.seqno,
            });
        }
        if link.previous != self.hash {
            return Err(ChannelFault::Fork {
                seqno: link.seqno,
                expected: self.hash,
                found: link.previous,
            });
        }
        if link.before != self.total {
            return Err(ChannelFault::Total {
                seqno: link.seqno,
                expected: self.total,
                found: link.before,
            });
        }
        Ok(Self {
            seqno: link.seqno,
            hash,
            total: link.after,
        })
    }

    /// As [`ChannelHead::extend`], but allows links that this side never saw (a receipt was lost with a connection):
    /// the number and the total may only have grown. Returns the new head and how many links are missing.
    pub fn follow(&self, link: &ChannelLink, hash: HashBytes) -> Result<(Self, u64), ChannelFault> {
        match self.extend(link, hash) {
            Ok(head) => Ok((head, 0)),
            Err(ChannelFault::Gap { expected, found }) => {
                if link.before < self.total {
                    return Err(ChannelFault::Total {
                        seqno: found,
                        expected: self.total,
                        found: link.before,
                    });
                }
                Ok((
                    Self {
                        seqno: found,
                        hash,
                        total: link.after,
                    },
                    found - expected,
                ))
            }
            Err(fault) => Err(fault),
        }
    }
}

/// One receipt's place in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelLink {
    /// 1 for the first receipt of the channel.
    pub seqno: u64,
    /// Hash of the receipt (client's channel) or statement (worker's channel) before it; zero for the first.
    pub previous: HashBytes,
    /// Cumulative tokens before.
    pub before: u64,
    /// Cumulative tokens after.
    pub after: u64,
}

impl ChannelLink {
    /// What this receipt charged. Zero for a link whose numbers run backwards, which decoding refuses.
    pub fn charged(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    /// Numbers that contradict themselves, whatever came before.
    pub fn check_arithmetic(&self) -> Result<(), ChannelFault> {
        if self.seqno == 0 {
            return Err(ChannelFault::Zero);
        }
        if self.after < self.before {
            return Err(ChannelFault::Backwards {
                seqno: self.seqno,
                before: self.before,
                after: self.after,
            });
        }
        Ok(())
    }
}

/// The first thing wrong with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelFault {
    /// Receipts are missing.
    #[error("receipt {expected} is missing: the next one is {found}")]
    Gap {
        /// Number that should come.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// A number came again or too late.
    #[error("receipt {found} comes where {expected} should")]
    Reorder {
        /// Number that should come.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// The predecessor is another receipt than the one at hand: there are two histories.
    #[error("receipt {seqno} continues {found}, not {expected}")]
    Fork {
        /// Number of the receipt.
        seqno: u64,
        /// Hash of the predecessor at hand.
        expected: HashBytes,
        /// Hash that the receipt names.
        found: HashBytes,
    },
    /// It does not start at the total where its predecessor ended.
    #[error("receipt {seqno} starts at {found} tokens, its predecessor ended at {expected}")]
    Total {
        /// Number of the receipt.
        seqno: u64,
        /// Total of the predecessor.
        expected: u64,
        /// Total that the receipt starts from.
        found: u64,
    },
    /// A cumulative total that shrinks.
    #[error("receipt {seqno} goes from {before} tokens back to {after}")]
    Backwards {
        /// Number of the receipt.
        seqno: u64,
        /// Total before.
        before: u64,
        /// Total after.
        after: u64,
    },
    /// Numbers start at 1.
    #[error("receipt number 0")]
    Zero,
}

/// Checks links in order, each with its own hash, from `start`; returns where the channel ends or the first fault.
pub fn verify(
    start: ChannelHead,
    links: impl IntoIterator<Item = (ChannelLink, HashBytes)>,
) -> Result<ChannelHead, ChannelFault> {
    links
        .into_iter()
        .try_fold(start, |head, (link, hash)| head.extend(&link, hash))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain(charges: &[u32]) -> Vec<(ChannelLink, HashBytes)> {
        let mut head = ChannelHead::GENESIS;
        let mut links = Vec::new();
        for (index, charge) in charges.iter().enumerate() {
            let link = head.next(u64::from(*charge)).unwrap();
            let hash = HashBytes([index as u8 + 1; 32]);
            head = head.extend(&link, hash).unwrap();
            links.push((link, hash));
        }
        links
    }

    proptest! {
        #[test]
        fn an_honest_channel_verifies_and_sums(charges in prop::collection::vec(any::<u32>(), 0..50)) {
            let head = verify(ChannelHead::GENESIS, chain(&charges)).unwrap();
            prop_assert_eq!(head.total, charges.iter().map(|c| u64::from(*c)).sum::<u64>());
            prop_assert_eq!(head.seqno, charges.len() as u64);
        }

        #[test]
        fn a_missing_receipt_is_the_first_gap(charges in prop::collection::vec(any::<u32>(), 2..50), at in any::<prop::sample::Index>()) {
            let mut links = chain(&charges);
            let at = at.index(links.len() - 1);
            links.remove(at);
            let fault = verify(ChannelHead::GENESIS, links).unwrap_err();
            prop_assert_eq!(fault, ChannelFault::Gap { expected: at as u64 + 1, found: at as u64 + 2 });
        }

        #[test]
        fn swapped_receipts_are_found(charges in prop::collection::vec(any::<u32>(), 2..50), at in any::<prop::sample::Index>()) {
            let mut links = chain(&charges);
            let at = at.index(links.len() - 1);
            links.swap(at, at + 1);
            prop_assert!(verify(ChannelHead::GENESIS, links).is_err());
        }

        #[test]
        fn a_doubled_receipt_is_a_reorder(charges in prop::collection::vec(any::<u32>(), 1..50), at in any::<prop::sample::Index>()) {
            let mut links = chain(&charges);
            let at = at.index(links.len());
            links.insert(at, links[at]);
            let is_reorder = matches!(verify(ChannelHead::GENESIS, links), Err(ChannelFault::Reorder { .. }));
            prop_assert!(is_reorder);
        }

        #[test]
        fn a_rewritten_charge_breaks_the_next_total(charges in prop::collection::vec(1u32..1000, 2..50), at in any::<prop::sample::Index>()) {
            let mut links = chain(&charges);
            let at = at.index(links.len() - 1);
            links[at].0.after += 1;
            let is_total = matches!(verify(ChannelHead::GENESIS, links), Err(ChannelFault::Total { .. }));
            prop_assert!(is_total);
        }
    }

    #[test]
    fn another_predecessor_is_a_fork() {
        let mut links = chain(&[1, 2]);
        links[0].1 = HashBytes([0xee; 32]);
        assert!(matches!(
            verify(ChannelHead::GENESIS, links),
            Err(ChannelFault::Fork { seqno: 2, .. })
        ));
    }

    #[test]
    fn follow_counts_what_was_never_seen_and_refuses_a_smaller_total() {
        let links = chain(&[5, 6, 7]);
        let first = ChannelHead::GENESIS.extend(&links[0].0, links[0].1).unwrap();
        let (head, missing) = first.follow(&links[2].0, links[2].1).unwrap();
        assert_eq!((head.total, missing), (18, 1));
        let shrunk = ChannelLink {
            before: 4,
            ..links[2].0
        };
        assert!(matches!(
            first.follow(&shrunk, links[2].1),
            Err(ChannelFault::Total { .. })
        ));
    }

    #[test]
    fn totals_do_not_wrap() {
        let head = ChannelHead {
            seqno: 3,
            hash: HashBytes::ZERO,
            total: u64::MAX - 1,
        };
        assert!(head.next(1).is_some());
        assert!(head.next(2).is_none());
    }
}
