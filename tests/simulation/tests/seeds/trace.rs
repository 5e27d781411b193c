//! What happens in a life, as one number: two lives with the same number went the same way.

use std::cell::RefCell;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

thread_local! {
    static TRACE: RefCell<Trace> = RefCell::new(Trace::default());
}

#[derive(Default)]
struct Trace {
    hasher: DefaultHasher,
    is_shown: bool,
}

/// Shows every event from now on: to see where two lives part.
pub(crate) fn show() {
    TRACE.with_borrow_mut(|trace| trace.is_shown = true);
}

/// Something happened, at a virtual time. Lengths of what was written are no part of it: those of certificates vary.
pub(crate) fn note(ms: u64, what: impl Debug) {
    TRACE.with_borrow_mut(|trace| {
        let text = format!("{ms} {what:?}");
        text.hash(&mut trace.hasher);
        if trace.is_shown {
            eprintln!("{text}");
        }
    });
}

/// The number of everything so far.
pub(crate) fn sum() -> u64 {
    TRACE.with_borrow(|trace| trace.hasher.finish())
}
