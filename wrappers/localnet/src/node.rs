//! The chain behind the server: one emulator, its clock, and who must know that it changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_emulator::journal::{Delta, Mark};
use cocoon_emulator::{Emulator, EmulatorError, Snapshot};
use tokio::sync::watch;

use crate::clock::{Ahead, Clock};
use crate::limits::MAX_SNAPSHOTS;

/// The chain and what belongs to it. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) chain: Emulator,
    ahead: Ahead,
    snapshots: Vec<(u64, Snapshot)>,
    next_snapshot: u64,
}

/// What is to be written.
pub(crate) enum Changes {
    /// What changed.
    Delta(Box<Delta>),
    /// The whole chain, and how far it is written then.
    All(Box<Snapshot>, Box<Mark>),
}

impl Node {
    pub(crate) fn new(chain: Emulator, clock: Clock) -> Self {
        let ahead = Ahead::of(clock, chain.now());
        let inner = Inner {
            chain,
            ahead,
            snapshots: Vec::new(),
            next_snapshot: 1,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock,
            changes: watch::Sender::new(0),
        }
    }

    /// Reads the chain at the present time.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Emulator) -> T) -> Result<T, EmulatorError> {
        let inner = self.present()?;
        Ok(read(&inner.chain))
    }

    /// Changes the chain, and tells whoever saves it. Returns the number of the change.
    pub(crate) fn change<T, E: From<EmulatorError>>(
        &self,
        change: impl FnOnce(&mut Inner) -> Result<T, E>,
    ) -> Result<(T, u64), E> {
        let mut inner = self.present()?;
        let result = change(&mut inner)?;
        // After any change the clock stands where the chain stands.
        inner.ahead = Ahead::of(self.clock, inner.chain.now());
        let mut number = 0;
        self.changes.send_modify(|changes| {
            *changes = changes.saturating_add(1);
            number = *changes;
        });
        Ok((result, number))
    }

    /// What changed since `mark`, or all without one, and the number of the last change.
    pub(crate) fn changes_since(&self, mark: Option<&mut Mark>) -> (Changes, u64) {
        let inner = self.lock();
        let delta = mark.and_then(|mark| inner.chain.changed_since(mark));
        let changes = match delta {
            Some(delta) => Changes::Delta(Box::new(delta)),
            None => Changes::All(Box::new(inner.chain.snapshot()), Box::new(Mark::of(&inner.chain))),
        };
        (changes, *self.changes.borrow())
    }

    /// Where the chain's time comes from.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Numbers of the copies that can be gone back to, oldest first.
    pub(crate) fn snapshots(&self) -> Vec<u64> {
        self.lock().snapshots.iter().map(|(number, _)| *number).collect()
    }

    /// Numbers of changes as they happen.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn present(&self) -> Result<MutexGuard<'_, Inner>, EmulatorError> {
        let mut inner = self.lock();
        let now = inner.ahead.now(inner.chain.now());
        inner.chain.set_now(now)?;
        Ok(inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic of another request leaves the chain between two transactions, never inside one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps a copy of the chain and returns its number; the oldest one goes when there are too many.
    pub(crate) fn take_snapshot(&mut self) -> u64 {
        if self.snapshots.len() >= MAX_SNAPSHOTS {
            self.snapshots.remove(0);
        }
        let number = self.next_snapshot;
        self.next_snapshot = number.saturating_add(1);
        self.snapshots.push((number, self.chain.snapshot()));
        number
    }

    /// Goes back to a copy; `false` if there is none of that number.
    pub(crate) fn restore_snapshot(&mut self, number: u64) -> Result<bool, EmulatorError> {
        match self.snapshots.iter().find(|(known, _)| *known == number) {
            Some((_, snapshot)) => self.chain.restore(snapshot).map(|()| true),
            None => Ok(false),
        }
    }
}
