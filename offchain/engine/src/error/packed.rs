//! What can be wrong with a packed file.

use thiserror::Error;

/// Why a packed file is not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PackedError {
    /// Another format.
    #[error("it does not begin with COCOONPK")]
    Magic,
    /// Another version.
    #[error("its version is {found}, not 1")]
    Version {
        /// As it stands there.
        found: u32,
    },
    /// The file is shorter or longer than its table of contents says.
    #[error("it is not as long as its table of contents says")]
    Cut,
    /// The table of contents is damaged.
    #[error("its table of contents is damaged")]
    Contents,
    /// Matrices lie in panels of another height.
    #[error("its panels have {found} outputs")]
    Panel {
        /// As it stands there.
        found: usize,
    },
    /// An entry has an impossible shape or place.
    #[error("`{name}` has an impossible shape or place")]
    Entry {
        /// Its tensors.
        name: String,
    },
    /// Two entries are the same.
    #[error("`{name}` is there twice")]
    Twice {
        /// Its tensors.
        name: String,
    },
    /// Data differ from their sum.
    #[error("`{name}` is damaged")]
    Sum {
        /// Its tensors.
        name: String,
    },
    /// A model with more tensors than a table of contents can hold.
    #[error("its table of contents is too long")]
    TooLong,
}
