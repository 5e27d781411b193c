//! What can be wrong with a published log, or with the way to it.

use std::io;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::ReceiptError;
use cocoon_receipt::log::CheckpointError;

use crate::bundle::BundleError;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// What was asked for.
    Caller,
    /// The disk, or this program.
    Local,
    /// The server, or the way to it.
    Server,
    /// Whoever wrote the log: it is not what it says it is.
    Log,
}

/// Why a log cannot be read, written or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlogError {
    /// What was given is neither a URL nor a folder.
    #[error("`{text}` is neither an http or https address nor a folder")]
    Place {
        /// As it was given.
        text: String,
    },
    /// What was given is no key of a log.
    #[error("`{text}` is no key of a log")]
    Key {
        /// As it was given.
        text: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {path}")]
    Disk {
        /// Read, write and the like.
        action: &'static str,
        /// Its path in the log.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An earlier write failed, and what reached the disk is unknown.
    #[error("an earlier write of the published log failed")]
    Broken,
    /// Another process writes into the folder.
    #[error("another process writes into the folder")]
    Taken,
    /// The server cannot be reached, or its answer broke off.
    #[error("cannot fetch {path}: {reason}")]
    Unreachable {
        /// What was asked for.
        path: String,
        /// Why.
        reason: String,
    },
    /// The server answers with an error.
    #[error("the server answers {status} for {path}")]
    Status {
        /// What was asked for.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// A file that the log must have is not there.
    #[error("the log has no {path}")]
    Missing {
        /// Its path.
        path: String,
    },
    /// A file is larger than any of its kind.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// Its path.
        path: String,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// `log.json` is none.
    #[error("log.json: {0}")]
    Description(String),
    /// The checkpoint is none, or not of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A bundle or a tile is not made of items.
    #[error("{path}: {source}")]
    Bundle {
        /// Its path.
        path: String,
        /// What is wrong.
        source: BundleError,
    },
    /// The tiles at the right edge do not have the checkpoint's root.
    #[error("the tiles have the root {found}, the checkpoint of {size} entries says {signed}")]
    Root {
        /// Entries.
        size: u64,
        /// Of the tiles.
        found: HashBytes,
        /// Of the checkpoint.
        signed: HashBytes,
    },
    /// A tile does not belong to the tree of the checkpoint.
    #[error("{path} does not belong to the tree of the checkpoint")]
    Tile {
        /// Its path.
        path: String,
    },
    /// An entry does not have the hash that is in the tree.
    #[error("entry {index} does not belong to the tree of the checkpoint")]
    Entry {
        /// Its index.
        index: u64,
    },
    /// One receipt is two entries.
    #[error("entry {index} names a receipt that stands before it already")]
    Repeated {
        /// Index of the second one.
        index: u64,
    },
    /// What stands as a receipt is none.
    #[error("receipt {index}: {source}")]
    Receipt {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: ReceiptError,
    },
    /// A receipt is not the one that its entry names, or carries what does not belong there.
    #[error("receipt {index} is not the one that entry {index} names")]
    Name {
        /// Its index.
        index: u64,
    },
    /// A certificate does not have the hash that names it.
    #[error("evidence {hash} has another hash")]
    Evidence {
        /// Its name.
        hash: HashBytes,
    },
    /// There is no such entry.
    #[error("the log has {size} entries; {asked} was asked for")]
    Size {
        /// Entries of the log.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
    /// The log is shorter than it was.
    #[error("the log has {found} entries, it had {known}")]
    Shorter {
        /// Entries now.
        found: u64,
        /// Entries that were seen before.
        known: u64,
    },
    /// Two checkpoints of one log contradict each other.
    #[error("the log does not continue the one of {known} entries with root {root} that was seen before")]
    Fork {
        /// Entries that were seen before.
        known: u64,
        /// Their root.
        root: HashBytes,
    },
    /// What stands under the checkpoint for a proxy contract is of another log.
    #[error("the line for proxy contract {contract} is of another log of {size} entries")]
    Cell {
        /// The contract.
        contract: Address,
        /// Entries that the line speaks of.
        size: u64,
    },
    /// A record of a challenge is none, or not signed by the log.
    #[error("record {index} of challenges is none of this proxy")]
    Challenge {
        /// Its number, from 0.
        index: u64,
    },
    /// A text is no inclusion proof.
    #[error("not an inclusion proof: {0}")]
    Proof(&'static str),
    /// An inclusion proof does not lead to the checkpoint's root.
    #[error("the proof does not lead from the receipt to the checkpoint's root")]
    NotIncluded,
    /// A witness refuses a checkpoint.
    #[error("the witness {name} refuses: {reason}")]
    Witness {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl TlogError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Place { .. } | Self::Key { .. } | Self::Size { .. } => Who::Caller,
            Self::Disk { .. } | Self::Broken | Self::Taken => Who::Local,
            Self::Unreachable { .. } | Self::Status { .. } | Self::Witness { .. } => Who::Server,
            _ => Who::Log,
        }
    }

    /// Whether the same call may succeed later.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Witness { .. } | Self::Taken => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Place { .. } => "name the folder of a published log, or the URL that it is served under",
            Self::Key { .. } => "a key is 64 hex digits, or name+id+key as in log.json",
            Self::Size { .. } => "ask for an entry that the log has: `cocoon log show` says how many",
            Self::Disk { .. } => "check the folder, its rights and the free space",
            Self::Taken => "a folder has one writer: end the other one, or name another folder",
            Self::Broken => "start again: the log is taken up from its last checkpoint",
            Self::Unreachable { .. } | Self::Status { .. } => "check the URL, or try again later",
            Self::Witness { .. } => "check the witness's URL and key, and that it follows this log",
            Self::Checkpoint(CheckpointError::Unsigned) => {
                "name the key that the proxy contract holds; with the right one, the log was changed on the way"
            }
            Self::Missing { .. } => "the copy is not whole: take it again, or ask another mirror",
            Self::Shorter { .. } | Self::Fork { .. } | Self::Cell { .. } => {
                "keep both checkpoints: two that contradict each other, signed by one key, prove that the proxy cheats"
            }
            Self::NotIncluded | Self::Proof(_) => "the proof proves nothing: ask for another one",
            _ => "the copy is damaged or was changed: ask another mirror, and keep this one as evidence",
        }
    }
}

/// An error of the disk with its place.
pub(crate) fn disk(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> TlogError {
    let path = path.to_owned();
    move |source| TlogError::Disk { action, path, source }
}
