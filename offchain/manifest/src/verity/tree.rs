//! The tree over the data, block by block.

use super::{BLOCK_BYTES, Block, BlockHash, HASH_BYTES, RootHash, Salt, Superblock};
use crate::error::ManifestError;

/// One level of the tree, while it is made.
struct Level {
    /// Place of the level's next block in the hash area.
    place: u64,
    block: Box<Block>,
    /// Bytes of `block` that hold hashes.
    filled: usize,
}

/// Makes a hash area from the hashes of the data in their order. Holds one block for each level and nothing else.
pub struct TreeWriter {
    salt: Salt,
    data_blocks: u64,
    pushed: u64,
    levels: Vec<Level>,
    /// The superblock until it was handed out.
    superblock: Option<Box<Block>>,
    root: Option<BlockHash>,
}

impl TreeWriter {
    /// A tree for as many blocks of data as `superblock` says.
    pub fn new(superblock: &Superblock) -> Self {
        let sizes = superblock.level_blocks();
        // The topmost level stands first, behind the superblock.
        let mut place = superblock.hash_area_blocks();
        let levels = sizes.iter().map(|blocks| {
            place -= blocks;
            Level {
                place,
                block: Box::new([0; BLOCK_BYTES]),
                filled: 0,
            }
        });
        Self {
            levels: levels.collect(),
            salt: superblock.salt().clone(),
            data_blocks: superblock.data_blocks(),
            pushed: 0,
            superblock: Some(Box::new(superblock.to_block())),
            root: None,
        }
    }

    /// Takes the next block of data. `write` gets each finished block of the hash area with its place, counted in blocks
    /// from the superblock, which is block 0 and comes first.
    pub fn push_block<E: From<ManifestError>>(
        &mut self,
        block: &Block,
        write: impl FnMut(u64, &Block) -> Result<(), E>,
    ) -> Result<(), E> {
        self.push_hash(self.salt.hash_block(block), write)
    }

    /// Takes the hash of the next block of data, computed by [`Salt::hash_block`].
    pub fn push_hash<E: From<ManifestError>>(
        &mut self,
        hash: BlockHash,
        mut write: impl FnMut(u64, &Block) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.pushed == self.data_blocks {
            return Err(self.miscounted(self.pushed.saturating_add(1)).into());
        }
        self.pushed += 1;
        if let Some(superblock) = self.superblock.take() {
            write(0, &superblock)?;
        }
        self.add(hash, self.pushed == self.data_blocks, &mut write)
    }

    /// The root hash, once all blocks of data were taken.
    pub fn finish(self) -> Result<RootHash, ManifestError> {
        match self.root {
            Some(root) => Ok(RootHash::new(root)),
            None => Err(self.miscounted(self.pushed)),
        }
    }

    /// Adds a hash to the lowest level and, where a block is full by it, that block's hash to the level above.
    /// The `last` hash completes the blocks of all levels.
    fn add<E>(
        &mut self,
        mut hash: BlockHash,
        last: bool,
        write: &mut impl FnMut(u64, &Block) -> Result<(), E>,
    ) -> Result<(), E> {
        for level in &mut self.levels {
            level.block[level.filled..level.filled + HASH_BYTES].copy_from_slice(&hash);
            level.filled += HASH_BYTES;
            if level.filled < BLOCK_BYTES && !last {
                return Ok(());
            }
            level.block[level.filled..].fill(0);
            write(level.place, &level.block)?;
            hash = self.salt.hash_block(&level.block);
            level.place += 1;
            level.filled = 0;
        }
        // Only the last hash comes up here: one level up there are never more hashes than fill the blocks.
        self.root = last.then_some(hash);
        Ok(())
    }

    fn miscounted(&self, count: u64) -> ManifestError {
        ManifestError::BlockCount {
            expected: self.data_blocks,
            count,
        }
    }
}

/// The root hash and the whole hash area of `data`, which must be as many whole blocks as `superblock` says. For data
/// that are in memory anyway; their hash area is 1/127 of their size.
pub fn format(superblock: &Superblock, data: &[u8]) -> Result<(RootHash, Vec<u8>), ManifestError> {
    let (blocks, rest) = data.as_chunks::<BLOCK_BYTES>();
    let whole = blocks.len() as u64;
    if !rest.is_empty() || whole != superblock.data_blocks() {
        return Err(ManifestError::BlockCount {
            expected: superblock.data_blocks(),
            count: whole + u64::from(!rest.is_empty()),
        });
    }
    let size = superblock.hash_area_blocks() as usize * BLOCK_BYTES;
    let mut hash_area = vec![0; size];
    let mut tree = TreeWriter::new(superblock);
    for block in blocks {
        tree.push_block(block, |place, block| {
            let at = place as usize * BLOCK_BYTES;
            hash_area[at..at + BLOCK_BYTES].copy_from_slice(block);
            Ok::<(), ManifestError>(())
        })?;
    }
    Ok((tree.finish()?, hash_area))
}
