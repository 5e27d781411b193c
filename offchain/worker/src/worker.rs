//! What all tasks of one model share.

use crate::backend::{Backend, KnownPayer};
use crate::balance::{Balance, Channel};
use crate::config::ParsedModel;
use crate::counters::Counters;
use crate::error::WorkerError;
use crate::pricing::Pricing;
use crate::switch::Switch;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Coefficient;
use cocoon_chain::RootView;
use cocoon_engine::{Payer, PayerSalt};
use cocoon_manifest::ModelName;
use cocoon_protocol::context::ContextLength;
use cocoon_ratls::SharedClock;
use cocoon_receipt::salted_hash;
use cocoon_runner::telemetry::Tracer;
use cocoon_store::WorkerStore;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The worker of one model, whatever the number of its connections. A program has one for each of its models.
pub(crate) struct Worker {
    pub(crate) model: ModelName,
    /// Hash of the model's manifest, where this program runs the model itself.
    pub(crate) manifest_hash: Option<String>,
    pub(crate) owner: Address,
    pub(crate) root: watch::Receiver<Arc<RootView>>,
    pub(crate) backend: Backend,
    pub(crate) store: Arc<WorkerStore>,
    pub(crate) clock: SharedClock,
    pub(crate) switch: Switch,
    pub(crate) counters: Counters,
    pub(crate) pricing: Pricing,
    /// What proxies are told that the model takes; `None` when it is not known.
    pub(crate) context: Option<ContextLength>,
    pub(crate) max_active_requests: u32,
    pub(crate) proxy_connections: u32,
    /// Begins traces of requests.
    pub(crate) tracer: Tracer,
    /// Keeps what is derived from payers' ids from whoever knows such an id.
    cache_secret: [u8; 32],
    slots: Arc<Semaphore>,
    coefficient: watch::Sender<Coefficient>,
    balances: Mutex<BTreeMap<(Address, Address), Balance>>,
    connections: AtomicU32,
}

/// The workers of all models of this program: at least one.
pub(crate) type Workers = Arc<[Arc<Worker>]>;

/// What the workers of all models share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) owner: Address,
    pub(crate) root: watch::Receiver<Arc<RootView>>,
    pub(crate) store: Arc<WorkerStore>,
    pub(crate) clock: SharedClock,
    pub(crate) proxy_connections: u32,
    pub(crate) tracer: Tracer,
}

impl Worker {
    pub(crate) fn new(shared: Shared, model: ParsedModel, backend: Backend, manifest_hash: Option<String>) -> Self {
        let Shared {
            owner,
            root,
            store,
            clock,
            proxy_connections,
            tracer,
        } = shared;
        let known = [backend.context(), model.context_length];
        Self {
            context: known.into_iter().flatten().min(),
            model: model.name,
            manifest_hash,
            owner,
            root,
            backend,
            store,
            clock,
            switch: Switch::new(),
            counters: Counters::new(),
            pricing: Pricing::new(model.pricing),
            max_active_requests: model.max_active_requests,
            proxy_connections,
            tracer,
            cache_secret: rand::random(),
            slots: Arc::new(Semaphore::new(model.max_active_requests as usize)),
            coefficient: watch::Sender::new(model.coefficient),
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
        let balance = Balance::open(channel, self.model.model_hash(), self.store.clone())?;
        balances.insert(key, balance.clone());
        Ok(balance)
    }

    /// All proxies that this model has met since it started.
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

    /// A payer by its blinded id, in the engine's words. The salt dies with this program, as the cache does.
    pub(crate) fn payer(&self, id: [u8; 32]) -> KnownPayer {
        KnownPayer {
            payer: Payer::from(id),
            salt: PayerSalt::from(salted_hash(&self.cache_secret, &id).0),
        }
    }

    /// One word for health checks: a model that no proxy can reach is not ready.
    pub(crate) fn word(&self) -> &'static str {
        let state = self.switch.state();
        if self.connections() > 0 || state.is_disabled() {
            state.word()
        } else {
            "degraded"
        }
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
