//! The task that owns the store: writes come in order and are made durable in bursts, each with one sync of its journal.
//! What waits for a write is told when the journal has it; checkpoints run beside this.

use std::sync::Arc;

use cocoon_ledger::Ledger;
use cocoon_runner::off_thread;
use cocoon_runner::pace::Pace;
use cocoon_runner::report::Distribution;
use cocoon_store::limits::MAX_BATCH;
use cocoon_store::{ProxyStore, ProxyWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::books::SharedLedger;
use crate::error::ProxyError;

/// One write and whoever waits for it.
pub(crate) struct WriteJob {
    pub(crate) write: ProxyWrite,
    pub(crate) waiting: Vec<oneshot::Sender<()>>,
}

/// Resolves when the write is durable; an error when it never will be.
pub(crate) type Durable = oneshot::Receiver<()>;

/// Starts the task. It ends when the last sender is dropped, or with an error when the disk fails; then every later
/// write is dropped, and with it whatever would have been shown because of it.
pub(crate) fn start(
    store: ProxyStore,
    ledger: SharedLedger,
    sync_time: Arc<Distribution>,
    failed: oneshot::Sender<ProxyError>,
    closed: oneshot::Sender<()>,
) -> mpsc::UnboundedSender<WriteJob> {
    let (sender, jobs) = mpsc::unbounded_channel::<WriteJob>();
    tokio::spawn(async move {
        match write_all(store, &ledger, &sync_time, jobs).await {
            // Whoever waits may open the store again now.
            Ok(()) => {
                let _ = closed.send(());
            }
            Err(error) => {
                tracing::error!(%error, "the store cannot be written: the proxy stops");
                // Whoever listens decides what to do; nobody listening means that the daemon ends already.
                let _ = failed.send(error);
            }
        }
    });
    sender
}

/// Writes until nobody can send any more.
async fn write_all(
    mut store: ProxyStore,
    ledger: &SharedLedger,
    sync_time: &Distribution,
    mut jobs: mpsc::UnboundedReceiver<WriteJob>,
) -> Result<(), ProxyError> {
    let mut pace = Pace::default();
    while let taken = pace.burst(&mut jobs, MAX_BATCH).await
        && !taken.is_empty()
    {
        let write = move || {
            let written = store.write(taken.iter().map(|job| &job.write));
            (store, taken, written)
        };
        let ended = |error: cocoon_runner::NotDone| ProxyError::WriterStopped {
            reason: error.to_string(),
        };
        let begun = Instant::now();
        let (back, taken, written) = off_thread(write).await.map_err(ended)?;
        written?;
        sync_time.add(begun.elapsed().as_secs_f64());
        store = back;
        acknowledge(ledger, taken);
    }
    cocoon_runner::checkpoints::last(store.checkpoints()).await;
    Ok(())
}

fn acknowledge(ledger: &Arc<std::sync::Mutex<Ledger>>, batch: Vec<WriteJob>) {
    let mut ledger = ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for job in &batch {
        ledger.persisted(&job.write.changes);
    }
    drop(ledger);
    for waiting in batch.into_iter().flat_map(|job| job.waiting) {
        // A waiter that has gone needs no news.
        let _ = waiting.send(());
    }
}
