//! Tiles that belong to a root: those at the right edge make the root, and each full one has the hash that stands above it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::log::{self, TILE_WIDTH, TileError, TileId, TileKind, TileWriter};
use cocoon_receipt::tree;

use crate::bundle::{self, BundleError};
use crate::error::TlogError;
use crate::limits::KEPT_TILES;
use crate::source::SharedSource;

/// The place of a tile: level and index.
type Place = (u8, u64);
type Hashes = Arc<Vec<HashBytes>>;

/// Tiles of a tree of `size` entries.
#[derive(Debug)]
pub(super) struct VerifiedTiles {
    source: SharedSource,
    size: u64,
    /// Those that are not full, at most one of each level.
    edge: Vec<(Place, Hashes)>,
    /// Full ones above the lowest level that were read, the newest last.
    kept: Mutex<Vec<(Place, Hashes)>>,
}

/// A tile that a computation needs first.
#[derive(Debug, thiserror::Error)]
#[error("tile {0} is needed")]
struct Needed(TileId);

type ReadTile<'a> = dyn Fn(TileId) -> Result<Vec<HashBytes>, Needed> + 'a;

impl VerifiedTiles {
    /// Reads the right edge, which must have this root.
    pub(super) async fn open(source: SharedSource, size: u64, root: HashBytes) -> Result<Self, TlogError> {
        let mut edge = Vec::new();
        let mut level = 0;
        while let Some(nodes) = size.checked_shr(8 * u32::from(level)).filter(|nodes| *nodes > 0) {
            let (index, width) = (nodes / TILE_WIDTH, nodes % TILE_WIDTH);
            if width > 0 {
                let kind = TileKind::Hashes(level);
                let file = File::fetch(&source, TileId { kind, index, width }).await?;
                edge.push((TileId { kind, index, width }, file.hashes()?));
            }
            level += 1;
        }
        let places = edge.iter().filter_map(|(tile, hashes)| match tile.kind {
            TileKind::Hashes(level) => Some(((level, tile.index), Arc::new(hashes.clone()))),
            _ => None,
        });
        let places = places.collect();
        let found = TileWriter::restore(size, edge).map(|writer| writer.root());
        let found = found.unwrap_or(HashBytes::ZERO);
        if found != root {
            let signed = root;
            return Err(TlogError::Root { size, found, signed });
        }
        Ok(Self {
            source,
            size,
            edge: places,
            kept: Mutex::default(),
        })
    }

    /// The tile of leaves with this number.
    pub(super) async fn lowest(&self, index: u64) -> Result<Hashes, TlogError> {
        self.tile((0, index)).await
    }

    fn known(&self, place: Place) -> Option<Hashes> {
        let find = |tiles: &[(Place, Hashes)]| {
            let found = tiles.iter().find(|(known, _)| *known == place);
            found.map(|(_, hashes)| Arc::clone(hashes))
        };
        let kept = || find(&self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        find(&self.edge).or_else(kept)
    }

    /// A tile of the tree. What is above it is read first, up to what is known.
    async fn tile(&self, place: Place) -> Result<Hashes, TlogError> {
        let (level, index) = place;
        let asked = index.saturating_mul(TILE_WIDTH);
        let size = self.size;
        TileId::of(level, asked, size).ok_or(TlogError::Size { size, asked })?;
        let mut unread = Vec::new();
        let (mut level, mut index) = place;
        let mut hashes = loop {
            if let Some(known) = self.known((level, index)) {
                break known;
            }
            unread.push((level, index));
            // The edge ends this: above a full tile there is its parent, which is full or at the edge.
            if usize::from(level) >= 8 {
                return Err(TlogError::Size { size, asked });
            }
            (level, index) = (level + 1, index / TILE_WIDTH);
        };
        while let Some((level, index)) = unread.pop() {
            let tile = TileId {
                kind: TileKind::Hashes(level),
                index,
                width: TILE_WIDTH,
            };
            let read = File::fetch(&self.source, tile).await?.hashes()?;
            let above = usize::try_from(index % TILE_WIDTH).ok().and_then(|at| hashes.get(at));
            if above != Some(&tree::root(&read)) {
                return Err(TlogError::Tile { path: tile.to_string() });
            }
            hashes = Arc::new(read);
            if level > 0 {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= KEPT_TILES {
                    kept.remove(0);
                }
                kept.push(((level, index), Arc::clone(&hashes)));
            }
        }
        Ok(hashes)
    }

    /// Root of the tree over the first `size` entries.
    pub(super) async fn root(&self, size: u64) -> Result<HashBytes, TlogError> {
        if size > self.size {
            return Err(TlogError::Size {
                size: self.size,
                asked: size,
            });
        }
        self.compute(|read| log::root(size, read)).await
    }

    pub(super) async fn inclusion_proof(&self, index: u64) -> Result<Vec<HashBytes>, TlogError> {
        self.compute(|read| log::inclusion_proof(index, self.size, read)).await
    }

    pub(super) async fn consistency_proof(&self, old: u64) -> Result<Vec<HashBytes>, TlogError> {
        self.compute(|read| log::consistency_proof(old, self.size, read)).await
    }

    /// Computes something from tiles: again and again, each time with the one tile more that was missing. A proof takes two of
    /// each level.
    async fn compute<T>(
        &self,
        computed: impl Fn(&ReadTile<'_>) -> Result<T, TileError<Needed>>,
    ) -> Result<T, TlogError> {
        let mut read: Vec<(Place, Hashes)> = Vec::new();
        loop {
            let needed = match computed(&|tile: TileId| find(&read, tile)) {
                Ok(value) => return Ok(value),
                Err(TileError::Read(Needed(tile)) | TileError::Width { tile, .. }) => tile,
                Err(TileError::Size { size, asked }) => return Err(TlogError::Size { size, asked }),
                Err(_) => return Err(TlogError::Proof("it cannot be computed from the tiles")),
            };
            let (TileKind::Hashes(level), index) = (needed.kind, needed.index) else {
                return Err(TlogError::Tile {
                    path: needed.to_string(),
                });
            };
            let place = (level, index);
            if read.iter().any(|(known, _)| *known == place) {
                return Err(TlogError::Tile {
                    path: needed.to_string(),
                });
            }
            read.push((place, self.tile(place).await?));
        }
    }
}

/// The tile as a smaller tree has it: the beginning of the one that is there now.
fn find(read: &[(Place, Hashes)], tile: TileId) -> Result<Vec<HashBytes>, Needed> {
    let TileKind::Hashes(level) = tile.kind else {
        return Err(Needed(tile));
    };
    let found = read.iter().find(|(place, _)| *place == (level, tile.index));
    let width = usize::try_from(tile.width).unwrap_or(usize::MAX);
    let beginning = found.and_then(|(_, hashes)| hashes.get(..width));
    beginning.map(<[_]>::to_vec).ok_or(Needed(tile))
}

/// A file with the items that were asked for, and perhaps more behind them.
pub(crate) struct File {
    path: String,
    bytes: Bytes,
    /// How many items are wanted.
    width: u64,
    /// How many it has.
    whole: u64,
}

/// The bundle of a kind that holds the entries from `256 × index` on.
pub(crate) async fn read(source: &SharedSource, kind: TileKind, index: u64, size: u64) -> Result<File, TlogError> {
    let tile = TileId::bundle(kind, index, size).ok_or(TlogError::Size {
        size,
        asked: index.saturating_mul(TILE_WIDTH),
    })?;
    File::fetch(source, tile).await
}

impl File {
    /// Reads a tile. Of one that has become full since, the partial form may be gone.
    pub(crate) async fn fetch(source: &SharedSource, tile: TileId) -> Result<Self, TlogError> {
        let width = tile.width;
        let full = TileId {
            width: TILE_WIDTH,
            ..tile
        };
        for tile in [tile, full] {
            let path = tile.to_string();
            if let Some(bytes) = source.read(&path).await? {
                let whole = tile.width;
                return Ok(Self {
                    path,
                    bytes,
                    width,
                    whole,
                });
            }
        }
        Err(TlogError::Missing { path: tile.to_string() })
    }

    pub(crate) fn items<T>(
        &self,
        decode: impl FnOnce(&Bytes, u64, u64) -> Result<Vec<T>, BundleError>,
    ) -> Result<Vec<T>, TlogError> {
        decode(&self.bytes, self.width, self.whole).map_err(|source| TlogError::Bundle {
            path: self.path.clone(),
            source,
        })
    }

    fn hashes(&self) -> Result<Vec<HashBytes>, TlogError> {
        self.items(|bytes, width, whole| bundle::hashes(bytes, width, whole))
    }
}
