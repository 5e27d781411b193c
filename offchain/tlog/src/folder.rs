//! The folder that a log is written into, as a capability: a test can stop it at any act and lose what was not synced.

use std::fmt::Debug;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{TlogError, disk};

/// The file that a writer holds. Not a file of the log; it stays when nobody writes.
const LOCK: &str = "lock";

/// Files by their path in the log.
pub trait LogFolder: Debug + Send + Sync {
    /// A whole file; `None` when there is none.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Writes a whole file, in the place of what was there, and creates the folders above it. When this returns its bytes are
    /// durable; its name is after [`LogFolder::sync_names`].
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Puts a file in the place of another, of which nothing remains.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the names in a folder durable. The folder of the log itself is the empty path.
    fn sync_names(&self, folder: &str) -> io::Result<()>;

    /// Takes the folder for one writer, until what is returned is dropped or the process ends. An error of the kind
    /// [`ErrorKind::WouldBlock`] says that another one has it.
    fn lock(&self) -> io::Result<FolderLock>;

    /// Removes a folder with all that is in it; nothing happens when there is none.
    fn remove_folder(&self, folder: &str) -> io::Result<()>;
}

/// A folder that is taken.
#[derive(Debug, Default)]
pub struct FolderLock {
    _file: Option<File>,
}

/// A shared folder.
pub type SharedFolder = Arc<dyn LogFolder>;

/// A folder of this machine.
#[derive(Debug, Clone)]
pub struct DiskFolder {
    base: PathBuf,
}

impl DiskFolder {
    /// The folder; it is created when something is written.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }

    /// As a shared folder.
    pub fn shared(base: impl Into<PathBuf>) -> SharedFolder {
        Arc::new(Self::new(base))
    }
}

impl LogFolder for DiskFolder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.base.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.base.join(path);
        let mut file = match File::create(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                File::create(&path)?
            }
            created => created?,
        };
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.base.join(from), self.base.join(to))
    }

    fn sync_names(&self, folder: &str) -> io::Result<()> {
        File::open(self.base.join(folder))?.sync_all()
    }

    fn lock(&self) -> io::Result<FolderLock> {
        fs::create_dir_all(&self.base)?;
        let path = self.base.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.base.join(folder)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Files that are written so that a crash leaves the one before or the new one, never a part.
#[derive(Debug)]
pub(crate) struct Files {
    folder: SharedFolder,
    /// Folders with names that are not durable yet.
    changed: std::collections::BTreeSet<String>,
    _lock: FolderLock,
}

impl Files {
    /// Takes the folder for this writer.
    pub(crate) fn take(folder: SharedFolder) -> Result<Self, TlogError> {
        let lock = folder.lock().map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => TlogError::Taken,
            _ => disk("lock", "the folder")(error),
        })?;
        Ok(Self {
            folder,
            changed: Default::default(),
            _lock: lock,
        })
    }

    pub(crate) fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.folder.read(path)
    }

    /// Puts a file in its place. Durable after [`Files::sync`].
    pub(crate) fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{path}.new");
        self.folder.write(&new, bytes)?;
        self.folder.rename(&new, path)?;
        // The folders above may be new too.
        let mut folder = path;
        while let Some((above, _)) = folder.rsplit_once('/') {
            if !self.changed.insert(above.to_owned()) {
                return Ok(());
            }
            folder = above;
        }
        self.changed.insert(String::new());
        Ok(())
    }

    /// Makes durable what was put.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        // Those inside first: a name is of use only with what it names.
        for folder in self.changed.iter().rev() {
            self.folder.sync_names(folder)?;
        }
        self.changed.clear();
        Ok(())
    }

    /// Removes what nobody needs any more.
    pub(crate) fn remove_folder(&mut self, folder: &str) -> io::Result<()> {
        self.changed.remove(folder);
        self.folder.remove_folder(folder)
    }
}
