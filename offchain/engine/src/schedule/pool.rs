//! The blocks of the cache: who uses them, which are free, which still hold something worth finding.

use super::prefix::BlockHash;
use crate::model::BlockId;
use std::collections::{BTreeMap, HashMap};

/// All blocks. A block is used by the tables of one or more sequences, or it is free; a free block whose content is known
/// by its hash is kept and can be found until it is needed for something else.
#[derive(Debug)]
pub(super) struct BlockPool {
    blocks: Vec<Block>,
    /// Blocks by content. A second block of the same content is not listed.
    by_hash: HashMap<BlockHash, BlockId>,
    /// Free blocks without content.
    blank: Vec<BlockId>,
    /// Free blocks with content, in the order of their release.
    kept: BTreeMap<u64, BlockId>,
    /// Number of the next release.
    next_release: u64,
}

#[derive(Debug, Clone, Default)]
struct Block {
    /// Tables that hold the block.
    users: u32,
    /// What its content is listed under.
    hash: Option<BlockHash>,
    /// Its place in `kept`, if it is there.
    release: u64,
}

impl BlockPool {
    /// `count` blank blocks with ids from 0.
    pub(super) fn new(count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            blocks: vec![Block::default(); count as usize],
            by_hash: HashMap::new(),
            blank: (0..count).rev().map(BlockId).collect(),
            kept: BTreeMap::new(),
            next_release: 0,
        }
    }

    /// All blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Blocks that no table holds.
    pub(super) fn free(&self) -> usize {
        self.blank.len() + self.kept.len()
    }

    /// Free blocks whose content can still be found.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// A block to write into: a blank one, else the kept one that was released first, whose content is lost.
    pub(super) fn take(&mut self) -> Option<BlockId> {
        let id = match self.blank.pop() {
            Some(id) => id,
            None => {
                let (_, id) = self.kept.pop_first()?;
                if let Some(hash) = self.block(id).hash.take() {
                    self.by_hash.remove(&hash);
                }
                id
            }
        };
        self.block(id).users = 1;
        Some(id)
    }

    /// The block with this content, if there is one, and whether it is free.
    pub(super) fn find(&self, hash: &BlockHash) -> Option<(BlockId, bool)> {
        let id = *self.by_hash.get(hash)?;
        Some((id, self.blocks[id.0 as usize].users == 0))
    }

    /// Adds a user to the block with this content, for reading.
    pub(super) fn share(&mut self, hash: &BlockHash) -> Option<BlockId> {
        let (id, is_free) = self.find(hash)?;
        if is_free {
            let release = self.block(id).release;
            self.kept.remove(&release);
        }
        self.block(id).users += 1;
        Some(id)
    }

    /// Lists a block that has been filled and is never written again. Where another block has the same content
    /// already, that one stays listed.
    pub(super) fn seal(&mut self, id: BlockId, hash: BlockHash) {
        if self.block(id).hash.is_none() && !self.by_hash.contains_key(&hash) {
            self.block(id).hash = Some(hash);
            self.by_hash.insert(hash, id);
        }
    }

    /// Makes sure that nobody finds this content any more. Who has the block in a table goes on reading it.
    pub(super) fn forget(&mut self, hash: &BlockHash) {
        let Some(id) = self.by_hash.remove(hash) else { return };
        let block = self.block(id);
        block.hash = None;
        if block.users == 0 {
            let release = block.release;
            self.kept.remove(&release);
            self.blank.push(id);
        }
    }

    /// Takes a user from a block.
    pub(super) fn release(&mut self, id: BlockId) {
        let release = self.next_release;
        let block = self.block(id);
        block.users -= 1;
        if block.users > 0 {
            return;
        }
        if block.hash.is_none() {
            self.blank.push(id);
            return;
        }
        block.release = release;
        self.next_release += 1;
        self.kept.insert(release, id);
    }

    fn block(&mut self, id: BlockId) -> &mut Block {
        &mut self.blocks[id.0 as usize]
    }

    /// Panics unless the books agree with each other and with `tables`.
    #[cfg(test)]
    pub(super) fn check<'a>(&self, tables: impl Iterator<Item = &'a [BlockId]>) {
        let mut users = vec![0; self.blocks.len()];
        for id in tables.flatten() {
            users[id.0 as usize] += 1;
        }
        for (number, block) in self.blocks.iter().enumerate() {
            let id = BlockId(number as u32);
            assert_eq!(block.users, users[number], "users of block {number}");
            let blank = self.blank.iter().filter(|other| **other == id).count();
            let kept = usize::from(self.kept.get(&block.release) == Some(&id));
            let expected = match (block.users, block.hash) {
                (0, None) => (1, 0),
                (0, Some(_)) => (0, 1),
                _ => (0, 0),
            };
            assert_eq!((blank, kept), expected, "lists that hold block {number}");
            if let Some(hash) = &block.hash {
                assert_eq!(self.by_hash.get(hash), Some(&id));
            }
        }
        let listed = self.blocks.iter().filter(|block| block.hash.is_some()).count();
        assert_eq!(listed, self.by_hash.len());
        let used = users.iter().filter(|users| **users > 0).count();
        assert_eq!(used + self.free(), self.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SequenceId;

    fn hash(number: u64) -> BlockHash {
        BlockHash::private(SequenceId(number))
    }

    #[test]
    fn a_block_is_handed_out_once() {
        let mut pool = BlockPool::new(3);
        let taken: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(taken, [BlockId(0), BlockId(1), BlockId(2)]);
        pool.check([taken.as_slice()].into_iter());
    }

    #[test]
    fn content_is_found_until_the_block_is_needed_and_the_oldest_goes_first() {
        let mut pool = BlockPool::new(2);
        let (one, two) = (pool.take().unwrap(), pool.take().unwrap());
        pool.seal(one, hash(1));
        pool.seal(two, hash(2));
        pool.release(two);
        pool.release(one);
        assert_eq!((pool.free(), pool.kept()), (2, 2));
        assert_eq!(pool.share(&hash(2)), Some(two));
        pool.release(two);
        assert_eq!(pool.take(), Some(one), "released before the other was used again");
        assert_eq!((pool.find(&hash(1)), pool.find(&hash(2))), (None, Some((two, true))));
        pool.check([[one].as_slice()].into_iter());
    }

    #[test]
    fn a_shared_block_is_free_after_its_last_user() {
        let mut pool = BlockPool::new(1);
        let id = pool.take().unwrap();
        pool.seal(id, hash(1));
        assert_eq!(pool.share(&hash(1)), Some(id));
        pool.release(id);
        assert_eq!((pool.free(), pool.take()), (0, None));
        pool.release(id);
        assert_eq!(pool.free(), 1);
    }

    #[test]
    fn the_first_block_of_a_content_stays_listed() {
        let mut pool = BlockPool::new(2);
        let (one, two) = (pool.take().unwrap(), pool.take().unwrap());
        pool.seal(one, hash(1));
        pool.seal(two, hash(1));
        pool.release(two);
        assert_eq!((pool.find(&hash(1)), pool.kept()), (Some((one, false)), 0));
        pool.forget(&hash(1));
        assert_eq!(pool.find(&hash(1)), None);
        pool.check([[one].as_slice()].into_iter());
    }

    #[test]
    fn forgotten_content_leaves_a_blank_block() {
        let mut pool = BlockPool::new(1);
        let id = pool.take().unwrap();
        pool.seal(id, hash(1));
        pool.release(id);
        pool.forget(&hash(1));
        assert_eq!((pool.free(), pool.kept(), pool.share(&hash(1))), (1, 0, None));
        pool.check(std::iter::empty());
    }
}
