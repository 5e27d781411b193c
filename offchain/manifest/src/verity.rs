//! The hash tree by which a kernel checks a read-only file system block by block: dm-verity, format version 1, SHA-256,
//! blocks of 4096 bytes, as `veritysetup format` writes it and Linux' `dm-verity` reads it.
//!
//! Source: the kernel's `Documentation/admin-guide/device-mapper/verity.rst` and cryptsetup's `DMVerity` page. Every
//! block of data is hashed as SHA-256 of the salt and the block; the hashes fill blocks that are hashed the same way,
//! until one is left, whose hash is the [`RootHash`]. The *hash area* is the superblock, then the levels from that one
//! block down to the hashes of the data, each level padded with zeros to whole blocks.
//!
//! The root hash does not say how many blocks of data there are: who checks a root hash takes their number from the
//! [`Superblock`] and must know by other means, such as the file system's own header, where the data end.
//!
//! [`format()`] makes a hash area in memory. [`TreeWriter`] makes it block by block in constant memory: each block is
//! handed out with its place, once, when it is full. Hashing the data takes nearly all the time and may be done on many
//! threads with [`Salt::hash_block`].
//!
//! ```
//! use cocoon_manifest::verity::{BLOCK_BYTES, Salt, Superblock, format};
//!
//! let data = vec![7; 3 * BLOCK_BYTES];
//! let superblock = Superblock::new([1; 16], Salt::new(&[2; 32])?, 3)?;
//! let (root, hash_area) = format(&superblock, &data)?;
//! assert_eq!(Superblock::parse(&hash_area)?, superblock);
//! println!("{root}");
//! # Ok::<(), cocoon_manifest::ManifestError>(())
//! ```

mod superblock;
mod tree;

pub use superblock::Superblock;
pub use tree::{TreeWriter, format};

use crate::error::ManifestError;
use crate::limits::MAX_SALT_BYTES;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Bytes of a block, of data and of hashes.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes of one hash.
const HASH_BYTES: usize = 32;

/// Hashes in one block.
const HASHES_PER_BLOCK: u64 = (BLOCK_BYTES / HASH_BYTES) as u64;

/// One block, of data or of hashes.
pub type Block = [u8; BLOCK_BYTES];

/// SHA-256 of the salt and a block.
pub type BlockHash = [u8; HASH_BYTES];

/// What is hashed before every block: 0 to 256 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Salt(Vec<u8>);

impl Salt {
    /// A salt; refused above [`MAX_SALT_BYTES`].
    pub fn new(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_SALT_BYTES {
            return Err(ManifestError::SaltLength { size: bytes.len() });
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash of one block.
    pub fn hash_block(&self, block: &Block) -> BlockHash {
        Sha256::new()
            .chain_update(&self.0)
            .chain_update(block)
            .finalize()
            .into()
    }
}

/// The one hash that stands for all data: what a kernel is told, and the last part of a deployed model's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootHash(BlockHash);

impl RootHash {
    /// Wraps a hash that comes from elsewhere.
    pub const fn new(hash: BlockHash) -> Self {
        Self(hash)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &BlockHash {
        &self.0
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootHash({self})")
    }
}

impl FromStr for RootHash {
    type Err = ManifestError;

    /// Reads 64 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::file::parse_hash("root hash", text).map(Self)
    }
}
