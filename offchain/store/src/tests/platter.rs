//! A disk that stops at any act, and keeps of what was not synced what a draw says.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::{Disk, DiskFile, SharedDisk};

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaves {
    /// Nothing of it.
    Nothing,
    /// All of it.
    All,
    /// Any part of it, in any order, the last piece cut anywhere: by this draw.
    Some(u64),
}

/// Files with what is durable of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Platter(Arc<Mutex<State>>);

/// Called when a file is synced.
type OnSync = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<Content>,
    acts: u64,
    syncs: u64,
    /// Crashes so far: a file that was opened before one has no effect after it.
    crashes: u64,
    /// From this act on nothing has an effect.
    stops_at: Option<u64>,
    on_sync: Option<(usize, OnSync)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("acts", &self.acts)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Size(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Size(size) => to.resize(*size, 0),
            Self::Write(start, bytes) => {
                let end = start + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*start..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Platter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn disk(&self) -> SharedDisk {
        Arc::new(self.clone())
    }

    /// Acts so far.
    pub(super) fn acts(&self) -> u64 {
        self.lock().acts
    }

    /// Syncs so far.
    pub(super) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// Has everything fail from the act with this number on.
    pub(super) fn stop_at(&self, act: u64) {
        self.lock().stops_at = Some(act);
    }

    /// Calls something the next time that a file is synced.
    pub(super) fn on_sync(&self, path: &Path, call: impl FnOnce() + Send + 'static) {
        let state = &mut *self.lock();
        state.on_sync = state.names.get(path).map(|number| (*number, Box::new(call) as OnSync));
    }

    /// The crash, and the machine's next start.
    pub(super) fn crash(&self, leaves: Leaves) {
        self.lock().crashes += 1;
        // Whoever is dropped with it may want to write.
        let forgotten = self.lock().on_sync.take();
        drop(forgotten);
        let state = &mut *self.lock();
        let mut draw = match leaves {
            Leaves::Some(draw) => draw | 1,
            _ => 1,
        };
        let mut next = |below: u64| {
            draw ^= draw << 13;
            draw ^= draw >> 7;
            draw ^= draw << 17;
            draw % below
        };
        let keeps_names = match leaves {
            Leaves::Nothing => false,
            Leaves::All => true,
            Leaves::Some(_) => next(2) == 0,
        };
        if keeps_names {
            state.durable_names = state.names.clone();
        }
        state.names = state.durable_names.clone();
        for content in &mut state.files {
            for change in std::mem::take(&mut content.pending) {
                match (leaves, &change) {
                    (Leaves::Nothing, _) => {}
                    (Leaves::Some(_), Change::Write(start, bytes)) if next(3) == 0 => {
                        let kept = next(bytes.len() as u64 + 1) as usize;
                        Change::Write(*start, bytes[..kept].to_vec()).apply(&mut content.durable);
                    }
                    // A size that a file was given is there before what was written behind its former end.
                    (Leaves::Some(_), Change::Write(..)) if next(2) == 0 => {}
                    _ => change.apply(&mut content.durable),
                }
            }
            content.live = content.durable.clone();
        }
        state.stops_at = None;
    }

    fn act(&self, life: Option<u64>) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let is_over = life.is_some_and(|life| life != state.crashes);
        if is_over || state.stops_at.is_some_and(|stop| state.acts >= stop) {
            return Err(io::Error::other("the machine has stopped"));
        }
        state.acts += 1;
        Ok(state)
    }
}

impl Disk for Platter {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        let number = state.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(PlatterFile(self.clone(), number, state.crashes)))
    }

    fn write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = &mut *self.act(None)?;
        let next = state.files.len();
        let number = *state.names.entry(path.to_owned()).or_insert(next);
        if number == next {
            state.files.push(Content::default());
        }
        Ok(Box::new(PlatterFile(self.clone(), number, state.crashes)))
    }

    fn exists(&self, path: &Path) -> bool {
        self.lock().names.contains_key(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.act(None)?;
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let state = &mut *self.act(None)?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct PlatterFile(Platter, usize, u64);

impl PlatterFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.act(Some(self.2))?;
        let content = &mut state.files[self.1];
        change.apply(&mut content.live);
        content.pending.push(change);
        Ok(())
    }
}

impl DiskFile for PlatterFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().files[self.1].live.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.0.lock();
        let rest = state.files[self.1].live.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset as usize, bytes.to_vec()))
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.change(Change::Size(size as usize))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.act(Some(self.2))?;
        state.syncs += 1;
        let content = &mut state.files[self.1];
        for change in std::mem::take(&mut content.pending) {
            change.apply(&mut content.durable);
        }
        let called = state.on_sync.take_if(|(number, _)| *number == self.1);
        drop(state);
        if let Some((_, call)) = called {
            call();
        }
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn is_named(&self, path: &Path) -> io::Result<bool> {
        Ok(self.0.lock().names.get(path) == Some(&self.1))
    }
}
