//! Work that blocks, off the threads that drive connections; and in place where a simulation drives everything on one thread.

use std::cell::Cell;

thread_local! {
    static IN_PLACE: Cell<bool> = const { Cell::new(false) };
}

/// The work panicked, or the runtime is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("work off the thread did not end")]
pub struct NotDone;

/// Runs `work` on a thread that may block, and waits for it. When the waiting ends early the work still runs to its end.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
    if IN_PLACE.get() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| NotDone)
}

/// From now on [`off_thread`] runs its work in place on the calling thread. For simulations whose clock stands still while code
/// runs: there, work elsewhere would race with the clock.
pub fn run_in_place() {
    IN_PLACE.set(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_elsewhere_unless_the_thread_is_a_simulation() {
        let here = std::thread::current().id();
        let id = || std::thread::current().id();
        assert_ne!(off_thread(id).await.unwrap(), here);
        run_in_place();
        assert_eq!(off_thread(id).await.unwrap(), here);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let outcome: Result<(), NotDone> = off_thread(|| panic!("on purpose")).await;
        assert_eq!(outcome, Err(NotDone));
    }
}
