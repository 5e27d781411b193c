//! Taking a log up again at its last checkpoint.

use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::{Checkpoint, TILE_WIDTH, TileId, TileKind, TileWriter};
use cocoon_receipt::tree::leaf_hash;

use super::{LogWriter, MARK, Mark, Open, PENDING};
use crate::bundle::{self, BundleError};
use crate::error::{TlogError, disk};
use crate::folder::Files;
use crate::paths::CHECKPOINT;

pub(super) fn open(files: Files, key: PublicKey) -> Result<LogWriter, TlogError> {
    let sealed = match files.read(CHECKPOINT).map_err(disk("read", CHECKPOINT))? {
        None => None,
        Some(bytes) => {
            let note = String::from_utf8_lossy(&bytes).into_owned();
            let checkpoint = Checkpoint::open(&note, &Checkpoint::origin_of(&key), &key)?;
            Some((note, checkpoint))
        }
    };
    let (tiles, open) = match &sealed {
        None => (TileWriter::default(), Open::default()),
        Some((_, checkpoint)) => restore(&files, checkpoint)?,
    };
    let mark = files.read(MARK).map_err(disk("read", MARK))?;
    let mark = mark.and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
    let pending = match files.read(PENDING).map_err(disk("read", PENDING))? {
        None => None,
        Some(bytes) => {
            let note = String::from_utf8_lossy(&bytes).into_owned();
            Checkpoint::open(&note, &Checkpoint::origin_of(&key), &key)?;
            Some(note)
        }
    };
    Ok(LogWriter {
        pending,
        mark: mark.filter(|mark| mark.size == tiles.size()),
        files,
        key,
        tiles,
        open,
        late: Default::default(),
        filled: Default::default(),
        sealed: sealed.map(|(note, _)| note),
        challenges: None,
        is_broken: false,
    })
}

/// The right edge of the tree of a checkpoint, and the bundle that is not full.
fn restore(files: &Files, checkpoint: &Checkpoint) -> Result<(TileWriter, Open), TlogError> {
    let (size, signed) = (checkpoint.size, checkpoint.root);
    let mut partial = Vec::new();
    let (mut nodes, mut level) = (size, 0);
    while nodes > 0 {
        let (index, width) = (nodes / TILE_WIDTH, nodes % TILE_WIDTH);
        let kind = TileKind::Hashes(level);
        let tile = TileId { kind, index, width };
        if width > 0 {
            let hashes = read_items(files, tile, |bytes, width, whole| bundle::hashes(bytes, width, whole))?;
            partial.push((tile, hashes));
        }
        (nodes, level) = (index, level + 1);
    }
    let tiles = TileWriter::restore(size, partial);
    let found = tiles.as_ref().map_or(HashBytes::ZERO, TileWriter::root);
    let Some(tiles) = tiles.filter(|_| found == signed) else {
        return Err(TlogError::Root { size, found, signed });
    };
    let (index, width) = (size / TILE_WIDTH, size % TILE_WIDTH);
    if width == 0 {
        return Ok((tiles, Open::default()));
    }
    let tile = |kind| TileId { kind, index, width };
    let ids = read_items(files, tile(TileKind::Entries), bundle::entries)?;
    let leaves = tiles.partial();
    let leaves = leaves.first().map(|(_, leaves)| leaves.as_slice()).unwrap_or_default();
    if let Some(at) = (0..ids.len()).find(|at| leaves.get(*at) != Some(&leaf_hash(ids[*at].0.as_slice()))) {
        let index = index * TILE_WIDTH + at as u64;
        return Err(TlogError::Entry { index });
    }
    let receipts = read_items(files, tile(TileKind::Receipts), bundle::receipts)?;
    let open = Open {
        ids,
        receipts: receipts.iter().map(|receipt| receipt.to_vec()).collect(),
        signatures: read_items(files, tile(TileKind::Signatures), bundle::signatures)?,
    };
    Ok((tiles, open))
}

/// Items of a bundle or tile that must be there, by its own name or, since it was filled before a crash, as the beginning of the
/// full one.
pub(super) fn read_items<T>(
    files: &Files,
    tile: TileId,
    decode: impl FnOnce(&Bytes, u64, u64) -> Result<Vec<T>, BundleError>,
) -> Result<Vec<T>, TlogError> {
    let full = TileId {
        width: TILE_WIDTH,
        ..tile
    };
    for found in [tile, full] {
        let path = found.to_string();
        if let Some(bytes) = files.read(&path).map_err(disk("read", &path))? {
            let items = decode(&bytes.into(), tile.width, found.width);
            return items.map_err(|source| TlogError::Bundle { path, source });
        }
    }
    Err(TlogError::Missing { path: tile.to_string() })
}
