//! Small rows of the client's store that must be on disk before something goes on. Whoever waits at the same time shares one sync.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_runner::off_thread;
use cocoon_store::{ClientStore, StoreError};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::error::ClientError;

/// Rows on their way to the disk.
pub(crate) struct Rows {
    pending: Mutex<Pending>,
    /// Up to which version everything is on disk.
    written: tokio::sync::Mutex<u64>,
    store: Arc<Mutex<ClientStore>>,
    /// Takes the failure of the disk that ends the client.
    failed: mpsc::Sender<ClientError>,
}

#[derive(Default)]
struct Pending {
    version: u64,
    rows: BTreeMap<String, Value>,
}

impl Rows {
    pub(crate) fn new(store: Arc<Mutex<ClientStore>>, failed: mpsc::Sender<ClientError>) -> Arc<Self> {
        Arc::new(Self {
            pending: Mutex::default(),
            written: tokio::sync::Mutex::default(),
            store,
            failed,
        })
    }

    /// A row as it was kept.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).state(name)
    }

    /// Something else of the store.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&ClientStore) -> T) -> T {
        look(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a row; on disk once [`flush`](Self::flush) has returned. The last one of a name counts.
    pub(crate) fn put(&self, name: String, row: Value) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.version += 1;
        pending.rows.insert(name, row);
    }

    /// Waits until everything that was taken before is on disk. It goes on also when the caller stops waiting.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<(), Unwritten> {
        let wanted = self.pending.lock().unwrap_or_else(PoisonError::into_inner).version;
        let rows = Arc::clone(self);
        let flushed = tokio::spawn(async move { rows.write(wanted).await });
        flushed.await.unwrap_or(Err(Unwritten))
    }

    async fn write(&self, wanted: u64) -> Result<(), Unwritten> {
        let mut written = self.written.lock().await;
        if *written >= wanted {
            return Ok(());
        }
        let (version, rows) = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            (pending.version, std::mem::take(&mut pending.rows))
        };
        let store = Arc::clone(&self.store);
        let put = off_thread(move || {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            store.put_states(&rows)
        });
        match put.await {
            Ok(Ok(())) => {
                *written = version;
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "accounts of keys could not be kept");
                // A full queue already holds an earlier failure.
                let _ = self.failed.try_send(error.into());
                Err(Unwritten)
            }
            Err(_) => Err(Unwritten),
        }
    }
}

/// The disk has failed: the client ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unwritten;
