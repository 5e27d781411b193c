//! What can keep a local chain from running.

use std::net::SocketAddr;
use std::path::PathBuf;

use cocoon_emulator::EmulatorError;

/// Why the local chain does not start, or stopped badly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalNetError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The saved chain cannot be read.
    #[error("cannot read the chain state in {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The saved chain is damaged. It is left as it is.
    #[error("chain state in {path}: {source}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: EmulatorError,
    },
    /// Another process has the chain's files.
    #[error("the chain in {path} is run by another process")]
    InUse {
        /// The saved chain.
        path: PathBuf,
    },
    /// The chain cannot be saved.
    #[error("cannot write the chain state to {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The emulated chain failed.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The blocks of the lite server cannot be made.
    #[error("blocks cannot be made: {0}")]
    Blocks(#[from] cocoon_lite::LiteError),
    /// The server's task died.
    #[error("the local chain's server stopped: {0}")]
    Server(String),
}

impl LocalNetError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "another local network may be running; stop it or choose another port",
            Self::InUse { .. } => "stop that process, or name another file; `cocoon localnet status` speaks to it",
            Self::Read { .. } | Self::Write { .. } => "check the data directory's permissions and free space",
            Self::Damaged { .. } => "move the file away to start with an empty chain",
            Self::Emulator(_) | Self::Blocks(_) | Self::Server(_) => "this is a defect of this program",
        }
    }
}
