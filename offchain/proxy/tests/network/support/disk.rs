//! A disk on which nothing becomes durable while it is told so.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cocoon_store::{Disk, DiskFile, RealDisk};

#[derive(Debug)]
pub(crate) struct StallingDisk {
    pub(crate) is_stalled: Arc<AtomicBool>,
}

#[derive(Debug)]
struct StallingFile {
    file: Box<dyn DiskFile>,
    is_stalled: Arc<AtomicBool>,
}

impl Disk for StallingDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.read(path)
    }

    fn write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(StallingFile {
            file: RealDisk.write(path)?,
            is_stalled: Arc::clone(&self.is_stalled),
        }))
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }
}

impl DiskFile for StallingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }

    fn sync(&self) -> io::Result<()> {
        while self.is_stalled.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.file.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        self.file.is_named(path)
    }
}
