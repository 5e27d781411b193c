//! The chain on disk: a saved chain and a journal of what changed since, read at the start, added to after changes, and from
//! time to time, and at the end, written anew as a whole.
//!
//! One process at a time has the files of a chain: it holds a lock beside them before it reads them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use cocoon_emulator::journal::{self, Delta, Mark, Replayed};
use cocoon_emulator::{Emulator, Snapshot};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::LocalNetError;
use crate::limits::{LOCK_PATIENCE, LOCK_STEP, MIN_JOURNAL_BYTES, RETRY_DELAY, WRITE_DELAY};
use crate::node::{Changes, Node};

/// The files of a chain.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    /// Bytes of the saved chain.
    saved_bytes: u64,
    /// The journal that is being added to; without, the next write is a whole one.
    journal: Option<OpenJournal>,
    /// Nobody else reads or writes the files as long as this is open.
    _lock: File,
}

#[derive(Debug)]
struct OpenJournal {
    file: File,
    bytes: u64,
    /// How far the chain is on disk.
    mark: Mark,
}

/// Takes the files of a chain for this process. A process that is just ending gets [`LOCK_PATIENCE`].
pub(crate) async fn lock(path: &Path) -> Result<File, LocalNetError> {
    let beside = beside(path, ".lock");
    let open = || {
        fs::create_dir_all(folder_of(path))?;
        File::options().create(true).truncate(false).write(true).open(&beside)
    };
    let file = open().map_err(failed(&beside))?;
    let mut patience = LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(&beside)(source)),
            Err(TryLockError::WouldBlock) if patience.is_zero() => {
                return Err(LocalNetError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => {
                tokio::time::sleep(LOCK_STEP).await;
                patience = patience.saturating_sub(LOCK_STEP);
            }
        }
    }
}

/// The saved chain with its journal applied, if there is one, and its files, which go on from there.
pub(crate) fn open(path: &Path, lock: File) -> Result<(Option<Snapshot>, Store), LocalNetError> {
    let mut store = Store::new(path.to_owned(), lock);
    let Some(saved) = read_file(path)? else {
        return Ok((None, store));
    };
    let beside = journal::path_beside(path);
    let records = read_file(&beside)?;
    let damaged = |source| LocalNetError::Damaged {
        path: path.to_owned(),
        source,
    };
    let (snapshot, replayed) = Snapshot::from_saved(&saved, records.as_deref().unwrap_or_default()).map_err(damaged)?;
    store.saved_bytes = length(&saved);
    let journal_bytes = records.as_ref().map_or(0, Vec::len);
    match replayed {
        // The next write begins a journal. What this one holds may be confirmed changes of a chain whose file is lost.
        Replayed::Stale if journal_bytes > journal::HEAD_BYTES => set_aside(&beside)?,
        Replayed::Stale => {}
        Replayed::Applied { whole_bytes, .. } => {
            store.reopen(
                &snapshot,
                &beside,
                whole_bytes,
                journal_bytes.saturating_sub(whole_bytes),
            )?;
        }
    }
    Ok((Some(snapshot), store))
}

/// Keeps a journal that continues another saved chain, under a name that nothing writes to.
fn set_aside(journal: &Path) -> Result<(), LocalNetError> {
    let aside = beside(journal, ".stale");
    fs::rename(journal, &aside).map_err(failed(&aside))?;
    tracing::warn!(
        kept = %aside.display(),
        "the journal continues another saved chain, is not applied, and is kept under another name"
    );
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, LocalNetError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LocalNetError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

impl Store {
    /// Files that are not there yet.
    fn new(path: PathBuf, lock: File) -> Self {
        Self {
            path,
            saved_bytes: 0,
            journal: None,
            _lock: lock,
        }
    }

    /// Goes on with a journal, behind the `whole` bytes of it, and cuts off what is there of another `torn` ones.
    fn reopen(&mut self, snapshot: &Snapshot, beside: &Path, whole: usize, torn: usize) -> Result<(), LocalNetError> {
        let mark = Mark::of(&Emulator::from_snapshot(snapshot)?);
        let bytes = u64::try_from(whole).unwrap_or(u64::MAX);
        let open = || {
            let file = OpenOptions::new().append(true).open(beside)?;
            if torn > 0 {
                tracing::warn!(
                    bytes = torn,
                    "the end of the journal was never confirmed and is cut off"
                );
                file.set_len(bytes)?;
                file.sync_all()?;
            }
            Ok(file)
        };
        let file = open().map_err(failed(beside))?;
        self.journal = Some(OpenJournal { file, bytes, mark });
        Ok(())
    }

    /// Brings the files to where the chain is; returns the number of the last change in them.
    pub(crate) fn save(&mut self, node: &Node) -> Result<u64, LocalNetError> {
        let mark = self.journal.as_mut().map(|journal| &mut journal.mark);
        let (changes, number) = node.changes_since(mark);
        let result = match changes {
            Changes::Delta(delta) => self.add(&delta),
            Changes::All(snapshot, mark) => self.save_all(&snapshot, *mark),
        };
        if let Err(error) = result {
            // Nobody knows what of the record is on disk. The next write is a whole one.
            self.journal = None;
            return Err(error);
        }
        let grown = self.journal.as_ref().map_or(0, |journal| journal.bytes);
        if grown > self.saved_bytes.max(MIN_JOURNAL_BYTES) {
            return self.compact(node);
        }
        Ok(number)
    }

    fn add(&mut self, delta: &Delta) -> Result<(), LocalNetError> {
        let record = delta.to_record()?;
        let beside = journal::path_beside(&self.path);
        match &mut self.journal {
            Some(journal) => journal.add(&record).map_err(failed(&beside)),
            None => Ok(()),
        }
    }

    /// Writes the chain as a whole; returns the number of the last change in it.
    fn compact(&mut self, node: &Node) -> Result<u64, LocalNetError> {
        self.journal = None;
        let (changes, number) = node.changes_since(None);
        if let Changes::All(snapshot, mark) = changes {
            self.save_all(&snapshot, *mark)?;
        }
        Ok(number)
    }

    /// Writes the last change, the chain as a whole if there is a journal, and removes that.
    fn close(&mut self, node: &Node) -> Result<u64, LocalNetError> {
        let number = self.compact(node)?;
        let beside = journal::path_beside(&self.path);
        self.journal = None;
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&beside)(error)),
            _ => Ok(number),
        }
    }

    /// The saved chain first, in one step; then a journal that names it. A journal of the chain before it is recognised by
    /// the name that it has.
    fn save_all(&mut self, snapshot: &Snapshot, mark: Mark) -> Result<(), LocalNetError> {
        let saved = snapshot.to_bytes()?;
        let head = journal::head(&saved)?;
        replace(&self.path, &saved).map_err(failed(&self.path))?;
        self.saved_bytes = length(&saved);
        let beside = journal::path_beside(&self.path);
        let start = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&beside)?;
            file.set_len(0)?;
            file.write_all(&head)?;
            file.sync_all()?;
            sync_folder(&beside)?;
            Ok(file)
        };
        let file = start().map_err(failed(&beside))?;
        let bytes = length(&head);
        self.journal = Some(OpenJournal { file, bytes, mark });
        Ok(())
    }
}

impl OpenJournal {
    fn add(&mut self, record: &[u8]) -> std::io::Result<()> {
        self.file.write_all(record)?;
        self.file.sync_data()?;
        self.bytes = self.bytes.saturating_add(length(record));
        Ok(())
    }
}

/// Writes beside a file and puts it in its place, so that there is always a whole one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    let beside = beside(path, ".new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder(path)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> LocalNetError {
    let path = path.to_owned();
    move |source| LocalNetError::Write { path, source }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Writes the chain after every change until told to stop, and as a whole then. What cannot be written is tried again, since
/// somebody waits for it. `written` holds the number of the last change on disk.
pub(crate) async fn keep(
    node: Node,
    mut store: Store,
    written: watch::Sender<u64>,
    stop: CancellationToken,
) -> Result<(), LocalNetError> {
    let mut changes = node.changes();
    let (mut stopping, mut failed) = (false, false);
    loop {
        if !stopping {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { stopping = true; },
                () = stop.cancelled() => stopping = true,
                () = tokio::time::sleep(RETRY_DELAY), if failed => {}
            }
            if !stopping {
                tokio::time::sleep(WRITE_DELAY).await;
            }
        }
        changes.mark_unchanged();
        let node = node.clone();
        let task = tokio::task::spawn_blocking(move || {
            let result = if stopping {
                store.close(&node)
            } else {
                store.save(&node)
            };
            (store, result)
        });
        let result;
        (store, result) = task.await.map_err(|error| LocalNetError::Server(error.to_string()))?;
        failed = result.is_err();
        match result {
            Ok(number) => {
                written.send_replace(number);
            }
            Err(error) if stopping => return Err(error),
            Err(error) => tracing::error!(%error, "the chain's state is not saved"),
        }
        if stopping {
            return Ok(());
        }
    }
}
