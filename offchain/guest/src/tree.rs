//! The few file operations by which a guest talks to its kernel, so that tests can play the kernel.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// File operations.
pub(crate) trait Tree: Send + Sync {
    /// Makes a folder.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder; the kernel's attributes in it do not count.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes an existing file, in one call: the kernel takes an attribute as one piece.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Reads at most one byte more than `limit`.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk;

impl Tree for Disk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        // configfs hands a binary attribute over when the file is closed, and std ignores errors of closing: what was
        // not taken shows in the generation.
        match file.write(bytes)? {
            written if written == bytes.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
