//! Tiles: runs of 256 hashes of one level, under names that never change once they are full (C2SP tlog-tiles). What stands beside
//! them, 256 items in each, is named in the same way.

use std::fmt;

use cocoon_bindings::ton::HashBytes;

use crate::tree;

/// Hashes in a full tile: tiles are eight levels high.
pub const TILE_WIDTH: u64 = 256;

/// Levels of tiles that a tree of 2^64 leaves has.
const MAX_LEVELS: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of subtrees with 256^level leaves each.
    Hashes(u8),
    /// The entries themselves, each after its length in two big-endian bytes.
    Entries,
    /// The receipts of the same entries. Not of tlog-tiles.
    Receipts,
    /// The workers' signatures over the statements of the same entries. Not of tlog-tiles.
    Signatures,
}

impl TileKind {
    /// The kinds that have one item for each entry.
    pub const BUNDLES: [Self; 3] = [Self::Entries, Self::Receipts, Self::Signatures];
}

/// The name of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// What it holds.
    pub kind: TileKind,
    /// Its place in the level.
    pub index: u64,
    /// How many hashes or entries it holds: 1 to 256; fewer than 256 at the right edge only.
    pub width: u64,
}

impl TileId {
    /// The tile of a level that holds hash `at` in a tree of `size` leaves; `None` when there is none.
    pub fn of(level: u8, at: u64, size: u64) -> Option<Self> {
        let nodes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let index = at / TILE_WIDTH;
        (at < nodes).then(|| Self {
            kind: TileKind::Hashes(level),
            index,
            width: (nodes - index * TILE_WIDTH).min(TILE_WIDTH),
        })
    }

    /// The bundle of a kind that holds the items from `256 × index` on in a log of `size` entries; `None` when there is none.
    pub fn bundle(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let first = index.checked_mul(TILE_WIDTH).filter(|first| *first < size)?;
        let width = (size - first).min(TILE_WIDTH);
        Some(Self { kind, index, width })
    }

    /// Whether it is whole.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// From its path; `None` for every other text, so that one tile has one path.
    pub fn parse(path: &str) -> Option<Self> {
        let (first, rest) = path.split_once('/')?;
        let (kind, rest) = match first {
            "receipts" => (TileKind::Receipts, rest),
            "signatures" => (TileKind::Signatures, rest),
            "tile" => match rest.split_once('/')? {
                ("entries", rest) => (TileKind::Entries, rest),
                (digit, rest) => {
                    let level = digit.parse().ok().filter(|level| *level < MAX_LEVELS)?;
                    (TileKind::Hashes(level), rest)
                }
            },
            _ => return None,
        };
        let (place, width) = match rest.split_once(".p/") {
            Some((place, width)) => (place, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0_u64;
        for part in place.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            let thousand: u64 = digits.parse().ok().filter(|number| *number < 1000)?;
            index = index.checked_mul(1000)?.checked_add(thousand)?;
        }
        let tile = Self { kind, index, width };
        // Signs, leading zeros and a partial tile of no or of full width come out as another path.
        ((1..=TILE_WIDTH).contains(&width) && tile.to_string() == path).then_some(tile)
    }
}

/// The path under which it is served: `tile/0/x001/x234/067`, `tile/entries/000.p/5`, `receipts/000.p/5`.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Receipts => f.write_str("receipts/")?,
            TileKind::Signatures => f.write_str("signatures/")?,
        }
        let mut thousands = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            thousands.push(rest % 1000);
            rest /= 1000;
        }
        for (place, thousand) in thousands.iter().enumerate().rev() {
            if place > 0 {
                write!(f, "x{thousand:03}/")?;
            } else {
                write!(f, "{thousand:03}")?;
            }
        }
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

/// Makes the tiles of a log that grows, and forgets them when they are full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TileWriter {
    size: u64,
    /// Per level the hashes of the tile that is not full.
    open: Vec<Vec<HashBytes>>,
}

impl TileWriter {
    /// From the tiles that are not full, as [`TileWriter::partial`] gave them; `None` when they are not those of a tree of `size`
    /// leaves.
    pub fn restore(size: u64, partial: impl IntoIterator<Item = (TileId, Vec<HashBytes>)>) -> Option<Self> {
        let mut partial = partial.into_iter();
        let mut open = Vec::new();
        let mut nodes = size;
        while nodes > 0 {
            let width = nodes % TILE_WIDTH;
            let mut hashes = Vec::new();
            if width > 0 {
                let kind = TileKind::Hashes(u8::try_from(open.len()).ok()?);
                let index = nodes / TILE_WIDTH;
                let (tile, found) = partial.next()?;
                if tile != (TileId { kind, index, width }) || found.len() as u64 != width {
                    return None;
                }
                hashes = found;
            }
            open.push(hashes);
            nodes /= TILE_WIDTH;
        }
        partial.next().is_none().then_some(Self { size, open })
    }

    /// Adds a leaf; returns the tiles that it filled.
    pub fn push(&mut self, leaf: HashBytes) -> Vec<(TileId, Vec<HashBytes>)> {
        let mut filled = Vec::new();
        let (mut hash, mut nodes) = (leaf, self.size);
        self.size += 1;
        for level in 0..MAX_LEVELS {
            if self.open.len() <= usize::from(level) {
                self.open.push(Vec::new());
            }
            let open = &mut self.open[usize::from(level)];
            open.push(hash);
            if (open.len() as u64) < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(open);
            hash = tree::root(&hashes);
            nodes /= TILE_WIDTH;
            let tile = TileId {
                kind: TileKind::Hashes(level),
                index: nodes,
                width: TILE_WIDTH,
            };
            filled.push((tile, hashes));
        }
        filled
    }

    /// The tiles at the right edge that are not full, the lowest level first.
    pub fn partial(&self) -> Vec<(TileId, Vec<HashBytes>)> {
        let mut nodes = self.size;
        let mut partial = Vec::new();
        for (level, hashes) in (0..MAX_LEVELS).zip(&self.open) {
            let index = nodes / TILE_WIDTH;
            if !hashes.is_empty() {
                let kind = TileKind::Hashes(level);
                let width = hashes.len() as u64;
                partial.push((TileId { kind, index, width }, hashes.clone()));
            }
            nodes = index;
        }
        partial
    }

    /// How many leaves were added.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree over them.
    pub fn root(&self) -> HashBytes {
        let whole = self.open.iter().filter(|hashes| !hashes.is_empty());
        // A level stands left of all that is below it.
        let roots = whole.flat_map(|hashes| tree::whole_subtrees(hashes).into_iter().rev());
        roots
            .reduce(|right, left| tree::node_hash(&left, &right))
            .unwrap_or_else(|| tree::root(&[]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::leaf_hash;

    pub(crate) fn leaves(count: u64) -> Vec<HashBytes> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level, index, width| TileId {
            kind: TileKind::Hashes(level),
            index,
            width,
        };
        assert_eq!(hashes(0, 1_234_067, 256).to_string(), "tile/0/x001/x234/067");
        assert_eq!(hashes(0, 0, 1).to_string(), "tile/0/000.p/1");
        assert_eq!(hashes(1, 999, 255).to_string(), "tile/1/999.p/255");
        let entries = TileId {
            kind: TileKind::Entries,
            index: 1000,
            width: 256,
        };
        assert_eq!(entries.to_string(), "tile/entries/x001/000");
        let receipts = TileId::bundle(TileKind::Receipts, 1, 300).map(|bundle| bundle.to_string());
        assert_eq!(receipts.as_deref(), Some("receipts/001.p/44"));
        assert_eq!(TileId::bundle(TileKind::Receipts, 2, 512), None);
        assert_eq!(TileId::bundle(TileKind::Receipts, u64::MAX, 512), None);
    }

    #[test]
    fn another_spelling_of_a_path_is_no_path() {
        let wrong = [
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/0",
            "tile/0/x000/000",
            "tile/00/000",
            "tile/8/000",
            "tile/+1/000",
            "tile/0/001.p/",
            "tile/data/000",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/x001/x234",
            "tile/entries/000.p/+5",
            "tile/receipts/000",
            "receipts/0/000",
            "signatures",
            "entries/000",
            "",
        ];
        for path in wrong {
            assert_eq!(TileId::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_leads_back_to_its_tile(level in 0u8..8, index: u64, width in 1u64..=256, which in 0usize..6) {
            let kind = TileKind::BUNDLES.get(which).copied().unwrap_or(TileKind::Hashes(level));
            let tile = TileId { kind, index, width };
            prop_assert_eq!(TileId::parse(&tile.to_string()), Some(tile));
        }

        #[test]
        fn any_text_is_a_path_or_not_without_panic(text in "(tile|receipts|signatures)/[0-9a-z./]{0,40}") {
            if let Some(tile) = TileId::parse(&text) {
                prop_assert_eq!(tile.to_string(), text);
            }
        }

        #[test]
        fn tiles_have_the_root_of_their_leaves_and_can_be_taken_up_again(count in 0u64..1500, more in 0u64..300) {
            let all = leaves(count + more);
            let mut writer = TileWriter::default();
            for leaf in &all[..count as usize] {
                writer.push(*leaf);
            }
            prop_assert_eq!(writer.root(), tree::root(&all[..count as usize]));
            let mut again = TileWriter::restore(count, writer.partial()).unwrap();
            prop_assert_eq!(again.root(), writer.root());
            for leaf in &all[count as usize..] {
                prop_assert_eq!(again.push(*leaf), writer.push(*leaf));
            }
            prop_assert_eq!(again.partial(), writer.partial());
            prop_assert_eq!(again.root(), tree::root(&all));
        }
    }

    #[test]
    fn what_is_not_the_edge_of_the_tree_is_not_taken_up() {
        let mut writer = TileWriter::default();
        for leaf in leaves(700) {
            writer.push(leaf);
        }
        let partial = writer.partial();
        assert!(TileWriter::restore(701, partial.clone()).is_none());
        assert!(TileWriter::restore(700, partial[1..].to_vec()).is_none());
        assert!(TileWriter::restore(256, partial.clone()).is_none());
        let mut more = partial;
        more.push(more[0].clone());
        assert!(TileWriter::restore(700, more).is_none());
    }
}
