//! Why there is no verdict.

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainError;
use cocoon_store::StoreError;
use cocoon_tlog::TlogError;
use std::path::PathBuf;

/// What keeps an audit from reaching a verdict. What it finds is no error but a [`crate::Difference`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The receipts cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The published log cannot be read.
    #[error(transparent)]
    Tlog(#[from] TlogError),
    /// An address cannot be computed.
    #[error("address cannot be computed: {0}")]
    Bindings(#[from] BindingsError),
    /// Clients and workers keep appearing while the chain is read.
    #[error("new contracts appeared in each of {rounds} readings of the chain")]
    Restless {
        /// How often the chain was read.
        rounds: usize,
    },
    /// The root contract's history does not say what was listed when.
    #[error("the history of root contract {root} is of no use: {reason}")]
    RootHistory {
        /// The root contract.
        root: Address,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Too many signatures of workers came long after their receipts.
    #[error("more than {limit} signatures of workers stand far behind their receipts")]
    LateSignatures {
        /// How many are looked up.
        limit: usize,
    },
    /// A file of a bundle, a state or a statement cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The state of an interrupted audit is of another audit.
    #[error("{} is the state of another audit: {reason}", path.display())]
    OtherState {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A second reading of the log gave something else than what was audited.
    #[error("the log was read again and is not the one that was audited: {reason}")]
    OtherLog {
        /// What differs.
        reason: String,
    },
    /// A part of the audit ended before it had a result.
    #[error("a check was cut off: {reason}")]
    CutOff {
        /// What became of it.
        reason: String,
    },
}

impl AuditError {
    /// Whether trying again may help.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Store(error) => error.may_retry(),
            Self::Tlog(error) => error.may_retry(),
            Self::Chain(error) => error.retry() != cocoon_chain::Retry::Never,
            Self::Restless { .. } | Self::CutOff { .. } => true,
            Self::Bindings(_)
            | Self::RootHistory { .. }
            | Self::LateSignatures { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::OtherState { .. }
            | Self::OtherLog { .. } => false,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Tlog(error) => error.hint(),
            Self::Chain(error) => error.hint(),
            Self::Restless { .. } => "try again when fewer clients connect",
            Self::Bindings(_) => "the proxy contract's parameters hold no code: is it a proxy contract?",
            Self::RootHistory { .. } => "ask a chain server that keeps the whole history of the root contract",
            Self::LateSignatures { .. } => {
                "audit the published log with --from: signatures stand beside their receipts there"
            }
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                "name a folder that is empty or not there yet"
            }
            Self::File { .. } => "check the path, the permissions and the free space",
            Self::Damaged { .. } => "get the file again from where it came",
            Self::OtherState { .. } => "give each audit a state file of its own, or delete this one to begin anew",
            Self::OtherLog { .. } => {
                "whoever serves the log answers differently each time: take a bundle or another mirror"
            }
            Self::CutOff { .. } => "try again; if it happens every time, this is a defect",
        }
    }
}
