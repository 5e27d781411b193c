//! An archive against its own hash tree, and against the root that it should have.

use crate::error::ArchiveError;
use crate::scan::{Sink, scan};
use crate::{Hashed, Progress};
use cocoon_manifest::archive::Layout;
use cocoon_manifest::verity::{BLOCK_BYTES, Block, RootHash, Superblock};
use cocoon_manifest::{FileHash, ManifestError};
use std::fmt;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const BLOCK: u64 = BLOCK_BYTES as u64;

/// An archive that was read from its first byte to its last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Computed from the data, whatever the archive says.
    pub hashed: Hashed,
    /// The root of the hash tree that lies in the archive.
    pub recorded: RootHash,
    /// What differs first, if anything does.
    pub difference: Option<Difference>,
}

/// The first place where an archive is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A block of a file is not the one that was hashed.
    File {
        /// Path of the file in the archive.
        path: String,
        /// Where the block begins in the file, in bytes.
        offset: u64,
        /// What the whole file hashes to now.
        hash: FileHash,
    },
    /// The list of files is not the one that was hashed.
    List,
    /// The hash tree is not the one that the data give, so no kernel would read them. The data are right if their root
    /// hash was named.
    HashTree {
        /// Where in the archive, in bytes.
        offset: u64,
    },
    /// The archive is cut off, or goes on where it should end.
    Length {
        /// Its size in bytes.
        size: u64,
    },
    /// The archive is another one than the root hash names.
    Root {
        /// The root hash that was asked for.
        expected: RootHash,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, offset, .. } => write!(f, "{path} differs, first in the 4096 bytes from {offset}"),
            Self::List => write!(f, "the list of files differs"),
            Self::HashTree { offset } => write!(f, "the hash tree differs at byte {offset} from what the files give"),
            Self::Length { size } => write!(f, "{size} bytes are not the length that its files give"),
            Self::Root { expected } => write!(f, "it is another archive than {expected}"),
        }
    }
}

/// Computes the hash tree of an archive anew and compares it with the one that lies there, and its root with
/// `expected`. Fails only where the file cannot be read or is no archive.
pub fn check(
    archive: &Path,
    expected: Option<RootHash>,
    threads: Option<NonZeroUsize>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Checked, ArchiveError> {
    let file = File::open(archive).map_err(ArchiveError::read(archive))?;
    let size = file.metadata().map_err(ArchiveError::read(archive))?.len();
    let read = |offset: u64, buffer: &mut [u8]| match file.read_exact_at(buffer, offset) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(ManifestError::Archive { part: "length" }.into())
        }
        read => read.map_err(ArchiveError::read(archive)),
    };
    let layout = Layout::read(read)?;
    let superblock = layout.verity()?;
    let mut tree = Recorded::new(&file, archive, &superblock);
    let mut position = 0;
    let mut fill = |buffer: &mut [u8]| {
        let at = position;
        position += buffer.len() as u64;
        read(at, buffer)
    };
    let hashed = scan(&layout, threads, &mut fill, &mut tree, progress)?;
    let recorded = tree.root(&superblock)?;
    let data_are_right = expected.unwrap_or(recorded) == hashed.root;
    let in_data = tree.data_block.filter(|_| !data_are_right);
    let difference = match (in_data, tree.place) {
        (Some(block), _) => Some(in_data_block(&layout, &hashed, block)),
        // Other files, whose tree was made anew, wholly or in its lowest level.
        (None, _) if expected.is_some() && !data_are_right => expected.map(|expected| Difference::Root { expected }),
        (None, Some(place)) => Some(Difference::HashTree {
            offset: hashed.hash_offset + place * BLOCK,
        }),
        (None, None) if size != hashed.size => Some(Difference::Length { size }),
        (None, None) => None,
    };
    Ok(Checked {
        hashed,
        recorded,
        difference,
    })
}

fn in_data_block(layout: &Layout, hashed: &Hashed, block: u64) -> Difference {
    let file = layout.file_at(block * BLOCK);
    let found = file.and_then(|file| {
        let entry = hashed.files.iter().find(|entry| entry.path() == file.path())?;
        Some((file, entry))
    });
    match found {
        Some((file, entry)) => Difference::File {
            path: file.path().to_owned(),
            offset: block * BLOCK - file.offset(),
            hash: entry.hash(),
        },
        None => Difference::List,
    }
}

/// The hash area that lies in an archive, compared with the one that its data give.
struct Recorded<'a> {
    file: &'a File,
    path: PathBuf,
    hash_offset: u64,
    /// The place of the first block with hashes of data; they are the last.
    lowest_level: u64,
    /// The first block of the hash area that differs.
    place: Option<u64>,
    /// The first block of data whose hash differs.
    data_block: Option<u64>,
}

impl<'a> Recorded<'a> {
    fn new(file: &'a File, path: &Path, superblock: &Superblock) -> Self {
        let hashes_per_block = BLOCK / 32;
        Self {
            file,
            path: path.to_owned(),
            hash_offset: superblock.data_blocks() * BLOCK,
            lowest_level: superblock.hash_area_blocks() - superblock.data_blocks().div_ceil(hashes_per_block),
            place: None,
            data_block: None,
        }
    }

    /// A block of the recorded hash area; zeros from where the archive is cut off.
    fn block(&self, place: u64) -> Result<Block, ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            let at = self.hash_offset + place * BLOCK + filled as u64;
            match self.file.read_at(&mut block[filled..], at) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::read(&self.path)(error)),
            }
        }
        Ok(block)
    }

    /// The root of the recorded tree: the hash of its topmost block. Two blocks are the least that an archive has, so
    /// there is one.
    fn root(&self, superblock: &Superblock) -> Result<RootHash, ArchiveError> {
        Ok(RootHash::new(superblock.salt().hash_block(&self.block(1)?)))
    }
}

impl Sink for Recorded<'_> {
    fn data(&mut self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn hashes(&mut self, place: u64, block: &Block) -> Result<(), ArchiveError> {
        let recorded = self.block(place)?;
        if recorded == *block {
            return Ok(());
        }
        self.place = Some(self.place.map_or(place, |first| first.min(place)));
        if let (Some(at), None) = (place.checked_sub(self.lowest_level), self.data_block) {
            let mut pairs = recorded.chunks(32).zip(block.chunks(32));
            let differing = pairs.position(|(one, other)| one != other);
            self.data_block = differing.map(|hash| at * (BLOCK / 32) + hash as u64);
        }
        Ok(())
    }
}
