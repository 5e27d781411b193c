//! What can be wrong with a name or a manifest.

use thiserror::Error;

/// Why a model name or a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A field is empty, too long, or holds a character that its place does not allow.
    #[error("the {field} must be 1 to {limit} bytes without blanks or control characters")]
    Field {
        /// Which field.
        field: &'static str,
        /// The largest length in bytes.
        limit: usize,
    },
    /// A hash is not written as 64 lower-case hexadecimal digits.
    #[error("a {field} is written as 64 lower-case hexadecimal digits")]
    Hash {
        /// Which hash.
        field: &'static str,
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
    /// Sampling defaults are not five finite numbers in their one form.
    #[error("the sampling defaults of a model are not what their place demands")]
    Sampling,
    /// A model is cut into no part, or into more than [`crate::limits::MAX_RANKS`].
    #[error("a model has 1 to {limit} ranks, not {count}", limit = crate::limits::MAX_RANKS)]
    Ranks {
        /// How many are told.
        count: u32,
    },
    /// A kernel's command line is empty, too long, or has control characters.
    #[error("a command line has 1 to {limit} bytes without control characters", limit = crate::limits::MAX_COMMAND_LINE_BYTES)]
    CommandLine,
    /// The files of an archive lie in more than [`crate::limits::MAX_FILES`] folders.
    #[error("an archive has at most {limit} folders, not {count}", limit = crate::limits::MAX_FILES)]
    FolderCount {
        /// How many there are.
        count: usize,
    },
    /// The files of an archive are larger than [`crate::limits::MAX_ARCHIVE_BYTES`].
    #[error("an archive holds at most {limit} bytes, not {bytes}", limit = crate::limits::MAX_ARCHIVE_BYTES)]
    ArchiveSize {
        /// Their sizes together, in bytes.
        bytes: u64,
    },
    /// The bytes are not an archive in the one form that its files give.
    #[error("this is not a model archive: the {part} is not what it must be")]
    Archive {
        /// What is wrong.
        part: &'static str,
    },
    /// A salt is longer than [`crate::limits::MAX_SALT_BYTES`].
    #[error("the salt of a hash tree has at most {limit} bytes, not {size}", limit = crate::limits::MAX_SALT_BYTES)]
    SaltLength {
        /// Its size in bytes.
        size: usize,
    },
    /// A hash tree is over nothing, or over more than [`crate::limits::MAX_DATA_BLOCKS`] blocks.
    #[error("a hash tree is over 1 to {limit} blocks, not {count}", limit = crate::limits::MAX_DATA_BLOCKS)]
    DataBlocks {
        /// How many there are.
        count: u64,
    },
    /// The data under a hash tree are not as many whole blocks as its superblock says.
    #[error("the data are {count} blocks, not {expected} whole ones")]
    BlockCount {
        /// How many the superblock says.
        expected: u64,
        /// How many there are; one more than there should be where they do not end.
        count: u64,
    },
    /// The superblock of a hash tree is not one of dm-verity in the form that is used here.
    #[error("the {field} of the hash tree's superblock is not what it must be")]
    Superblock {
        /// Which field.
        field: &'static str,
    },
}

impl ManifestError {
    /// One sentence that says what a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name | Self::Field { .. } | Self::Hash { .. } => {
                "write the model as it is listed in the root contract"
            }
            Self::Path { .. } => "list files relative to the model's folder, without `.` and `..`",
            Self::Order { .. } | Self::FileCount { .. } | Self::Line { .. } | Self::TooLong { .. } => {
                "make the manifest again from the model's folder"
            }
            Self::Sampling => "write finite numbers in generation_config.json",
            Self::Ranks { .. } => "set `ranks` of the engine to the number of devices",
            Self::CommandLine => "shorten the kernel's command line",
            Self::FolderCount { .. } => "name the folder of one model",
            Self::ArchiveSize { .. } => "split the model",
            Self::Archive { .. } => "make the archive with `cocoon model build FOLDER --archive FILE`",
            Self::SaltLength { .. } => "use a salt of 32 bytes",
            Self::DataBlocks { .. } | Self::BlockCount { .. } => "fill the data up to whole blocks of 4096 bytes",
            Self::Superblock { .. } => "make the hash tree again, or use `veritysetup format` with its defaults",
        }
    }
}
