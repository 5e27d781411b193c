//! Model folders as archives on disk: builds the file system that `cocoon_manifest::archive` lays out, with its hash tree
//! behind it, and checks one, in constant memory and on all processors.
//!
//! **Invariant:** the bytes of an archive follow from the paths and contents of its files and from nothing else: no
//! time, owner, mode, order of the directory or number of threads.
//!
//! Main functions: [`build`], [`hash_folder`], [`check`].
//!
//! ```no_run
//! let hashed = cocoon_archive::build("models/qwen3".as_ref(), "qwen3.erofs".as_ref(), None, &mut |_| {})?;
//! println!("Qwen/Qwen3-0.6B@c1899de:{}", hashed.root);
//! let checked = cocoon_archive::check("qwen3.erofs".as_ref(), Some(hashed.root), None, &mut |_| {})?;
//! assert_eq!(checked.difference, None);
//! # Ok::<(), cocoon_archive::ArchiveError>(())
//! ```

mod build;
mod check;
mod error;
mod folder;
pub mod limits;
mod scan;

pub use build::{build, hash_folder};
pub use check::{Checked, Difference, check};
pub use error::ArchiveError;

use cocoon_manifest::FileEntry;
use cocoon_manifest::verity::RootHash;

/// How much of the data is done, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done.
    pub done: u64,
    /// All bytes.
    pub total: u64,
}

/// What an archive, or the archive of a folder, is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hashed {
    /// The root of the hash tree: the last part of a model's name.
    pub root: RootHash,
    /// The files in ascending order of path, with the hash of each.
    pub files: Vec<FileEntry>,
    /// Where the hash area begins in the archive, in bytes from its beginning: `--hash-offset` of `veritysetup`.
    pub hash_offset: u64,
    /// Size of the archive in bytes.
    pub size: u64,
}
