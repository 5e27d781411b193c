//! Panics of nodes: a runtime keeps them to itself.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps one.
pub(crate) fn keep(panic: &PanicHookInfo<'_>) {
    PANICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(panic.to_string());
}

/// All of this process.
pub(crate) fn all() -> Option<String> {
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    (!panics.is_empty()).then(|| panics.join("; "))
}
