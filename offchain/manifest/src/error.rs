//! What can be wrong with a name or a manifest.

use thiserror::Error;

/// Why a model name or a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A field is empty, too long, or holds a character that its place does not allow.
    #[error("the {field} of a model must be 1 to {limit} bytes without blanks or control characters")]
    Field {
        /// Which field.
        field: &'static str,
        /// The largest length in bytes.
        limit: usize,
    },
    /// A model name is not `name`, `name@commit` or `name@commit:verityhash`.
    #[error("a model is named `name@commit:verityhash`")]
    Name,
    /// A path leaves the folder of the model, or is written in a second way.
    #[error("`{path}` is not a plain relative path")]
    Path {
        /// The path, shortened.
        path: String,
    },
    /// Files are not in strictly ascending order of their paths.
    #[error("file {index} is out of order or listed twice")]
    Order {
        /// Position in the list, from 0.
        index: usize,
    },
    /// More than [`crate::limits::MAX_FILES`] files, or none.
    #[error("a manifest lists 1 to {limit} files, not {count}", limit = crate::limits::MAX_FILES)]
    FileCount {
        /// How many there are.
        count: usize,
    },
    /// The text is not a manifest in canonical form.
    #[error("line {line} of the manifest is not what its place demands: {expected}")]
    Line {
        /// From 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The text is longer than [`crate::limits::MAX_MANIFEST_BYTES`].
    #[error("a manifest has at most {limit} bytes, not {size}", limit = crate::limits::MAX_MANIFEST_BYTES)]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
}

impl ManifestError {
    /// One sentence that says what a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name | Self::Field { .. } => "write the model as it is listed in the root contract",
            Self::Path { .. } => "list files relative to the model's folder, without `.` and `..`",
            Self::Order { .. } | Self::FileCount { .. } | Self::Line { .. } | Self::TooLong { .. } => {
                "make the manifest again from the model's folder"
            }
        }
    }
}
