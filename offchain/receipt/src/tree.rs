//! The Merkle tree of RFC 6962 over receipts: root, inclusion proofs, consistency proofs.
//!
//! Leaves are hashed with a 0x00 prefix and nodes with 0x01, so that no leaf can pass for a node.

use cocoon_bindings::ton::HashBytes;
use sha2::{Digest, Sha256};

use crate::limits::MAX_PROOF_NODES;

pub use frontier::Frontier;

mod frontier;

/// Hash of one leaf, `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> HashBytes {
    HashBytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

pub(crate) fn node_hash(left: &HashBytes, right: &HashBytes) -> HashBytes {
    HashBytes(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// Root of the tree over these leaf hashes; of no leaves, SHA-256 of nothing.
pub fn root(leaves: &[HashBytes]) -> HashBytes {
    match leaves {
        [] => HashBytes(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// Roots of the whole subtrees of a row of hashes, the largest first: one for each bit that is set in their number.
pub(crate) fn whole_subtrees(hashes: &[HashBytes]) -> Vec<HashBytes> {
    let mut roots = Vec::new();
    let mut rest = hashes;
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(1 << rest.len().ilog2());
        roots.push(root(whole));
        rest = after;
    }
    roots
}

/// The nodes that prove that leaf `index` is in the tree over `leaves`; `None` when there is no such leaf.
pub fn inclusion_proof(leaves: &[HashBytes], index: usize) -> Option<Vec<HashBytes>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = if index < left.len() {
        (inclusion_proof(left, index)?, root(right))
    } else {
        (inclusion_proof(right, index - left.len())?, root(left))
    };
    proof.push(sibling);
    Some(proof)
}

/// Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf: &HashBytes, index: u64, size: u64, proof: &[HashBytes], expected: &HashBytes) -> bool {
    if index >= size || proof.len() > MAX_PROOF_NODES {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *expected
}

/// The nodes that prove that the tree over the first `old` leaves is a prefix of the tree over `leaves`; `None` when
/// there are not that many.
pub fn consistency_proof(leaves: &[HashBytes], old: usize) -> Option<Vec<HashBytes>> {
    if old > leaves.len() {
        return None;
    }
    if old == 0 || old == leaves.len() {
        return Some(Vec::new());
    }
    Some(subproof(leaves, old, true))
}

fn subproof(leaves: &[HashBytes], old: usize, is_whole: bool) -> Vec<HashBytes> {
    if old == leaves.len() {
        return if is_whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(left, old, is_whole), root(right))
    } else {
        (subproof(right, old - left.len(), false), root(left))
    };
    proof.push(sibling);
    proof
}

/// Whether `proof` shows that the tree of `old_size` leaves is a prefix of the one of `new_size` (RFC 9162, 2.1.4.2).
pub fn verify_consistency(
    old_size: u64,
    old_root: &HashBytes,
    new_size: u64,
    new_root: &HashBytes,
    proof: &[HashBytes],
) -> bool {
    if old_size > new_size || proof.len() > 2 * MAX_PROOF_NODES {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == root(&[]);
    }
    let mut nodes = proof.iter();
    let first = if old_size.is_power_of_two() {
        Some(old_root)
    } else {
        nodes.next()
    };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for sibling in nodes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

/// Largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: usize) -> Vec<HashBytes> {
        (0..count).map(|index| leaf_hash(&index.to_le_bytes())).collect()
    }

    /// The test tree of the RFC's reference implementation (certificate-transparency, merkle_tree_test).
    #[test]
    fn the_reference_tree_has_its_published_roots() {
        let data = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let leaves: Vec<_> = data.iter().map(|text| leaf_hash(&hex::decode(text).unwrap())).collect();
        let published = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, root_hex) in published.iter().enumerate() {
            assert_eq!(
                hex::encode(root(&leaves[..=count]).0),
                *root_hex,
                "{} leaves",
                count + 1
            );
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(root(&[]).0), empty);
    }

    proptest! {
        #[test]
        fn every_leaf_proves_its_place_and_no_other(count in 1usize..70, at in any::<prop::sample::Index>()) {
            let leaves = leaves(count);
            let (index, root) = (at.index(count), root(&leaves));
            let proof = inclusion_proof(&leaves, index).unwrap();
            prop_assert!(verify_inclusion(&leaves[index], index as u64, count as u64, &proof, &root));
            for other in 0..count {
                let holds = verify_inclusion(&leaves[index], other as u64, count as u64, &proof, &root);
                prop_assert_eq!(holds, other == index);
            }
            prop_assert!(!verify_inclusion(&leaf_hash(b"x"), index as u64, count as u64, &proof, &root));
        }

        #[test]
        fn a_prefix_proves_itself_and_a_rewritten_history_does_not(new in 1usize..70, at in any::<prop::sample::Index>()) {
            let leaves = leaves(new);
            let old = at.index(new) + 1;
            let proof = consistency_proof(&leaves, old).unwrap();
            let (old_root, new_root) = (root(&leaves[..old]), root(&leaves));
            prop_assert!(verify_consistency(old as u64, &old_root, new as u64, &new_root, &proof));
            let mut rewritten = leaves[..old].to_vec();
            rewritten[0] = leaf_hash(b"x");
            prop_assert!(!verify_consistency(old as u64, &root(&rewritten), new as u64, &new_root, &proof));
        }
    }

    #[test]
    fn out_of_range_asks_nothing() {
        assert_eq!(inclusion_proof(&leaves(3), 3), None);
        assert_eq!(consistency_proof(&leaves(3), 4), None);
    }
}
