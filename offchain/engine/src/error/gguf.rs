//! What can be wrong with a GGUF file.

use thiserror::Error;

/// Why a GGUF file is not read. Byte numbers are positions in the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GgufError {
    /// Another format.
    #[error("it does not begin with GGUF")]
    Magic,
    /// Another version, or a file for machines whose numbers begin with the highest byte.
    #[error("its version is {found}; little-endian files of versions 2 and 3 are read")]
    Version {
        /// As it stands there.
        found: u32,
    },
    /// The file ends too soon, or a length in it is damaged.
    #[error("it ends before what byte {at} announces")]
    Cut {
        /// Where the last thing begins that could be read.
        at: usize,
    },
    /// More than any published file has.
    #[error("it announces {found} {what}, more than {limit}")]
    TooMany {
        /// Tensors or keys.
        what: &'static str,
        /// As many.
        found: u64,
        /// The limit.
        limit: usize,
    },
    /// A name is no text or too long.
    #[error("the name at byte {at} is not a short text")]
    Text {
        /// Where.
        at: usize,
    },
    /// A value has a type that the format does not know.
    #[error("the value at byte {at} has type {found}")]
    Value {
        /// Where.
        at: usize,
        /// The type.
        found: u32,
    },
    /// Tensors cannot begin at such borders.
    #[error("`general.alignment` is {found}")]
    Alignment {
        /// As it stands there.
        found: u64,
    },
    /// A key is missing without which the weights cannot be read.
    #[error("`{key}` is missing or not a number")]
    Key {
        /// Its name.
        key: &'static str,
    },
    /// Weights of a family whose names and layout in GGUF are not known here.
    #[error("its architecture is `{found}`; llama, qwen2 and qwen3 are read")]
    Architecture {
        /// `general.architecture`, shortened.
        found: String,
    },
    /// A tensor has an impossible shape.
    #[error("tensor `{tensor}` has an impossible shape")]
    Shape {
        /// Its name.
        tensor: String,
    },
    /// A tensor does not lie in the file.
    #[error("tensor `{tensor}` lies outside of the file")]
    Outside {
        /// Its name.
        tensor: String,
    },
    /// Two tensors have one name.
    #[error("tensor `{tensor}` is there twice")]
    Twice {
        /// Its name.
        tensor: String,
    },
    /// The folder does not have all parts of the model, or has files of several models.
    #[error("the model lies in {expected} files, and the folder has {found}")]
    Parts {
        /// By the files.
        expected: u64,
        /// In the folder.
        found: usize,
    },
}
