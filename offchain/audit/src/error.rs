//! Why there is no verdict.

use cocoon_bindings::BindingsError;
use cocoon_chain::ChainError;
use cocoon_store::StoreError;

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
    /// An address cannot be computed.
    #[error("address cannot be computed: {0}")]
    Bindings(#[from] BindingsError),
    /// Clients and workers keep appearing while the chain is read.
    #[error("new contracts appeared in each of {rounds} readings of the chain")]
    Restless {
        /// How often the chain was read.
        rounds: usize,
    },
}

impl AuditError {
    /// Whether trying again may help.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Store(error) => error.may_retry(),
            Self::Chain(error) => error.retry() != cocoon_chain::Retry::Never,
            Self::Restless { .. } => true,
            Self::Bindings(_) => false,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(error) => error.hint(),
            Self::Chain(error) => error.hint(),
            Self::Restless { .. } => "try again when fewer clients connect",
            Self::Bindings(_) => "the proxy contract's parameters hold no code: is it a proxy contract?",
        }
    }
}
