//! What can go wrong with an archive.

use cocoon_manifest::ManifestError;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why an archive was not built or not checked. An archive that was checked and differs is no error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something where the archive should be written.
    #[error("{path} is there already")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Something in a folder is neither a file nor a folder, or has a name that is not UTF-8.
    #[error("{path} is not a file that an archive can hold")]
    Kind {
        /// Which.
        path: PathBuf,
    },
    /// There are more than [`crate::limits::MAX_NAMES`] names in a folder.
    #[error("{path} has more than {limit} files and folders", limit = crate::limits::MAX_NAMES)]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// A file has another size than when the folder was listed.
    #[error("{path} changed while it was read")]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// The files do not make an archive, or the bytes are none.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl ArchiveError {
    /// One sentence that says what a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path and its permissions",
            Self::Write { .. } => "check the free space and the permissions of the folder",
            Self::Exists { .. } => "name another file, or remove this one",
            Self::Kind { .. } => "a model's folder holds files and folders with plain names only",
            Self::TooMany { .. } => "name the folder of one model",
            Self::Changed { .. } => "wait until the download has ended and run it again",
            Self::Manifest(error) => error.hint(),
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}
