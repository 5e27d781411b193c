//! From the bytes of an archive back to its files.

use super::inode::{INODE_BYTES, INODES_AT, Inode, Kind, SUPERBLOCK_AT, parse_superblock};
use super::layout::Layout;
use super::{BLOCK, directory};
use crate::error::ManifestError;
use crate::limits::{MAX_DIRECTORY_BYTES, MAX_FIELD_BYTES, MAX_FILES};

impl Layout {
    /// Reads the beginning of an archive. `read` fills a buffer with the bytes at an offset. What is not byte for byte
    /// what [`Layout::new`] makes of the same files is refused.
    pub fn read<E: From<ManifestError>>(read: impl FnMut(u64, &mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut walk = Walk {
            read,
            files: Vec::new(),
            seen: 0,
        };
        let mut superblock = [0; INODES_AT - SUPERBLOCK_AT];
        (walk.read)(SUPERBLOCK_AT as u64, &mut superblock)?;
        let (_, blocks) = parse_superblock(&superblock).ok_or(refuse("superblock"))?;
        walk.folder(0, "")?;
        let mut read = walk.read;
        let layout = Self::new(walk.files)?;
        if layout.blocks() != u64::from(blocks) {
            return Err(refuse("size").into());
        }
        let mut head = vec![0; layout.head().len()];
        read(0, &mut head)?;
        if head != layout.head() {
            return Err(refuse("order of files or their attributes").into());
        }
        Ok(layout)
    }
}

fn refuse(part: &'static str) -> ManifestError {
    ManifestError::Archive { part }
}

struct Walk<R> {
    read: R,
    files: Vec<(String, u64)>,
    /// Files and directories so far.
    seen: usize,
}

impl<R> Walk<R> {
    fn inode<E: From<ManifestError>>(&mut self, index: u32) -> Result<Inode, E>
    where
        R: FnMut(u64, &mut [u8]) -> Result<(), E>,
    {
        let mut bytes = [0; INODE_BYTES];
        let at = INODES_AT as u64 + u64::from(index) * INODE_BYTES as u64;
        (self.read)(at, &mut bytes)?;
        Ok(Inode::parse(&bytes).ok_or(refuse("kind of a file"))?)
    }

    /// Lists what is below the directory at `index`, whose path with a `/` behind it is `prefix`. Ends on any input:
    /// paths are bounded, and so is the number of files and directories.
    fn folder<E: From<ManifestError>>(&mut self, index: u32, prefix: &str) -> Result<(), E>
    where
        R: FnMut(u64, &mut [u8]) -> Result<(), E>,
    {
        let inode = self.inode(index)?;
        if inode.kind != Kind::Directory || inode.size > MAX_DIRECTORY_BYTES {
            return Err(refuse("directory").into());
        }
        let mut bytes = vec![0; inode.size as usize];
        (self.read)(u64::from(inode.block) * BLOCK, &mut bytes)?;
        let entries = directory::parse(&bytes).ok_or(refuse("directory"))?;
        drop(bytes);
        // Counted before any of them is followed: a directory that holds itself would be kept once for each level.
        self.seen += entries.len();
        if self.seen > 2 * MAX_FILES {
            return Err(refuse("directory").into());
        }
        for (name, index) in entries {
            let path = format!("{prefix}{name}");
            if path.len() > MAX_FIELD_BYTES || name.is_empty() {
                return Err(refuse("directory").into());
            }
            let inode = self.inode(index)?;
            match inode.kind {
                Kind::File => self.files.push((path, inode.size)),
                Kind::Directory => self.folder(index, &format!("{path}/"))?,
            }
        }
        Ok(())
    }
}
