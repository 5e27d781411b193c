//! What can be wrong with an image or with what a host adds to it.

use thiserror::Error;

/// Why an image, its configuration or a host's files are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The boot line lacks a word, has one twice, or one that cannot be read.
    #[error("the boot line must hold `{word}` once, {expected}")]
    BootLine {
        /// The word before the equals sign.
        word: &'static str,
        /// What stands behind it.
        expected: &'static str,
    },
    /// More than a limit of [`crate::limits`] allows.
    #[error("{what}: {count} is more than {limit}")]
    TooMuch {
        /// What is too large or too many.
        what: &'static str,
        /// How much there is.
        count: u64,
        /// How much may be.
        limit: u64,
    },
    /// A name that is no plain relative path, or that is there twice.
    #[error("`{path}` is not a plain relative path that is there once")]
    Path {
        /// The path, shortened.
        path: String,
    },
    /// A firmware, a kernel or an id is not what can be measured here.
    #[error("the {file} {fault}")]
    Malformed {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The guest's configuration is not what its reader knows.
    #[error("{file}: {message}")]
    Config {
        /// The file.
        file: String,
        /// What the reader says, with line and key.
        message: String,
    },
    /// The host's archive cannot be read.
    #[error("the host's archive is malformed at byte {offset}: {expected}")]
    HostArchive {
        /// Where the bad header begins.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The host adds a file that the measured configuration does not name, or leaves one out that it needs.
    #[error("the host's file `{name}` is {fault}")]
    HostFile {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl ImageError {
    /// One sentence that says what a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BootLine { .. } => "start the image with the boot line that was built with it",
            Self::TooMuch { .. } | Self::Path { .. } => "make the image's configuration smaller and its names plain",
            Self::Config { .. } => "mend the image's configuration and build it again",
            Self::Malformed { .. } => "use the image's own kernel and an OVMF that is built for TDX",
            Self::HostArchive { .. } => "make the host's archive with `tar --format=ustar`",
            Self::HostFile { .. } => "the image's guest.toml names what a host gives, under [host]",
        }
    }
}
