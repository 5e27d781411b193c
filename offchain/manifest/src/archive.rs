//! A model's folder as one read-only file system whose bytes follow from the files alone: same files, same bytes, on any
//! machine and with any later version of this crate. Its dm-verity root hash is the last part of a model's name.
//!
//! The file system is EROFS without compression (Linux' `Documentation/filesystems/erofs.rst`, `fs/erofs/erofs_fs.h`),
//! which every kernel since 5.4 reads: weights do not shrink, a guest reads and maps them as they lie, and the bytes do
//! not hang on a version of a compressor. Owner 0:0, modes 0444 and 0555, times 0.
//!
//! ```text
//! 0                     superblock at byte 1024, then 64 bytes for each inode, up to a whole block
//! directories           blocks of names, each directory from a block of its own
//! files                 in ascending order of path, each from a block of its own, zeros up to a whole block
//! hash area             superblock and tree of dm-verity (see crate::verity), no salt
//! ```
//!
//! The length of the file system, where the hash area begins, is in the EROFS superblock, so a root hash alone fixes
//! the whole archive.

mod directory;
mod inode;
mod layout;
mod reading;

pub use layout::{Layout, PlacedFile};

use crate::error::ManifestError;
use crate::verity::{BLOCK_BYTES, Salt, Superblock};

/// Bytes of a block, as a size in a file.
const BLOCK: u64 = BLOCK_BYTES as u64;

/// The identity of the file system and of its hash tree: the same for all, as it may not depend on anything.
const UUID: [u8; 16] = *b"cocoon model v1\0";

impl Layout {
    /// The superblock of the hash tree over this file system. The hash area follows the file system at once.
    pub fn verity(&self) -> Result<Superblock, ManifestError> {
        Superblock::new(UUID, Salt::default(), self.blocks())
    }
}
