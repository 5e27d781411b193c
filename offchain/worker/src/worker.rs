//! What all tasks of one worker share.

use crate::backend::Backend;
use crate::balance::{Balance, Channel};
use crate::config::{Parsed, WorkerConfig};
use crate::counters::Counters;
use crate::error::WorkerError;
use crate::switch::Switch;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Coefficient;
use cocoon_chain::RootView;
use cocoon_manifest::ModelName;
use cocoon_store::WorkerStore;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// One worker, whatever the number of its connections.
pub(crate) struct Worker {
    pub(crate) model: ModelName,
    pub(crate) owner: Address,
    pub(crate) root: watch::Receiver<Arc<RootView>>,
    pub(crate) backend: Backend,
    pub(crate) store: Arc<WorkerStore>,
    pub(crate) switch: Switch,
    pub(crate) counters: Counters,
    pub(crate) max_active_requests: u32,
    pub(crate) proxy_connections: u32,
    slots: Arc<Semaphore>,
    coefficient: watch::Sender<Coefficient>,
    balances: Mutex<BTreeMap<(Address, Address), Balance>>,
    connections: AtomicU32,
}

impl Worker {
    pub(crate) fn new(
        config: &WorkerConfig,
        parsed: Parsed,
        root: watch::Receiver<Arc<RootView>>,
        backend: Backend,
        store: Arc<WorkerStore>,
    ) -> Self {
        Self {
            model: parsed.model,
            owner: parsed.owner,
            root,
            backend,
            store,
            switch: Switch::new(),
            counters: Counters::new(),
            max_active_requests: config.max_active_requests,
            proxy_connections: config.proxy_connections,
            slots: Arc::new(Semaphore::new(config.max_active_requests as usize)),
            coefficient: watch::Sender::new(parsed.coefficient),
            balances: Mutex::default(),
            connections: AtomicU32::new(0),
        }
    }

    /// A place for one more request, held until dropped.
    pub(crate) fn take_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// Requests that run now.
    pub(crate) fn active_requests(&self) -> usize {
        (self.max_active_requests as usize).saturating_sub(self.slots.available_permits())
    }

    /// Waits until no request runs.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed.
        let _ = self.slots.acquire_many(self.max_active_requests).await;
    }

    /// The price, to be read or watched.
    pub(crate) fn coefficient(&self) -> &watch::Sender<Coefficient> {
        &self.coefficient
    }

    /// The memory of a proxy; the same for all connections to it. Blocks on the disk.
    pub(crate) fn balance(&self, channel: Channel) -> Result<Balance, WorkerError> {
        let mut balances = self.balances.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (channel.proxy.clone(), channel.worker.clone());
        if let Some(balance) = balances.get(&key)
            && *balance.channel() == channel
        {
            return Ok(balance.clone());
        }
        let balance = Balance::open(channel, self.store.clone())?;
        balances.insert(key, balance.clone());
        Ok(balance)
    }

    /// All proxies that this worker has met since it started.
    pub(crate) fn balances(&self) -> Vec<Balance> {
        self.balances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Counts a serving connection until dropped.
    pub(crate) fn count_connection(self: &Arc<Self>) -> ConnectionCount {
        self.connections.fetch_add(1, Ordering::AcqRel);
        ConnectionCount(self.clone())
    }

    /// Serving connections.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Acquire)
    }
}

/// One serving connection.
pub(crate) struct ConnectionCount(Arc<Worker>);

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}
