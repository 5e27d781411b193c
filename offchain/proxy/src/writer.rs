//! The thread that owns the store: writes come in order and are made durable in groups.

use std::sync::Arc;

use cocoon_ledger::Ledger;
use cocoon_store::limits::MAX_BATCH;
use cocoon_store::{ProxyStore, ProxyWrite};
use tokio::sync::{mpsc, oneshot};

use crate::books::SharedLedger;
use crate::error::ProxyError;

/// One write and whoever waits for it.
pub(crate) struct WriteJob {
    pub(crate) write: ProxyWrite,
    pub(crate) waiting: Vec<oneshot::Sender<()>>,
}

/// Resolves when the write is durable; an error when it never will be.
pub(crate) type Durable = oneshot::Receiver<()>;

/// Starts the thread. It ends when the last sender is dropped, or with an error when the disk fails; then every later
/// write is dropped, and with it whatever would have been shown because of it.
pub(crate) fn start(
    mut store: ProxyStore,
    ledger: SharedLedger,
    failed: oneshot::Sender<ProxyError>,
    closed: oneshot::Sender<()>,
) -> Result<mpsc::UnboundedSender<WriteJob>, ProxyError> {
    let (sender, mut jobs) = mpsc::unbounded_channel::<WriteJob>();
    let run = move || {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            if let Err(error) = store.write(batch.iter().map(|job| &job.write)) {
                tracing::error!(%error, "the store cannot be written: the proxy stops");
                jobs.close();
                // Whoever listens decides what to do; nobody listening means that the daemon ends already.
                let _ = failed.send(error.into());
                return;
            }
            acknowledge(&ledger, batch);
        }
        drop(store);
        // Whoever waits may open the store again now.
        let _ = closed.send(());
    };
    std::thread::Builder::new()
        .name("store".into())
        .spawn(run)
        .map_err(|error| ProxyError::WriterStopped {
            reason: error.to_string(),
        })?;
    Ok(sender)
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
