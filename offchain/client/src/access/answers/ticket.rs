//! How far a request with an idempotency key has come.

use std::sync::{Mutex, OnceLock, Weak};

use cocoon_receipt::ReceiptId;

use super::{Answers, Id, lock};
use crate::access::recording::Recording;

/// How far a request with an idempotency key has come.
pub(crate) struct Ticket {
    pub(super) id: Id,
    /// Which keeps this.
    pub(super) answers: Weak<Answers>,
    pub(super) fate: Mutex<Fate>,
    pub(super) receipt: OnceLock<ReceiptId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing has left, or nothing of it was taken: it may run again.
    Nothing,
    /// It has left under a name.
    Left([u8; 32]),
}

impl Ticket {
    /// It is about to leave under a name: what is handed to the disk must be there before.
    pub(crate) fn leaves(&self, request: &[u8; 32]) {
        *lock(&self.fate) = Fate::Left(*request);
        if let Some(answers) = self.answers.upgrade() {
            answers.left(&self.id, request);
        }
    }

    /// A proxy refused it before a worker saw it, or it was not sent after all: it costs nothing and may be run again.
    pub(crate) fn refused(&self) {
        *lock(&self.fate) = Fate::Nothing;
    }

    /// Its receipt has come.
    pub(crate) fn receipt(&self, id: ReceiptId) {
        // There is one for a request.
        let _ = self.receipt.set(id);
    }

    /// Its answer is written down to the end, or it will have none.
    pub(crate) async fn ends(&self, recording: &Recording) {
        let fate = *lock(&self.fate);
        let Some(answers) = self.answers.upgrade() else { return };
        if answers.ends(&self.id, fate, recording) {
            // A failure ends the client; without the row its outcome is unknown after that.
            let _ = answers.flush().await;
        }
    }
}
