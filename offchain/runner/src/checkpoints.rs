//! Checkpoints of a daemon's store, beside its work: what its journal holds goes into its database from time to time, and
//! when the journal has grown.

use cocoon_ratls::off_thread;
use cocoon_store::{Checkpoints, StoreError};
use tokio::time::timeout;

use crate::limits::CHECKPOINT_EVERY;

/// Makes checkpoints until one fails; then the store takes nothing more, and the daemon should end with the error.
pub async fn keep(checkpoints: Checkpoints) -> StoreError {
    loop {
        // Whichever comes first; with nothing to do a checkpoint is nothing.
        let _ = timeout(CHECKPOINT_EVERY, checkpoints.due()).await;
        if let Err(error) = make(checkpoints.clone()).await {
            return error;
        }
    }
}

/// Makes the last checkpoint of a daemon that ends in order. A failure loses nothing: the journal has it.
pub async fn last(checkpoints: Checkpoints) {
    if let Err(error) = make(checkpoints).await {
        tracing::warn!(%error, hint = error.hint(), "the last checkpoint was not made: the next start makes it");
    }
}

async fn make(checkpoints: Checkpoints) -> Result<(), StoreError> {
    let made = off_thread(move || checkpoints.run()).await;
    made.unwrap_or_else(|stopped| {
        Err(StoreError::Io {
            action: "make a checkpoint in",
            path: "the store".into(),
            source: std::io::Error::other(stopped.to_string()),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cocoon_store::WorkerStore;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_the_journal_holds_reaches_the_database_in_time() {
        cocoon_ratls::run_in_place();
        let folder = tempfile::tempdir().unwrap();
        let store = WorkerStore::open(folder.path()).unwrap();
        let database = folder.path().join(cocoon_store::files::DATABASE);
        let has = |text: &str| {
            let bytes = std::fs::read(&database).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        let keeping = tokio::spawn(keep(store.checkpoints()));
        store.put_state("setting", &"somewhat remarkable").unwrap();
        let begun = Instant::now();
        while !has("somewhat remarkable") {
            assert!(begun.elapsed() <= 2 * CHECKPOINT_EVERY);
            sleep(Duration::from_secs(1)).await;
        }
        keeping.abort();
        store.put_state("setting", &"something else").unwrap();
        last(store.checkpoints()).await;
        assert!(has("something else"));
    }
}
