//! The superblock and the inodes of the file system, as bytes.

use super::{BLOCK_BYTES, UUID};

/// Where the superblock lies.
pub(super) const SUPERBLOCK_AT: usize = 1024;
/// Where the first inode lies, that of the topmost directory: right behind the superblock.
pub(super) const INODES_AT: usize = SUPERBLOCK_AT + 128;
/// Bytes of an inode in its extended form, the only one with sizes above 4 GiB.
pub(super) const INODE_BYTES: usize = 64;

/// Inodes are numbered by where they lie, in steps of this many bytes.
const SLOT_BYTES: usize = 32;
const MAGIC: u32 = 0xe0f5_e1e2;
const BLOCK_BITS: u8 = BLOCK_BYTES.trailing_zeros() as u8;
/// Extended, and the content in whole blocks one after the other.
const EXTENDED_PLAIN: u16 = 1;

/// What an inode is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
}

impl Kind {
    /// Type and permissions, as `st_mode` has them.
    fn mode(self) -> u16 {
        match self {
            Self::File => 0o100_444,
            Self::Directory => 0o040_555,
        }
    }

    /// As an entry of a directory has it.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
        }
    }

    fn of_mode(mode: u16) -> Option<Self> {
        [Self::File, Self::Directory]
            .into_iter()
            .find(|kind| kind.mode() == mode)
    }
}

/// A file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    /// In bytes.
    pub(super) size: u64,
    /// The first block of its content; 0 if it has none.
    pub(super) block: u32,
    pub(super) links: u32,
}

impl Inode {
    /// The bytes of the inode that stands at `index` in the table.
    pub(super) fn to_bytes(self, index: u32) -> [u8; INODE_BYTES] {
        let mut bytes = [0; INODE_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &EXTENDED_PLAIN.to_le_bytes());
        put(4, &self.kind.mode().to_le_bytes());
        put(8, &self.size.to_le_bytes());
        put(16, &self.block.to_le_bytes());
        put(20, &(index + 1).to_le_bytes());
        put(44, &self.links.to_le_bytes());
        bytes
    }

    /// Reads what is needed to walk through a file system.
    pub(super) fn parse(bytes: &[u8; INODE_BYTES]) -> Option<Self> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Some(Self {
            kind: Kind::of_mode(u16::from_le_bytes([bytes[4], bytes[5]]))?,
            size: u64::from(number(8)) | u64::from(number(12)) << 32,
            block: number(16),
            links: number(44),
        })
    }
}

/// The number of the inode at `index` in the table.
pub(super) fn number_of(index: u32) -> u64 {
    (INODES_AT / SLOT_BYTES) as u64 + u64::from(index) * (INODE_BYTES / SLOT_BYTES) as u64
}

/// The place in the table of the inode with this number.
pub(super) fn index_of(number: u64) -> Option<u32> {
    let slots = number.checked_sub(number_of(0))?;
    let per_inode = (INODE_BYTES / SLOT_BYTES) as u64;
    (slots % per_inode == 0).then_some(u32::try_from(slots / per_inode).ok()?)
}

/// The superblock of a file system with so many inodes and blocks.
pub(super) fn superblock(inodes: u32, blocks: u32) -> [u8; INODES_AT - SUPERBLOCK_AT] {
    let mut bytes = [0; INODES_AT - SUPERBLOCK_AT];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &MAGIC.to_le_bytes());
    put(12, &[BLOCK_BITS]);
    put(14, &(number_of(0) as u16).to_le_bytes());
    put(16, &u64::from(inodes).to_le_bytes());
    put(36, &blocks.to_le_bytes());
    put(48, &UUID);
    bytes
}

/// How many inodes and blocks a superblock says there are.
pub(super) fn parse_superblock(bytes: &[u8; INODES_AT - SUPERBLOCK_AT]) -> Option<(u32, u32)> {
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (inodes, blocks) = (number(16), number(36));
    (superblock(inodes, blocks) == *bytes).then_some((inodes, blocks))
}
