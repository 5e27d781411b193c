//! A database that the chain contradicts: the proxy serves nobody, signs nothing and sends nothing, and says so. It does
//! not end: whoever operates it sees the reason on its pages, brings the newest data back and starts it again.
//!
//! It never goes on by itself, and no command makes it: with an old database it would sign other receipts under numbers
//! that it has used, and vouchers and checkpoints that contradict what it signed.

use std::sync::OnceLock;

use cocoon_ledger::LedgerError;
use tokio_util::sync::CancellationToken;

/// Whether the database was found to be an old one.
#[derive(Default)]
pub(crate) struct Recovery {
    found: CancellationToken,
    error: OnceLock<LedgerError>,
}

impl Recovery {
    /// The chain contradicts the database; the first contradiction counts.
    pub(crate) fn enter(&self, error: LedgerError) {
        tracing::error!(%error, hint = error.hint(), "the database was rolled back: nobody is served");
        // A later one says the same.
        let _ = self.error.set(error);
        self.found.cancel();
    }

    /// What contradicts.
    pub(crate) fn error(&self) -> Option<&LedgerError> {
        self.error.get()
    }

    /// Resolves when a contradiction is found.
    pub(crate) fn found(&self) -> &CancellationToken {
        &self.found
    }
}
