//! Bounds on what is held and read.

/// Bytes that one thread hashes at a time: long enough that starting it costs nothing beside it.
pub const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Threads that hash. Two buffers of [`CHUNK_BYTES`] are held for each; no disk feeds more.
pub const MAX_THREADS: usize = 64;

/// Names in all directories of a folder: those that an archive can hold, and as many that are passed over.
pub const MAX_NAMES: usize = 2 * cocoon_manifest::limits::MAX_FILES;
