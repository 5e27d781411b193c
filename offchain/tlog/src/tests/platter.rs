//! A folder in memory that stops at any act, and keeps of what was not synced what a draw says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::TlogError;
use crate::folder::FolderLock;
use crate::{LogFolder, LogSource, SharedFolder, SharedSource, paths};

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaves {
    /// Nothing of it.
    Nothing,
    /// All of it.
    All,
    /// Any part of it: by this draw.
    Some(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Platter(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Folders whose own names are durable.
    durable_folders: BTreeSet<String>,
    files: Vec<Content>,
    acts: u64,
    stops_at: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
}

impl Platter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Another one with the same content.
    pub(super) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    pub(super) fn folder(&self) -> SharedFolder {
        Arc::new(self.clone())
    }

    pub(super) fn source(&self) -> SharedSource {
        Arc::new(self.clone())
    }

    pub(super) fn acts(&self) -> u64 {
        self.lock().acts
    }

    /// Has everything fail from the act with this number on.
    pub(super) fn stop_at(&self, act: u64) {
        self.lock().stops_at = Some(act);
    }

    /// Names of all files.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Changes a file's bytes; removes it when they become none.
    pub(super) fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let number = state.names[path];
        change(&mut state.files[number].live);
        if state.files[number].live.is_empty() {
            state.names.remove(path);
        }
    }

    /// The crash, and the machine's next start.
    pub(super) fn crash(&self, leaves: Leaves) {
        let state = &mut *self.lock();
        state.stops_at = None;
        let mut draw = match leaves {
            Leaves::Some(draw) => draw | 1,
            _ => 1,
        };
        let mut next = |below: usize| {
            draw ^= draw << 13;
            draw ^= draw >> 7;
            draw ^= draw << 17;
            (draw % below as u64) as usize
        };
        let mut names = BTreeMap::new();
        let all: BTreeSet<_> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        for name in all {
            let is_reachable = above(&name).all(|folder| state.durable_folders.contains(folder));
            let keeps_live = match leaves {
                Leaves::Nothing => false,
                Leaves::All => true,
                Leaves::Some(_) => next(2) == 0,
            };
            let kept = if keeps_live {
                state.names.get(&name)
            } else {
                state.durable_names.get(&name).filter(|_| is_reachable)
            };
            if let Some(number) = kept {
                names.insert(name, *number);
            }
        }
        for content in &mut state.files {
            if content.live != content.durable {
                content.durable = match leaves {
                    Leaves::Nothing => std::mem::take(&mut content.durable),
                    Leaves::All => content.live.clone(),
                    Leaves::Some(_) => content.live[..next(content.live.len() + 1)].to_vec(),
                };
                content.live = content.durable.clone();
            }
        }
        state.durable_folders = names.keys().flat_map(|name| above(name)).map(str::to_owned).collect();
        state.names = names.clone();
        state.durable_names = names;
    }

    fn act(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if state.stops_at.is_some_and(|stop| state.acts >= stop) {
            return Err(io::Error::other("the machine has stopped"));
        }
        state.acts += 1;
        Ok(state)
    }
}

/// The folders that a name lies in, the log's own left out.
fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/').map(|(folder, _)| folder), |folder| {
        folder.rsplit_once('/').map(|(above, _)| above)
    })
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl LogFolder for Platter {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let state = self.lock();
        Ok(state.names.get(path).map(|number| state.files[*number].live.clone()))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let number = {
            let state = &mut *self.act()?;
            let next = state.files.len();
            let number = *state.names.entry(path.to_owned()).or_insert(next);
            if number == next {
                state.files.push(Content::default());
            }
            state.files[number].live = bytes.to_vec();
            number
        };
        let content = &mut self.act()?.files[number];
        content.durable = content.live.clone();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.act()?;
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn sync_names(&self, folder: &str) -> io::Result<()> {
        let state = &mut *self.act()?;
        state.durable_names.retain(|name, _| parent(name) != folder);
        let own = state.names.iter().filter(|(name, _)| parent(name) == folder);
        state
            .durable_names
            .extend(own.map(|(name, number)| (name.clone(), *number)));
        let folders: Vec<_> = state.names.keys().flat_map(|name| above(name)).collect();
        let own = folders.into_iter().filter(|below| parent(below) == folder);
        state.durable_folders.extend(own.map(str::to_owned));
        Ok(())
    }

    fn lock(&self) -> io::Result<FolderLock> {
        Ok(FolderLock::default())
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        let inside = format!("{folder}/");
        self.act()?.names.retain(|name, _| !name.starts_with(&inside));
        Ok(())
    }
}

#[async_trait]
impl LogSource for Platter {
    async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError> {
        if paths::known(path).is_none() {
            return Ok(None);
        }
        Ok(LogFolder::read(self, path).unwrap().map(Bytes::from))
    }
}
