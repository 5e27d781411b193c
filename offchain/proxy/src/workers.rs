//! The workers that are connected, and those that wait for one.

mod lease;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Coefficient;
use cocoon_manifest::ModelName;
use cocoon_market::{Desk, Offer, Rates, Refusal, WorkerView, prefix_hashes};
use cocoon_protocol::Version;
use cocoon_protocol::context::ContextLength;
use cocoon_runner::link::LinkHandle;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::config::RoutingConfig;
use crate::inbox::{self, FromWorker, Inbox, Slot};
use crate::instance::Instance;
use crate::limits::{MAX_PROMPT_OFFSET, MAX_WORKER_CONNECTIONS, REPUTATION_STEP, SIGN_QUEUE};
use crate::signer::SignJob;

pub(crate) use cocoon_market::Verdict;
pub(crate) use lease::{Lease, NoLease, Wanted};

/// One connected worker.
pub(crate) struct WorkerPeer {
    pub(crate) id: u64,
    /// The proxy contract that pays it.
    pub(crate) instance: Arc<Instance>,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    pub(crate) model: ModelName,
    pub(crate) version: Version,
    /// SHA-256 of its certificate.
    pub(crate) evidence: HashBytes,
    pub(crate) image: Option<String>,
    pub(crate) link: LinkHandle,
    pub(crate) sign_queue: mpsc::Sender<SignJob>,
    /// One place for each answer that may be ahead of its receipt.
    pub(crate) ahead: Arc<Semaphore>,
    /// Held while totals are read and sent: the worker must never see them go down.
    pub(crate) telling: tokio::sync::Mutex<()>,
    is_gone: AtomicBool,
    /// Tokens that its model takes; 0 until it has told that.
    context: AtomicU32,
    requests: Mutex<HashMap<[u8; 32], Slot>>,
}

impl Inner {
    /// Whether a worker is out of the choice by the operator's word or by what it answered.
    fn is_out(&self, peer: &WorkerPeer) -> bool {
        self.is_benched(peer) || self.is_drained(peer)
    }

    fn is_benched(&self, peer: &WorkerPeer) -> bool {
        let name = (peer.contract.clone(), peer.model.base().to_owned());
        self.benched.contains(&name)
    }

    fn is_drained(&self, peer: &WorkerPeer) -> bool {
        self.drained.iter().any(|address| peer.is_of(address))
    }
}

/// What makes a [`WorkerPeer`].
pub(crate) struct NewWorker {
    pub(crate) instance: Arc<Instance>,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    pub(crate) model: ModelName,
    pub(crate) coefficient: Coefficient,
    pub(crate) slots: u32,
    pub(crate) is_enabled: bool,
    pub(crate) version: Version,
    pub(crate) evidence: HashBytes,
    pub(crate) image: Option<String>,
    pub(crate) link: LinkHandle,
    pub(crate) sign_queue: mpsc::Sender<SignJob>,
}

impl WorkerPeer {
    /// Opens a request's inbox; messages for it arrive there until it is closed or the worker is lost.
    pub(crate) fn open_request(&self, id: [u8; 32]) -> Inbox {
        let (slot, inbox) = inbox::inbox();
        self.requests().insert(id, slot);
        if self.is_gone() {
            // The connection ended before the request was entered: nobody would close it any more.
            self.requests().remove(&id);
        }
        inbox
    }

    /// Whether it works for this owner, or is paid through this contract.
    fn is_of(&self, address: &Address) -> bool {
        self.owner == *address || self.contract == *address
    }

    /// Whether its connection is over.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire) || self.link.is_closed()
    }

    /// It tells what its model takes.
    pub(crate) fn set_context(&self, length: ContextLength) {
        self.context.store(length.tokens(), Ordering::Release);
    }

    /// What its model takes, if it has told that.
    pub(crate) fn context(&self) -> Option<ContextLength> {
        ContextLength::new(self.context.load(Ordering::Acquire))
    }

    pub(crate) fn close_request(&self, id: &[u8; 32]) {
        self.requests().remove(id);
    }

    /// Hands a message to its request; one that is over ignores it.
    pub(crate) fn deliver(&self, id: &[u8; 32], message: FromWorker) {
        let mut requests = self.requests();
        if let Some(slot) = requests.get_mut(id)
            && !slot.deliver(message)
        {
            requests.remove(id);
        }
    }

    /// The connection is over: every request learns of it.
    fn lost(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.requests().clear();
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<[u8; 32], Slot>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All connected workers. One lock for them and for those that wait: whoever holds it decides in about a microsecond.
pub(crate) struct Workers {
    inner: Mutex<Inner>,
    rates: Mutex<Rates<Address>>,
    started: Instant,
    /// Secret of the hashes of prompts.
    salt: RandomState,
}

struct Inner {
    peers: BTreeMap<u64, Arc<WorkerPeer>>,
    desk: Desk<Address>,
    /// Those that wait, by the number of their place.
    waiting: HashMap<u64, oneshot::Sender<Lease>>,
    /// Owners or contracts of workers that the operator has drained. They stay so when they connect again.
    drained: BTreeSet<Address>,
    /// Contracts whose workers of a model answered otherwise than others.
    benched: BTreeSet<(Address, String)>,
    is_affine: bool,
    next_id: u64,
}

impl Default for Workers {
    fn default() -> Self {
        let config = RoutingConfig::default();
        Self {
            inner: Mutex::new(Inner {
                peers: BTreeMap::new(),
                desk: Desk::new(config.settings()),
                waiting: HashMap::new(),
                drained: BTreeSet::new(),
                benched: BTreeSet::new(),
                is_affine: config.affinity,
                next_id: 0,
            }),
            rates: Mutex::new(Rates::new(config.rates())),
            started: Instant::now(),
            salt: RandomState::new(),
        }
    }
}

impl Workers {
    /// Takes the settings; what runs and who waits is not touched.
    pub(crate) fn configure(&self, config: &RoutingConfig) {
        let mut inner = self.inner();
        inner.desk.set(config.settings());
        inner.is_affine = config.affinity;
        drop(inner);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.set_limits(config.rates());
    }

    /// Adds a worker that has finished its handshake.
    pub(crate) fn add(self: &Arc<Self>, new: NewWorker) -> Arc<WorkerPeer> {
        let now = self.now();
        let offer = Offer {
            coefficient: new.coefficient,
            slots: new.slots,
            is_enabled: new.is_enabled,
        };
        let peer = {
            let mut inner = self.inner();
            let id = inner.next_id;
            inner.next_id += 1;
            let peer = Arc::new(WorkerPeer {
                id,
                instance: new.instance,
                owner: new.owner,
                contract: new.contract,
                model: new.model,
                version: new.version,
                evidence: new.evidence,
                image: new.image,
                link: new.link,
                sign_queue: new.sign_queue,
                ahead: Arc::new(Semaphore::new(SIGN_QUEUE)),
                telling: tokio::sync::Mutex::default(),
                is_gone: AtomicBool::new(false),
                context: AtomicU32::new(0),
                requests: Mutex::default(),
            });
            inner.desk.add(id, peer.model.base(), offer, now);
            if inner.is_out(&peer) {
                inner.desk.pool_mut().set_draining(id, true, now);
            }
            inner.peers.insert(id, Arc::clone(&peer));
            peer
        };
        self.hand_out(peer.model.base());
        peer
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut inner = self.inner();
        inner.desk.pool_mut().remove(id);
        let gone = inner.peers.remove(&id);
        drop(inner);
        if let Some(peer) = gone {
            peer.lost();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<WorkerPeer>> {
        self.inner().peers.values().cloned().collect()
    }

    /// All workers with what is known of them.
    pub(crate) fn views(&self) -> Vec<(Arc<WorkerPeer>, WorkerView)> {
        let now = self.now();
        let inner = self.inner();
        let view = |peer: &Arc<WorkerPeer>| Some((Arc::clone(peer), inner.desk.pool().view(peer.id, now)?));
        inner.peers.values().filter_map(view).collect()
    }

    /// Requests that wait for a worker.
    pub(crate) fn waiting(&self) -> usize {
        self.inner().desk.waiting_in_all()
    }

    /// The worker takes requests, or no more.
    pub(crate) fn set_enabled(self: &Arc<Self>, worker: &WorkerPeer, is_enabled: bool) {
        let now = self.now();
        self.inner().desk.pool_mut().set_enabled(worker.id, is_enabled, now);
        self.hand_out(worker.model.base());
    }

    /// Takes a worker out of the choice; its requests run on.
    pub(crate) fn drain(&self, worker: &WorkerPeer) {
        let now = self.now();
        self.inner().desk.pool_mut().set_draining(worker.id, true, now);
    }

    /// Takes the workers of an owner or a contract out of the choice until further notice, or back into it; says how many
    /// are connected. `None`: none is, and none was drained under this address.
    pub(crate) fn set_drained(self: &Arc<Self>, address: &Address, is_drained: bool) -> Option<usize> {
        let now = self.now();
        let mut inner = self.inner();
        let meant = inner.peers.values().filter(|peer| peer.is_of(address));
        let meant: Vec<Arc<WorkerPeer>> = meant.cloned().collect();
        let was_drained = if is_drained {
            let has_room = inner.drained.len() < MAX_WORKER_CONNECTIONS || inner.drained.contains(address);
            if meant.is_empty() || !has_room {
                return None;
            }
            inner.drained.insert(address.clone());
            true
        } else {
            inner.drained.remove(address)
        };
        // One of parameters that have changed is drained by them, not by the operator.
        for peer in meant.iter().filter(|peer| is_drained || !peer.instance.is_retired()) {
            let is_draining = inner.is_out(peer);
            inner.desk.pool_mut().set_draining(peer.id, is_draining, now);
        }
        drop(inner);
        for peer in &meant {
            self.hand_out(peer.model.base());
        }
        (was_drained || !meant.is_empty()).then_some(meant.len())
    }

    /// The workers of these contracts and models get no requests of clients; those that were benched and are not any more do again.
    pub(crate) fn set_benched(self: &Arc<Self>, benched: Vec<(Address, String)>) {
        let now = self.now();
        let mut inner = self.inner();
        let benched: BTreeSet<_> = benched.into_iter().collect();
        if inner.benched == benched {
            return;
        }
        inner.benched = benched;
        let peers: Vec<_> = inner
            .peers
            .values()
            .filter(|peer| !peer.instance.is_retired())
            .cloned()
            .collect();
        for peer in &peers {
            let is_out = inner.is_out(peer);
            inner.desk.pool_mut().set_draining(peer.id, is_out, now);
        }
        drop(inner);
        for peer in &peers {
            self.hand_out(peer.model.base());
        }
    }

    /// A benched worker of this model that may be asked and would take requests if it were not benched.
    pub(crate) fn benched_of(&self, model: &str, may_ask: impl Fn(&WorkerPeer) -> bool) -> Option<u64> {
        let now = self.now();
        let inner = self.inner();
        let mut peers = inner.peers.values();
        let found = peers.find(|peer| {
            let is_ready = inner.desk.pool().view(peer.id, now);
            let is_ready = is_ready.is_some_and(|view| view.is_enabled && !view.is_held_back);
            let is_meant = peer.model.base() == model && inner.is_benched(peer) && !inner.is_drained(peer);
            is_ready && is_meant && !peer.instance.is_retired() && may_ask(peer)
        });
        found.map(|peer| peer.id)
    }

    /// The workers of which something holds.
    pub(crate) fn ids(&self, holds: impl Fn(&WorkerPeer) -> bool) -> Vec<u64> {
        let inner = self.inner();
        let peers = inner.peers.values().filter(|peer| holds(peer));
        peers.map(|peer| peer.id).collect()
    }

    /// The worker has a new price. What runs keeps the old one.
    pub(crate) fn set_coefficient(self: &Arc<Self>, worker: &WorkerPeer, coefficient: Coefficient) {
        let now = self.now();
        self.inner()
            .desk
            .pool_mut()
            .set_coefficient(worker.id, coefficient, now);
        self.hand_out(worker.model.base());
    }

    /// Mean time to the first token of a worker in seconds; 0 when unknown.
    pub(crate) fn first_token_seconds(&self, worker: u64) -> f64 {
        let view = self.inner().desk.pool().view(worker, self.now());
        view.map_or(0.0, |view| view.first_token_seconds)
    }

    /// The worker signed its statement of work, or it did not: one that leaves receipts without its signature leaves its
    /// clients without the proof that it worked, and is thought less of.
    pub(crate) fn note_signature(&self, worker: &WorkerPeer, is_signed: bool) {
        let mut inner = self.inner();
        let Some(view) = inner.desk.pool().view(worker.id, 0.0) else {
            return;
        };
        let ideal = if is_signed { 1.0 } else { 0.0 };
        let reputation = view.reputation + (ideal - view.reputation) * REPUTATION_STEP;
        inner.desk.pool_mut().set_reputation(worker.id, reputation);
    }

    /// Takes a request and its tokens from what the client may ask for.
    pub(crate) fn take_rate(&self, client: &Address, tokens: u64) -> Result<(), Refusal> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(client, tokens, self.now())
    }

    /// Hashes of the beginnings of a request's prompt, salted with the payer and with a secret that ends with this process:
    /// two payers who send the same have nothing in common.
    fn prefixes(&self, payer: &Address, query: &[u8]) -> Vec<u64> {
        let head = query.get(..query.len().min(MAX_PROMPT_OFFSET)).unwrap_or_default();
        let starts = [&b"\"messages\""[..], b"\"prompt\"", b"\"input\""];
        let start = |key: &[u8]| head.windows(key.len()).position(|bytes| bytes == key);
        let Some(prompt) = starts.into_iter().find_map(start).and_then(|start| query.get(start..)) else {
            return vec![];
        };
        let mut salted = self.salt.build_hasher();
        payer.hash(&mut salted);
        prefix_hashes(salted, prompt)
    }

    /// Seconds since the start.
    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
