//! What can be wrong with what a lite server says.

use cocoon_bindings::ton::{BocError, CellError};
use cocoon_emulator::EmulatorError;

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiteError {
    /// The bytes are not a message.
    #[error("a message cannot be read: {0}")]
    Message(&'static str),
    /// The transport's frames or its first packet are not what they should be.
    #[error("the connection cannot be used: {0}")]
    Transport(&'static str),
    /// A bag of cells cannot be read.
    #[error("{what} is no bag of cells: {source}")]
    Boc {
        /// What should have been one.
        what: &'static str,
        /// What the reader met.
        #[source]
        source: BocError,
    },
    /// Cells are not what they should be, or what is needed was cut away.
    #[error("{what} cannot be read: {source}")]
    Cells {
        /// What should have been there.
        what: &'static str,
        /// What the reader met.
        #[source]
        source: CellError,
    },
    /// Something does not follow from what is trusted.
    #[error("{0}")]
    Unproven(&'static str),
    /// Those who signed are too few.
    #[error("a block is signed by {signed} of {total}, which is not more than two thirds")]
    TooFewSignatures {
        /// Weight of those who signed.
        signed: u64,
        /// Weight of all.
        total: u64,
    },
    /// The emulated chain failed.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
}

impl LiteError {
    pub(crate) fn cells(what: &'static str) -> impl Fn(CellError) -> Self {
        move |source| Self::Cells { what, source }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Emulator(_) => "this is a defect of this program",
            Self::Message(_) | Self::Transport(_) => "check that the address is a lite server's, and its key",
            _ => "do not use this server: what it says is not what the validators signed",
        }
    }
}
