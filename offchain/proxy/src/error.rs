//! Why a proxy does not start or stops.

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainError;
use cocoon_ledger::LedgerError;
use cocoon_ratls::RatlsError;
use cocoon_runner::RunnerError;
use cocoon_store::StoreError;
use cocoon_tlog::TlogError;

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This node: configuration, disk, database.
    Local,
    /// The chain or the way to it.
    Chain,
}

/// A failure of the daemon as a whole. What peers do is never one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A setting is out of its range.
    #[error("{key} must be {expected}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A setting that should be an address is none.
    #[error("{key} is not an address")]
    AddressSetting {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        source: BindingsError,
    },
    /// The database is older than what the chain has seen.
    #[error("the database was rolled back: {0}")]
    RolledBack(#[source] LedgerError),
    /// The proxy's contract is not as expected.
    #[error("proxy contract {contract}: {reason}")]
    Contract {
        /// The contract.
        contract: Address,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The session's first state commit was not seen on chain in time.
    #[error("the first state commit was not seen on chain within {seconds} s")]
    FirstCommit {
        /// How long we waited.
        seconds: u64,
    },
    /// The ledger refused something that it never should.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The disk or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A listener, a key file or the configuration failed.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The own certificate could not be issued.
    #[error(transparent)]
    Ratls(#[from] RatlsError),
    /// The published log cannot be written or taken up.
    #[error("the published log: {0}")]
    Published(#[from] TlogError),
    /// A message or an address could not be built.
    #[error(transparent)]
    Bindings(#[from] BindingsError),
    /// The writer of the store ended.
    #[error("the store's writer has stopped: {reason}")]
    WriterStopped {
        /// Why.
        reason: String,
    },
}

impl From<LedgerError> for ProxyError {
    fn from(error: LedgerError) -> Self {
        if error.is_rollback() {
            Self::RolledBack(error)
        } else {
            Self::Ledger(error)
        }
    }
}

impl ProxyError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Chain(_) | Self::FirstCommit { .. } | Self::Contract { .. } => Who::Chain,
            _ => Who::Local,
        }
    }

    /// Whether starting again, without changing anything, may help.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Chain(error) => error.retry() != cocoon_chain::Retry::Never,
            Self::Store(error) => error.may_retry(),
            Self::FirstCommit { .. } | Self::WriterStopped { .. } => true,
            _ => false,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> String {
        match self {
            Self::Setting { key, .. } if *key == crate::challenge::PAYER => {
                "open a client contract of wallet.owner at this proxy, top it up, and name wallet.owner as the payer"
                    .into()
            }
            Self::Setting { .. } | Self::AddressSetting { .. } => "correct the configuration".into(),
            Self::RolledBack(error) | Self::Ledger(error) => error.hint().into(),
            Self::Contract { .. } => "check the owner, the key and the root contract in the configuration".into(),
            Self::FirstCommit { .. } => "check that the wallet holds at least 2.1 TON and that the chain moves".into(),
            Self::Store(error) => error.hint().into(),
            Self::Chain(error) => error.hint().to_string(),
            Self::Runner(error) => error.hint().to_string(),
            Self::Ratls(error) => error.hint().to_string(),
            Self::Published(error) => error.hint().into(),
            Self::Bindings(_) => "the root contract's parameters do not fit this build".into(),
            Self::WriterStopped { .. } => "check free space and the disk, then start again".into(),
        }
    }
}
