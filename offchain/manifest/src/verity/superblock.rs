//! The first block of a hash area.

use super::{BLOCK_BYTES, Block, HASHES_PER_BLOCK, Salt};
use crate::error::ManifestError;
use crate::limits::{MAX_DATA_BLOCKS, MAX_SALT_BYTES};

const SIGNATURE: &[u8; 8] = b"verity\0\0";
const VERSION: u32 = 1;
/// The salt is hashed before the block, not after it as in Chrome OS.
const HASH_TYPE: u32 = 1;
const ALGORITHM: &[u8; 6] = b"sha256";

// Offsets of the fields; integers are little-endian.
const UUID: usize = 16;
const ALGORITHM_NAME: usize = 32;
const DATA_BLOCK_BYTES: usize = 64;
const HASH_BLOCK_BYTES: usize = 68;
const DATA_BLOCKS: usize = 72;
const SALT_LENGTH: usize = 80;
const SALT: usize = 88;

/// What a kernel has to know of a hash tree besides the root hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Superblock {
    uuid: [u8; 16],
    salt: Salt,
    data_blocks: u64,
}

impl Superblock {
    /// A superblock for `data_blocks` blocks of data; there must be 1 to [`MAX_DATA_BLOCKS`]. `uuid` names the hash
    /// area and does not enter the root hash.
    pub fn new(uuid: [u8; 16], salt: Salt, data_blocks: u64) -> Result<Self, ManifestError> {
        if data_blocks == 0 || data_blocks > MAX_DATA_BLOCKS {
            return Err(ManifestError::DataBlocks { count: data_blocks });
        }
        Ok(Self {
            uuid,
            salt,
            data_blocks,
        })
    }

    /// Reads the beginning of a hash area. Other versions, algorithms and block sizes are refused, and so is anything
    /// but zeros in a place that has no meaning.
    pub fn parse(hash_area: &[u8]) -> Result<Self, ManifestError> {
        let refuse = |field| ManifestError::Superblock { field };
        let (block, _) = hash_area.split_first_chunk::<BLOCK_BYTES>().ok_or(refuse("length"))?;
        let number = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&block[UUID..ALGORITHM_NAME]);
        let data_blocks = u64::from(number(DATA_BLOCKS)) | u64::from(number(DATA_BLOCKS + 4)) << 32;
        let salt_length = usize::from(u16::from_le_bytes([block[SALT_LENGTH], block[SALT_LENGTH + 1]]));
        let salt = block[SALT..SALT + MAX_SALT_BYTES]
            .get(..salt_length)
            .ok_or(refuse("salt"))?;
        let superblock = Self::new(uuid, Salt::new(salt)?, data_blocks)?;
        let expected = superblock.to_block();
        // Each field by its name, then the rest, which has one possible content.
        let fields = [
            ("signature", 0..8),
            ("version", 8..12),
            ("hash type", 12..UUID),
            ("algorithm", ALGORITHM_NAME..DATA_BLOCK_BYTES),
            ("data block size", DATA_BLOCK_BYTES..HASH_BLOCK_BYTES),
            ("hash block size", HASH_BLOCK_BYTES..DATA_BLOCKS),
            ("padding", 0..BLOCK_BYTES),
        ];
        match fields
            .into_iter()
            .find(|(_, range)| block[range.clone()] != expected[range.clone()])
        {
            Some((field, _)) => Err(refuse(field)),
            None => Ok(superblock),
        }
    }

    /// The one byte form.
    pub fn to_block(&self) -> Block {
        let mut block = [0; BLOCK_BYTES];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, SIGNATURE);
        put(8, &VERSION.to_le_bytes());
        put(12, &HASH_TYPE.to_le_bytes());
        put(UUID, &self.uuid);
        put(ALGORITHM_NAME, ALGORITHM);
        put(DATA_BLOCK_BYTES, &(BLOCK_BYTES as u32).to_le_bytes());
        put(HASH_BLOCK_BYTES, &(BLOCK_BYTES as u32).to_le_bytes());
        put(DATA_BLOCKS, &self.data_blocks.to_le_bytes());
        let salt = self.salt.as_bytes();
        put(SALT_LENGTH, &(salt.len() as u16).to_le_bytes());
        put(SALT, salt);
        block
    }

    /// The name of the hash area.
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// What is hashed before every block.
    pub fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Blocks of data.
    pub fn data_blocks(&self) -> u64 {
        self.data_blocks
    }

    /// Blocks of the whole hash area: this superblock and the tree.
    pub fn hash_area_blocks(&self) -> u64 {
        1 + self.level_blocks().iter().sum::<u64>()
    }

    /// Blocks of each level, from the hashes of the data up; empty for one block of data, whose hash is the root.
    pub(super) fn level_blocks(&self) -> Vec<u64> {
        let mut levels = Vec::new();
        let mut blocks = self.data_blocks;
        while blocks > 1 {
            blocks = blocks.div_ceil(HASHES_PER_BLOCK);
            levels.push(blocks);
        }
        levels
    }
}
