//! The log of receipts as standard tools read it: tiles of C2SP tlog-tiles and checkpoints in signed notes.
//!
//! An entry of the log is the 32 bytes of a receipt's id, in the order of the proxy's log; a leaf is `SHA-256(0x00 ‖ entry)`. So
//! the tree is that of [`crate::tree`], and a root is the one that the proxy contract anchors. Receipts themselves stand beside
//! the tiles, because a worker's signature may be added to them later.
//!
//! ```
//! use cocoon_receipt::log::{TileWriter, inclusion_proof, root};
//! use cocoon_receipt::tree::{leaf_hash, verify_inclusion};
//! let mut writer = TileWriter::default();
//! let mut tiles = std::collections::BTreeMap::new();
//! for number in 0..300_u32 {
//!     tiles.extend(writer.push(leaf_hash(&number.to_be_bytes())));
//! }
//! tiles.extend(writer.partial());
//! let read = |tile| tiles.get(&tile).cloned().ok_or("a tile is missing");
//! let head = root(300, read)?;
//! assert_eq!(head, writer.root());
//! let proof = inclusion_proof(7, 300, read)?;
//! assert!(verify_inclusion(&leaf_hash(&7_u32.to_be_bytes()), 7, 300, &proof, &head));
//! # Ok::<(), cocoon_receipt::log::TileError<&str>>(())
//! ```

mod cells;
mod checkpoint;
#[cfg(test)]
mod golden;
mod included;
mod proofs;
mod tiles;

pub use checkpoint::{Checkpoint, CheckpointError, Cosignature, WitnessKey};
pub use included::{IncludedError, verify_included};
pub use proofs::{TileError, consistency_proof, inclusion_proof, root};
pub use tiles::{TILE_WIDTH, TileId, TileKind, TileWriter};
