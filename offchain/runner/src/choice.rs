//! Which proxy of the root contract's list a client or worker deals with, and for how long.
//!
//! Each proxy costs a contract of its own, so one that has served is dialed again for some minutes before another is
//! chosen; one that never served, or that must not be dealt with, is exchanged at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::seq::IteratorRandom as _;
use tokio::time::Instant;

use crate::Retry;
use crate::limits::PROXY_PATIENCE;

/// The entries that this node deals with, by their number in the root contract. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Choices(Arc<Mutex<BTreeSet<u32>>>);

impl Choices {
    /// Takes a random entry of `listed` that is not taken; not `last`, if there is another.
    pub fn choose(&self, listed: impl Iterator<Item = u32>, last: Option<u32>) -> Option<Choice> {
        let mut taken = self.taken();
        let free: Vec<u32> = listed.filter(|seqno| !taken.contains(seqno)).collect();
        let others = free.iter().copied().filter(|seqno| Some(*seqno) != last);
        let mut rng = rand::rng();
        let seqno = others.choose(&mut rng).or_else(|| free.first().copied())?;
        taken.insert(seqno);
        Some(Choice {
            seqno,
            served: None,
            choices: self.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry, held until dropped.
#[derive(Debug)]
pub struct Choice {
    seqno: u32,
    /// When it was last known to serve.
    served: Option<Instant>,
    choices: Choices,
}

impl Choice {
    /// Its number in the root contract.
    pub fn seqno(&self) -> u32 {
        self.seqno
    }

    /// It serves now, or did until now.
    pub fn serves(&mut self) {
        self.served = Some(Instant::now());
    }

    /// Whether to dial it again after something failed that is to be retried in this way.
    pub fn is_kept(&self, retry: Retry) -> bool {
        let is_recent = |served: Instant| served.elapsed() < PROXY_PATIENCE;
        retry != Retry::OtherPeer && self.served.is_some_and(is_recent)
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        self.choices.taken().remove(&self.seqno);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_entry_is_taken_twice_and_the_last_one_only_for_want_of_another() {
        let choices = Choices::default();
        for _ in 0..20 {
            let first = choices.choose([1, 2, 3].into_iter(), Some(2)).unwrap();
            assert_ne!(first.seqno(), 2);
            let second = choices.choose([1, 2, 3].into_iter(), None).unwrap();
            let third = choices.choose([1, 2, 3].into_iter(), None).unwrap();
            assert!(choices.choose([1, 2, 3].into_iter(), None).is_none());
            let all: BTreeSet<u32> = [&first, &second, &third].map(Choice::seqno).into();
            assert_eq!(all, [1, 2, 3].into());
        }
        assert_eq!(choices.choose([2].into_iter(), Some(2)).unwrap().seqno(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_served_is_dialed_for_five_minutes_and_one_that_never_did_once() {
        let mut choice = Choices::default().choose([1].into_iter(), None).unwrap();
        assert!(!choice.is_kept(Retry::SamePeer));
        choice.serves();
        assert!(!choice.is_kept(Retry::OtherPeer));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(choice.is_kept(Retry::SamePeer));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!choice.is_kept(Retry::SamePeer));
    }
}
