//! Starting the reader, and knowing whether anybody looks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use cocoon_bindings::ton::Address;
use cocoon_chain::SharedChain;
use cocoon_ratls::SharedClock;
use cocoon_tlog::{TlogError, source};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http;
use crate::limits::{FIRST_WAIT, IDLE_AFTER, MAX_PROOFS, POLL_EVERY};
use crate::read::{Pace, Reader};
use crate::view::{Shared, View};

/// What is read, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The root contract of the network.
    pub root: Address,
    /// URLs or folders of the logs.
    pub logs: Vec<String>,
    /// Pause between two looks. It is longer after one for which the chain's answers took long, or were refused.
    pub every: Duration,
    /// Whether it reads also while nobody asks. Otherwise it begins with the first question and rests after some minutes without one.
    pub reads_always: bool,
}

impl Settings {
    /// The usual ones: it reads while somebody asks.
    pub fn new(root: Address, logs: Vec<String>) -> Self {
        Self {
            root,
            logs,
            every: POLL_EVERY,
            reads_always: false,
        }
    }
}

/// Why an explorer cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplorerError {
    /// A log is neither a URL nor a folder.
    #[error("a log cannot be read")]
    Log(#[source] TlogError),
}

impl ExplorerError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Log(error) => error.hint(),
        }
    }
}

/// A view of a network that is kept up to date until its token is cancelled.
#[derive(Debug, Clone)]
pub struct Explorer {
    pub(crate) inner: Arc<Inner>,
}

/// What the handlers share with the reader.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) view: Shared,
    pub(crate) settings: Settings,
    pub(crate) clock: SharedClockDebug,
    pub(crate) started_at: u64,
    pub(crate) proofs: Semaphore,
    /// Looks that have ended.
    looks: watch::Receiver<u64>,
    asked: Mutex<Instant>,
    wake: Notify,
}

/// A clock that has nothing to show of itself.
pub(crate) struct SharedClockDebug(pub(crate) SharedClock);

impl std::fmt::Debug for SharedClockDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedClock")
    }
}

impl Explorer {
    /// Starts to read. Nothing is asked of any server before this returns.
    pub fn start(
        chain: SharedChain,
        clock: SharedClock,
        settings: Settings,
        stop: CancellationToken,
    ) -> Result<Self, ExplorerError> {
        let open = |url: &String| Ok((url.clone(), source(url).map_err(ExplorerError::Log)?));
        let logs = settings.logs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let view = Shared::new(View::of(&settings.logs));
        let (ended, looks) = watch::channel(0);
        let reader = Reader::new(chain, Arc::clone(&clock), settings.root.clone(), logs, view.clone());
        let inner = Arc::new(Inner {
            view,
            started_at: clock.now(),
            clock: SharedClockDebug(clock),
            settings,
            proofs: Semaphore::new(MAX_PROOFS),
            looks,
            asked: Mutex::new(Instant::now()),
            wake: Notify::new(),
        });
        tokio::spawn(read(reader, Arc::clone(&inner), ended, stop));
        Ok(Self { inner })
    }

    /// The routes of the network part.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.inner))
    }

    /// Everything that a server has which is an explorer and nothing else: the network part, what a page asks first, and an answer
    /// for every other path.
    pub fn whole_router(&self) -> Router {
        http::whole(Arc::clone(&self.inner))
    }

    /// Whether the root contract says that the network is a test, where evidence may be SIMULATED; none before the first look.
    pub fn is_simulated(&self) -> Option<bool> {
        self.inner.is_simulated()
    }
}

impl Inner {
    /// See [`Explorer::is_simulated`].
    pub(crate) fn is_simulated(&self) -> Option<bool> {
        self.view.read().root.as_ref().map(|root| root.snapshot.is_test)
    }

    /// Says that somebody asks, and waits a moment for the first look.
    pub(crate) async fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.wake.notify_one();
        let mut looks = self.looks.clone();
        // Without one the page says that nothing was read yet.
        let _ = tokio::time::timeout(FIRST_WAIT, looks.wait_for(|looks| *looks > 0)).await;
    }

    fn rests(&self, has_looked: bool) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        !self.settings.reads_always && (!has_looked || asked.elapsed() > IDLE_AFTER)
    }
}

async fn read(mut reader: Reader, inner: Arc<Inner>, ended: watch::Sender<u64>, stop: CancellationToken) {
    let mut has_looked = false;
    let mut pace = Pace::new(inner.settings.every);
    loop {
        if inner.rests(has_looked) {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = inner.wake.notified() => {}
            }
        }
        has_looked = true;
        // What is stopped begins nothing.
        let cost = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            cost = Box::pin(reader.look()) => cost,
        };
        ended.send_modify(|looks| *looks = looks.saturating_add(1));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pace.after(cost)) => {}
        }
    }
}
