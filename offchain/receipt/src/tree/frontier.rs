//! The right edge of a tree that grows: enough to add leaves and to tell the root, without the leaves before.

use cocoon_bindings::ton::HashBytes;
use serde::{Deserialize, Serialize};

use super::{node_hash, root};

/// The roots of the whole subtrees of a tree, the largest first: one for each bit that is set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    size: u64,
    nodes: Vec<HashBytes>,
}

impl Frontier {
    /// Adds a leaf by its hash ([`super::leaf_hash`]).
    pub fn push(&mut self, leaf: HashBytes) {
        let mut node = leaf;
        // As many whole subtrees end here as the size has ones at its end.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree; of no leaves, SHA-256 of nothing.
    pub fn root(&self) -> HashBytes {
        let nodes = self.nodes.iter().rev().copied();
        nodes
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| root(&[]))
    }

    /// Whether the nodes are as many as the size says: what was read back is a frontier.
    pub fn is_whole(&self) -> bool {
        self.nodes.len() == self.size.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::leaf_hash;

    proptest! {
        #[test]
        fn a_tree_grown_leaf_by_leaf_has_the_root_of_the_whole(count in 0_usize..200) {
            let leaves: Vec<_> = (0..count).map(|index| leaf_hash(&index.to_le_bytes())).collect();
            let mut frontier = Frontier::default();
            for (index, leaf) in leaves.iter().enumerate() {
                prop_assert_eq!(frontier.root(), root(&leaves[..index]));
                frontier.push(*leaf);
                prop_assert!(frontier.is_whole());
            }
            prop_assert_eq!((frontier.size(), frontier.root()), (count as u64, root(&leaves)));
            let read: Frontier = serde_json::from_str(&serde_json::to_string(&frontier).unwrap()).unwrap();
            prop_assert_eq!(read, frontier);
        }
    }
}
