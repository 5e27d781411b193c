//! Roots and proofs from tiles: what a reader of a served or mirrored log computes.

use std::ops::Range;

use cocoon_bindings::ton::HashBytes;

use super::tiles::TileId;
use crate::tree;

/// Why something could not be computed from tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError<E> {
    /// A tile could not be read.
    #[error(transparent)]
    Read(#[from] E),
    /// A tile does not hold as many hashes as its name says.
    #[error("{tile} holds {found} hashes")]
    Width {
        /// The tile.
        tile: TileId,
        /// How many it holds.
        found: usize,
    },
    /// The tree is smaller than what was asked for.
    #[error("the log has {size} entries, {asked} were asked for")]
    Size {
        /// Entries of the log.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
}

/// Root of the tree over the first `size` entries. `read` gives the hashes of a tile.
pub fn root<E>(size: u64, read: impl FnMut(TileId) -> Result<Vec<HashBytes>, E>) -> Result<HashBytes, TileError<E>> {
    Tree { size, read }.range(0..size)
}

/// The nodes that prove entry `index` in the tree of `size` entries, for [`tree::verify_inclusion`].
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    read: impl FnMut(TileId) -> Result<Vec<HashBytes>, E>,
) -> Result<Vec<HashBytes>, TileError<E>> {
    if index >= size {
        return Err(TileError::Size { size, asked: index });
    }
    let mut tree = Tree { size, read };
    let (mut range, mut proof) = (0..size, Vec::new());
    while range.end - range.start > 1 {
        let (left, right) = split(&range);
        let (inside, sibling) = if index < left.end { (left, right) } else { (right, left) };
        proof.push(tree.range(sibling)?);
        range = inside;
    }
    proof.reverse();
    Ok(proof)
}

/// The nodes that prove that the tree of `old` entries is the beginning of the one of `new`, for [`tree::verify_consistency`].
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    read: impl FnMut(TileId) -> Result<Vec<HashBytes>, E>,
) -> Result<Vec<HashBytes>, TileError<E>> {
    if old > new {
        return Err(TileError::Size { size: new, asked: old });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut tree = Tree { size: new, read };
    let (mut range, mut proof) = (0..new, Vec::new());
    while range.end != old {
        let (left, right) = split(&range);
        let (inside, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        proof.push(tree.range(sibling)?);
        range = inside;
    }
    // The old tree's own root is known to whoever asks, any other part of it is not.
    if range.start > 0 {
        proof.push(tree.range(range)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The halves of a range of more than one leaf: the left one is the largest power of two that leaves something.
fn split(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let count = range.end - range.start;
    let half = 1_u64 << (63 - (count - 1).leading_zeros());
    let middle = range.start + half;
    (range.start..middle, middle..range.end)
}

struct Tree<R> {
    size: u64,
    read: R,
}

impl<E, R: FnMut(TileId) -> Result<Vec<HashBytes>, E>> Tree<R> {
    /// Hash over a range that is a node of the tree, or its right edge.
    fn range(&mut self, range: Range<u64>) -> Result<HashBytes, TileError<E>> {
        let count = range.end - range.start;
        if count == 0 {
            return Ok(tree::root(&[]));
        }
        if count.is_power_of_two() {
            return self.node(range.start, count);
        }
        let (left, right) = split(&range);
        let left = self.range(left)?;
        Ok(tree::node_hash(&left, &self.range(right)?))
    }

    /// Hash of a whole subtree: out of the highest tile that has it or its parts.
    fn node(&mut self, start: u64, count: u64) -> Result<HashBytes, TileError<E>> {
        let height = count.trailing_zeros();
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let at = start >> (8 * u32::from(level));
        let asked = start.saturating_add(count);
        let size = self.size;
        let tile = TileId::of(level, at, size).ok_or(TileError::Size { size, asked })?;
        let hashes = (self.read)(tile)?;
        let found = hashes.len();
        if found as u64 != tile.width {
            return Err(TileError::Width { tile, found });
        }
        let first = usize::try_from(at % super::TILE_WIDTH).unwrap_or(usize::MAX);
        let part = hashes.get(first..).and_then(|rest| rest.get(..1 << (height % 8)));
        part.map(tree::root).ok_or(TileError::Size { size, asked })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::log::{TileKind, TileWriter};
    use crate::tree::leaf_hash;

    fn log(count: u64) -> (Vec<HashBytes>, BTreeMap<TileId, Vec<HashBytes>>) {
        let leaves: Vec<_> = (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        let mut writer = TileWriter::default();
        let mut tiles: BTreeMap<_, _> = leaves.iter().flat_map(|leaf| writer.push(*leaf)).collect();
        tiles.extend(writer.partial());
        (leaves, tiles)
    }

    fn reader(tiles: &BTreeMap<TileId, Vec<HashBytes>>) -> impl FnMut(TileId) -> Result<Vec<HashBytes>, String> {
        |tile| tiles.get(&tile).cloned().ok_or_else(|| format!("{tile} is missing"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tiles_give_the_roots_and_proofs_of_the_leaves(count in 1u64..1400, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
            let (leaves, tiles) = log(count);
            prop_assert_eq!(root(count, reader(&tiles)).unwrap(), tree::root(&leaves));
            let index = at.index(leaves.len());
            let proof = inclusion_proof(index as u64, count, reader(&tiles)).unwrap();
            prop_assert_eq!(Some(proof), tree::inclusion_proof(&leaves, index));
            let old = old.index(leaves.len() + 1);
            let proof = consistency_proof(old as u64, count, reader(&tiles)).unwrap();
            prop_assert_eq!(Some(proof), tree::consistency_proof(&leaves, old));
        }
    }

    /// Our tiles as another implementation reads them.
    struct Served<'a>(&'a BTreeMap<TileId, Vec<HashBytes>>);

    impl tlog_tiles::TileReader for Served<'_> {
        fn height(&self) -> u8 {
            8
        }

        fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
            let read = |tile: &tlog_tiles::Tile| {
                let name = TileId {
                    kind: TileKind::Hashes(tile.level()),
                    index: tile.level_index(),
                    width: u64::from(tile.width()),
                };
                let hashes = self.0.get(&name).ok_or(tlog_tiles::Error::InvalidTile)?;
                Ok(hashes.iter().flat_map(|hash| hash.0).collect())
            };
            tiles.iter().map(read).collect()
        }

        fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
    }

    #[test]
    fn another_implementation_proves_our_entries_from_our_tiles() {
        for count in [1, 2, 255, 256, 257, 700, 66_000] {
            let (leaves, tiles) = log(count);
            let head = tlog_tiles::Hash(root(count, reader(&tiles)).unwrap().0);
            let served = Served(&tiles);
            let hashes = tlog_tiles::TileHashReader::new(count, head, &served);
            assert_eq!(tlog_tiles::tree_hash(count, &hashes).unwrap(), head);
            for index in [0, count / 2, count - 1] {
                let theirs = tlog_tiles::prove_record(count, index, &hashes).unwrap();
                let ours = inclusion_proof(index, count, reader(&tiles)).unwrap();
                assert_eq!(
                    theirs.iter().map(|hash| hash.0).collect::<Vec<_>>(),
                    ours.iter().map(|hash| hash.0).collect::<Vec<_>>()
                );
                let leaf = tlog_tiles::Hash(leaves[index as usize].0);
                assert!(tlog_tiles::check_record(&theirs, count, head, index, leaf).is_ok());
            }
            let old = count.div_ceil(2);
            let theirs = tlog_tiles::prove_tree(count, old, &hashes).unwrap();
            let before = tlog_tiles::Hash(tree::root(&leaves[..old as usize]).0);
            assert!(tlog_tiles::check_tree(&theirs, count, head, old, before).is_ok());
        }
    }

    #[test]
    fn a_log_of_three_levels_has_the_root_of_its_leaves() {
        let (leaves, tiles) = log(65_536 + 256 + 3);
        assert_eq!(root(leaves.len() as u64, reader(&tiles)).unwrap(), tree::root(&leaves));
        assert!(tiles.contains_key(&TileId::parse("tile/2/000.p/1").unwrap()));
    }

    #[test]
    fn a_missing_or_short_tile_is_named() {
        let (_, mut tiles) = log(300);
        let edge = TileId::parse("tile/0/001.p/44").unwrap();
        tiles.get_mut(&edge).unwrap().pop();
        let short = root(300, reader(&tiles)).unwrap_err();
        assert_eq!(short, TileError::Width { tile: edge, found: 43 });
        tiles.remove(&edge);
        assert_eq!(
            inclusion_proof(299, 300, reader(&tiles)).unwrap_err().to_string(),
            "tile/0/001.p/44 is missing"
        );
        assert_eq!(
            inclusion_proof(300, 300, reader(&tiles)).unwrap_err(),
            TileError::Size { size: 300, asked: 300 }
        );
        assert!(consistency_proof(301, 300, reader(&tiles)).is_err());
    }
}
