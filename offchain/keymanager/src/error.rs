//! Why a key manager does not start, or a backup does not restore.

use std::path::{Path, PathBuf};

use cocoon_bindings::units::PublicKey;
use cocoon_chain::ChainError;
use cocoon_ratls::RatlsError;
use cocoon_runner::seal::SealError;
use cocoon_runner::{Retry, RunnerError, Who};

use crate::{BackupProblem, OwnerPublic};

/// Why a key manager does not start, or a backup does not restore. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyManagerError {
    /// Files, ports, shutdown.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The root contract's address does not parse.
    #[error("`chain.root` is not an address")]
    Root(#[source] cocoon_bindings::BindingsError),
    /// Certificates and sealing.
    #[error(transparent)]
    Ratls(#[from] RatlsError),
    /// A value of the configuration cannot work.
    #[error("`{key}` {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// Part of a key's name is empty or too long.
    #[error("the {part} of a key's name must have from 1 to 64 bytes")]
    Name {
        /// Which part.
        part: &'static str,
    },
    /// This machine gives no evidence.
    #[error("this machine gives no evidence of itself, so nobody would believe it")]
    NoEvidence,
    /// A first start, and another replica has a secret.
    #[error("the key manager {id} exists already: {replica} has its secret")]
    Exists {
        /// Who has it.
        replica: String,
        /// Its id.
        id: PublicKey,
    },
    /// Another replica gave a secret of another id.
    #[error("{replica} holds the secret of {found}, not of {expected}")]
    OtherManager {
        /// Who.
        replica: String,
        /// Its id.
        found: PublicKey,
        /// The id of the configuration.
        expected: PublicKey,
    },
    /// A replica refused or did not answer.
    #[error("the replica took nothing")]
    Replica(#[source] SealError),
    /// A backup or a share.
    #[error(transparent)]
    Backup(#[from] BackupProblem),
    /// A file is not one of a share.
    #[error("{} is not the file of a share", path.display())]
    ShareFile {
        /// Its path.
        path: PathBuf,
    },
    /// A share is of another owner.
    #[error("share {index} is sealed to {owner}, whose key is not given")]
    OtherOwner {
        /// Its number.
        index: u8,
        /// To whom it is sealed.
        owner: OwnerPublic,
    },
}

impl KeyManagerError {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| RunnerError::Unreadable { path, source }.into()
    }

    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Runner(error) => error.who(),
            Self::Chain(_) => Who::Chain,
            Self::Replica(error) => error.who(),
            Self::OtherManager { .. } => Who::Peer,
            _ => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Runner(error) => error.retry(),
            Self::Replica(error) => error.retry(),
            Self::Chain(_) => Retry::SamePeer,
            Self::OtherManager { .. } => Retry::OtherPeer,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Runner(error) => error.hint(),
            Self::Chain(error) => error.hint(),
            Self::Ratls(error) => error.hint(),
            Self::Replica(error) => error.hint(),
            Self::Root(_) => "copy the root contract's address, raw or user-friendly",
            Self::Setting { .. } | Self::Name { .. } => "correct the key that is named, then start again",
            Self::NoEvidence => "run it in a TDX guest, or on a test network with a simulated platform",
            Self::Exists { .. } => "start without --new: the replica then asks the others for the secret",
            Self::OtherManager { .. } => "compare `id` and `peers` with those of the other replicas",
            Self::Backup(_) => "take the files as `cocoon keymanager backup` wrote them, all of one backup",
            Self::ShareFile { .. } => "name a file that `cocoon keymanager backup` wrote",
            Self::OtherOwner { .. } => "give the key file of that owner with --key",
        }
    }
}
