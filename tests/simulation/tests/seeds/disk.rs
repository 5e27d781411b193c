//! A disk that forgets: what was not synced before a crash may be there, in part, or not at all. So a node need not die at
//! single writes: a death at the sync after them leaves any part of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_store::{Disk, DiskFile};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::host::Life;

/// What a disk forgets to do, when it is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    NeverSyncs,
    /// What a sync makes durable is what was there at the one before.
    SyncsLate,
    NamesNotSynced,
}

/// What remains of a node between its lives.
#[derive(Clone, Debug)]
pub(crate) struct Platter(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, Content>,
    next: u64,
    /// Syncs that fail are as rare as one in this many; 0: none fails.
    sync_fails: u32,
    lapse: Option<Lapse>,
    backup: Option<Backup>,
}

/// The disk at some time.
type Backup = (BTreeMap<PathBuf, u64>, BTreeMap<u64, Vec<u8>>);

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// How many of them were there at the last sync.
    synced: usize,
    is_locked: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Size(u64),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Size(size) => to.resize(usize::try_from(*size).unwrap(), 0),
            Self::Write(offset, bytes) => {
                let start = usize::try_from(*offset).unwrap();
                let end = start + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[start..end].copy_from_slice(bytes);
            }
        }
    }

    /// What a crash in the middle leaves of it.
    fn torn(&self, rng: &mut StdRng) -> Self {
        match self {
            Self::Size(size) => Self::Size(*size),
            Self::Write(offset, bytes) => Self::Write(*offset, bytes[..rng.random_range(0..=bytes.len())].to_vec()),
        }
    }
}

impl Platter {
    pub(crate) fn new(seed: u64, lapse: Option<Lapse>) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            files: BTreeMap::new(),
            next: 0,
            sync_fails: 0,
            lapse,
            backup: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_sync_fails(&self, one_in: u32) {
        self.lock().sync_fails = one_in;
    }

    /// The crash. What is lost of a file follows from that file and the crash alone: how many pages a database writes depends
    /// on its keys, and these on hashes of certificates.
    pub(crate) fn lose_unsynced(&self) {
        let state = &mut *self.lock();
        let crash = state.rng.random::<u64>();
        // Names that were not synced survive or not, all at once.
        if state.rng.random_bool(0.5) {
            state.durable_names = state.names.clone();
        }
        state.names = state.durable_names.clone();
        for (number, content) in &mut state.files {
            let rng = &mut StdRng::seed_from_u64(crash ^ number);
            content.is_locked = false;
            content.synced = 0;
            let changes = std::mem::take(&mut content.pending);
            // Half of the time what was written first survives; half of the time any part of it.
            let (in_order, kept) = (rng.random_bool(0.5), rng.random_range(0..=changes.len()));
            for (index, change) in changes.iter().enumerate() {
                let survives = if in_order { index < kept } else { rng.random_bool(0.5) };
                if survives {
                    change.apply(&mut content.durable);
                } else if index == kept || rng.random_bool(0.1) {
                    change.torn(rng).apply(&mut content.durable);
                }
            }
            content.live = content.durable.clone();
        }
    }

    /// The disk as it is now, for whoever looks at it beside its node.
    pub(crate) fn copy(&self) -> Self {
        let state = self.lock();
        let content = |content: &Content| Content {
            live: content.live.clone(),
            ..Content::default()
        };
        let files = state.files.iter().map(|(number, file)| (*number, content(file)));
        Self(Arc::new(Mutex::new(State {
            rng: StdRng::seed_from_u64(0),
            names: state.names.clone(),
            durable_names: BTreeMap::new(),
            files: files.collect(),
            next: state.next,
            sync_fails: 0,
            lapse: None,
            backup: None,
        })))
    }

    /// Keeps the disk as it is now for [`restore`](Self::restore).
    pub(crate) fn back_up(&self) {
        let state = &mut *self.lock();
        let files = state.files.iter().map(|(number, file)| (*number, file.live.clone()));
        state.backup = Some((state.names.clone(), files.collect()));
    }

    /// Puts back what was kept, if anything was.
    pub(crate) fn restore(&self) {
        let state = &mut *self.lock();
        let Some((names, files)) = state.backup.clone() else {
            return;
        };
        state.durable_names = names.clone();
        state.names = names;
        let content = |live: Vec<u8>| Content {
            durable: live.clone(),
            live,
            ..Content::default()
        };
        state.files = files
            .into_iter()
            .map(|(number, live)| (number, content(live)))
            .collect();
    }

    /// The end of a life without a crash: the system writes everything out by itself.
    pub(crate) fn settle(&self) {
        let state = &mut *self.lock();
        state.durable_names = state.names.clone();
        for content in state.files.values_mut() {
            content.is_locked = false;
            content.synced = 0;
            content.pending.clear();
            content.durable = content.live.clone();
        }
    }

    /// The disk as a node sees it in one life.
    pub(crate) fn disk(&self, life: &Arc<Life>) -> Arc<dyn Disk> {
        Arc::new(OfLife {
            platter: self.clone(),
            life: Arc::clone(life),
        })
    }
}

#[derive(Debug)]
struct OfLife {
    platter: Platter,
    life: Arc<Life>,
}

impl OfLife {
    fn open(&self, number: u64) -> Box<dyn DiskFile> {
        Box::new(File {
            platter: self.platter.clone(),
            life: Arc::clone(&self.life),
            number,
        })
    }
}

impl Disk for OfLife {
    // Folders are there from the start: losing one is losing the disk.
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        self.life.act("make a folder")
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = self.platter.lock().names.get(path).copied();
        number
            .map(|number| self.open(number))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.life.act("open a file")?;
        let state = &mut *self.platter.lock();
        let number = *state.names.entry(path.to_owned()).or_insert(state.next);
        if number == state.next {
            state.next += 1;
            state.files.insert(number, Content::default());
        }
        Ok(self.open(number))
    }

    fn exists(&self, path: &Path) -> bool {
        self.platter.lock().names.contains_key(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.life.act("rename a file")?;
        let mut state = self.platter.lock();
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.life.act("sync a folder")?;
        let state = &mut *self.platter.lock();
        if state.lapse == Some(Lapse::NamesNotSynced) {
            return Ok(());
        }
        let is_inside = |path: &Path| path.parent() == Some(folder);
        state.durable_names.retain(|path, _| !is_inside(path));
        let inside = state.names.iter().filter(|(path, _)| is_inside(path));
        state
            .durable_names
            .extend(inside.map(|(path, number)| (path.clone(), *number)));
        Ok(())
    }
}

#[derive(Debug)]
struct File {
    platter: Platter,
    life: Arc<Life>,
    number: u64,
}

impl File {
    fn change(&self, change: Change) -> io::Result<()> {
        self.life.live()?;
        let mut state = self.platter.lock();
        let content = state.files.get_mut(&self.number).unwrap();
        change.apply(&mut content.live);
        content.pending.push(change);
        Ok(())
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.platter.lock().files[&self.number].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.platter.lock();
        let rest = state.files[&self.number]
            .live
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, bytes.to_vec()))
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.change(Change::Size(size))
    }

    fn sync(&self) -> io::Result<()> {
        self.life.act("sync")?;
        let state = &mut *self.platter.lock();
        if state.sync_fails > 0 && state.rng.random_range(0..state.sync_fails) == 0 {
            return Err(io::Error::other("the disk has failed"));
        }
        let content = state.files.get_mut(&self.number).unwrap();
        let count = match state.lapse {
            Some(Lapse::NeverSyncs) => 0,
            Some(Lapse::SyncsLate) => std::mem::replace(&mut content.synced, content.pending.len()),
            Some(Lapse::NamesNotSynced) | None => content.pending.len(),
        };
        for change in content.pending.drain(..count) {
            change.apply(&mut content.durable);
        }
        content.synced = content.pending.len();
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.platter.lock();
        let content = state.files.get_mut(&self.number).unwrap();
        Ok(!std::mem::replace(&mut content.is_locked, true))
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        Ok(self.platter.lock().names.get(path) == Some(&self.number))
    }
}
