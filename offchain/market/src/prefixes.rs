//! Which worker served the beginning of a prompt last.

use std::collections::HashMap;
use std::hash::Hasher;

use crate::limits::{MAX_PREFIXES, PREFIX_LENGTHS};

/// Beginnings of prompts, as salted hashes, and their workers.
///
/// Whoever makes the hashes salts them with a secret of its own and with the payer: two payers who send the same prompt then
/// have nothing in common, and none learns by the choice of a worker, or by its speed, what another one asked.
#[derive(Debug, Default)]
pub struct Prefixes {
    /// The newer half, and the half before it: when the newer is full it becomes the older, which is forgotten.
    newer: HashMap<u64, u64>,
    older: HashMap<u64, u64>,
}

impl Prefixes {
    /// The worker that served the longest of these beginnings; they are given from the shortest on.
    pub fn worker_of(&self, prefixes: &[u64]) -> Option<u64> {
        let known = |prefix| self.newer.get(prefix).or_else(|| self.older.get(prefix));
        prefixes.iter().rev().find_map(known).copied()
    }

    /// The worker serves a prompt with these beginnings.
    pub fn served(&mut self, prefixes: &[u64], worker: u64) {
        for prefix in prefixes {
            if self.newer.len() >= MAX_PREFIXES / 2 {
                self.older = std::mem::take(&mut self.newer);
            }
            self.newer.insert(*prefix, worker);
        }
    }

    /// Beginnings that are remembered.
    pub fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Hashes of the beginnings of a prompt, from the shortest on; none when it is short. The hasher is salted (see
/// [`Prefixes`]), and one that a person without its secret cannot find collisions of.
pub fn prefix_hashes(salted: impl Hasher + Clone, prompt: &[u8]) -> Vec<u64> {
    let mut hasher = salted;
    let mut hashes = Vec::new();
    let mut from = 0;
    for length in PREFIX_LENGTHS {
        let Some(block) = prompt.get(from..length) else { break };
        hasher.write(block);
        hashes.push(hasher.clone().finish());
        from = length;
    }
    hashes
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prompts_share_as_many_hashes_as_they_share_blocks(
            shared in 0_usize..40_000,
            tails in (0_usize..9_000, 0_usize..9_000),
        ) {
            let secret = RandomState::new();
            let prompt = |tail: usize, fill: u8| [vec![7; shared], vec![fill; tail]].concat();
            let (one, other) = (prompt(tails.0, 1), prompt(tails.1, 2));
            let one = prefix_hashes(secret.build_hasher(), &one);
            let other = prefix_hashes(secret.build_hasher(), &other);
            let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
            let blocks = PREFIX_LENGTHS.iter().filter(|length| **length <= shared).count();
            prop_assert_eq!(common, blocks);
            prop_assert!(one.iter().skip(blocks).all(|hash| !other.contains(hash)));
        }
    }

    #[test]
    fn another_salt_shares_nothing() {
        let secret = RandomState::new();
        let prompt = vec![1; 5000];
        let of = |payer: &[u8]| {
            let mut salted = secret.build_hasher();
            salted.write(payer);
            prefix_hashes(salted, &prompt)
        };
        assert_eq!(of(b"one"), of(b"one"));
        assert!(of(b"one").iter().all(|hash| !of(b"two").contains(hash)));
    }

    #[test]
    fn the_longest_beginning_counts() {
        let mut prefixes = Prefixes::default();
        assert_eq!(prefixes.worker_of(&[1]), None);
        prefixes.served(&[1, 2], 10);
        prefixes.served(&[1], 20);
        assert_eq!(prefixes.worker_of(&[1, 3]), Some(20));
        assert_eq!(prefixes.worker_of(&[1, 2, 3]), Some(10));
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_newest_half_is_kept() {
        let mut prefixes = Prefixes::default();
        for prefix in 0..3 * MAX_PREFIXES as u64 {
            prefixes.served(&[prefix], prefix);
            assert!(prefixes.len() <= MAX_PREFIXES);
        }
        let newest = 3 * MAX_PREFIXES as u64 - 1;
        assert_eq!(
            prefixes.worker_of(&[newest - MAX_PREFIXES as u64 / 2 + 1]),
            Some(newest - MAX_PREFIXES as u64 / 2 + 1)
        );
        assert_eq!(prefixes.worker_of(&[0]), None);
    }
}
