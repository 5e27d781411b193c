//! Files as a capability, so that a test can lose what was not synced, cut a write short, or fail.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

/// Where a store keeps its files.
pub trait Disk: Debug + Send + Sync {
    /// Creates a folder and those above it.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Opens a file for reading only.
    fn read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing; creates it if it is not there. Whether it is there after a crash is known only
    /// after [`Disk::sync_folder`].
    fn write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Whether there is such a file.
    fn exists(&self, path: &Path) -> bool;

    /// Puts a file in the place of another, of which nothing remains.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A shared disk.
pub type SharedDisk = Arc<dyn Disk>;

/// An open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Bytes in it.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to as many bytes as the buffer has; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of it, making the file longer where needed. Not durable yet.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or fills it up with zeros.
    fn set_size(&self, size: u64) -> io::Result<()>;

    /// Makes durable what was written.
    fn sync(&self) -> io::Result<()>;

    /// Keeps others from taking the file until it is closed; `false` when one has it already.
    fn try_lock(&self) -> io::Result<bool>;

    /// Whether this is the file that has this name now, and not one in whose place another was put.
    fn is_named(&self, path: &Path) -> io::Result<bool>;
}

/// The machine's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl RealDisk {
    /// As a shared disk.
    pub fn shared() -> SharedDisk {
        Arc::new(Self)
    }
}

impl Disk for RealDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Ok(Box::new(options.open(path)?))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match File::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        let (own, named) = (self.metadata()?, fs::metadata(path));
        match named {
            Ok(named) => Ok((own.dev(), own.ino()) == (named.dev(), named.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A file read from somewhere to its end.
#[derive(Debug)]
pub(crate) struct Reading {
    file: Box<dyn DiskFile>,
    offset: u64,
}

impl Reading {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> Self {
        Self::at(file, 0)
    }

    /// From this byte on.
    pub(crate) fn at(file: Box<dyn DiskFile>, offset: u64) -> Self {
        Self { file, offset }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// A file as the database wants it.
#[derive(Debug)]
pub(crate) struct Storage(pub(crate) Box<dyn DiskFile>);

impl redb::StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.0.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(buffer)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_size(length)
    }

    fn sync_data(&self, _eventual: bool) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
}
