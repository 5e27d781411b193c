//! Bounds on what a manifest may hold.

/// Bytes of a model name. The deployed network uses fewer than 100; a TL string of one length byte holds 253.
pub const MAX_NAME_BYTES: usize = 253;

/// Bytes of any other field or path: longer ones are mistakes.
pub const MAX_FIELD_BYTES: usize = 255;

/// Files of one model. The largest published models have a few hundred shards.
pub const MAX_FILES: usize = 4096;

/// Bytes of a whole manifest: all files with paths of full length.
pub const MAX_MANIFEST_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of the salt of a hash tree: the place that the superblock of dm-verity has for it.
pub const MAX_SALT_BYTES: usize = 256;

/// Blocks of data under one hash tree: 64 TiB, a hundred times the largest published model.
pub const MAX_DATA_BLOCKS: u64 = 1 << 34;

/// Bytes of all files of an archive: their blocks have numbers of 32 bits, less room for directories and for the ends of
/// blocks. 8 TiB is ten times the largest published model.
pub const MAX_ARCHIVE_BYTES: u64 = 8 << 40;

/// Bytes of one directory of an archive: [`MAX_FILES`] entries with names of full length, and no more than half a block
/// of 4096 bytes left empty.
pub const MAX_DIRECTORY_BYTES: u64 = 4 * 1024 * 1024;

/// Parts that one model is cut into: what the engine can be told, and more than one machine has devices.
pub const MAX_RANKS: u32 = 1024;

/// Bytes of a kernel's command line: `COMMAND_LINE_SIZE` of x86-64.
pub const MAX_COMMAND_LINE_BYTES: usize = 2048;
