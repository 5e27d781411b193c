//! Why nothing could be generated.

/// Errors of the generator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenError {
    /// A source file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Path from the root of the repository.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A source file is not what the parser understands.
    #[error("contracts/{path}:{line}: expected {expected}, found {found:?}")]
    Syntax {
        /// Path below `contracts/`.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What was expected.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A type that is declared nowhere or in two ways.
    #[error("{name}: {reason}")]
    Declaration {
        /// The declaration.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The ABI cannot be written.
    #[error("cannot write the ABI: {source}")]
    Json {
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The formatter cannot be run or refuses the code.
    #[error("rustfmt: {reason}")]
    Format {
        /// What it said.
        reason: String,
    },
}

impl GenError {
    pub(crate) fn declaration(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Declaration {
            name: name.into(),
            reason: reason.into(),
        }
    }
}
