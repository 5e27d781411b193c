//! When the rows of the journal should go into the database, and whoever moves them there.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::error::StoreError;
use crate::limits::{CHECKPOINT_JOURNAL_BYTES, CHECKPOINT_ROWS};
use crate::rows::Shared;

/// Whether the journal has grown enough.
#[derive(Debug, Default)]
pub(crate) struct Due(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_due: bool,
    waiting: Option<Waker>,
}

impl Due {
    /// The journal's generation has so many bytes and rows now.
    pub(crate) fn written(&self, bytes: u64, rows: usize) {
        if bytes < CHECKPOINT_JOURNAL_BYTES && rows < CHECKPOINT_ROWS {
            return;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_due = true;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    /// A new generation has begun.
    pub(crate) fn moving(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_due = false;
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_due {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Moves what the journal of a store holds into its database, beside whoever writes. It keeps no store open.
#[derive(Clone)]
pub struct Checkpoints {
    shared: Weak<Shared>,
    turn: Arc<Mutex<()>>,
    due: Arc<Due>,
}

impl Checkpoints {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            turn: Arc::clone(&shared.turn),
            due: Arc::clone(&shared.due),
        }
    }

    /// Resolves when the journal has grown so much that a checkpoint should not wait for its time. For one waiter.
    pub async fn due(&self) {
        std::future::poll_fn(|context| self.due.poll(context)).await;
    }

    /// Makes a checkpoint; nothing happens when the database holds everything, or the store is closed. Blocks on the disk.
    /// After an error the store takes nothing more until it is opened again.
    pub fn run(&self) -> Result<(), StoreError> {
        // What is left half done by whoever panics with it, the next one finds. The store is let go of before the turn ends: whoever waits for
        // it may open the store again.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.shared.upgrade() {
            Some(shared) => shared.checkpoint(),
            None => Ok(()),
        }
    }
}
