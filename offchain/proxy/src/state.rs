//! What every task of the daemon shares.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ImageHash;
use cocoon_bindings::ton::Address;
use cocoon_chain::{NodeWallet, RootView, SharedChain};
use cocoon_protocol::handshake::ProxyRules;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{IdentityKeeper, SharedClock};
use cocoon_runner::admin::Live;
use cocoon_runner::shutdown::Shutdown;
use cocoon_runner::telemetry::Tracer;
use cocoon_runner::trust::Trust;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::books::Books;
use crate::challenge::Challenges;
use crate::config::ProxyConfig;
use crate::error::ProxyError;
use crate::head::Heads;
use crate::instance::{Instance, Instances};
use crate::outage::{ChainAge, Mode};
use crate::publish::Publication;
use crate::quotes::QuoteDesk;
use crate::recovery::Recovery;
use crate::stats::Stats;
use crate::vouchers::Vouchers;
use crate::winding::Progress;
use crate::workers::Workers;

/// The daemon.
pub(crate) struct Proxy {
    pub(crate) config: ProxyConfig,
    /// The configuration with what was reloaded since the start.
    pub(crate) live: Live<ProxyConfig>,
    pub(crate) chain: SharedChain,
    pub(crate) clock: SharedClock,
    pub(crate) root: watch::Receiver<Arc<RootView>>,
    pub(crate) trust: Trust,
    /// What peers see of this proxy.
    pub(crate) identities: Arc<IdentityKeeper>,
    pub(crate) instances: Instances,
    pub(crate) wallet: NodeWallet,
    pub(crate) books: Arc<Books>,
    pub(crate) vouchers: Vouchers,
    pub(crate) workers: Arc<Workers>,
    /// Begins traces of requests.
    pub(crate) tracer: Tracer,
    pub(crate) quotes: QuoteDesk,
    pub(crate) clients: crate::client::Clients,
    pub(crate) registrations: Registrations,
    pub(crate) stats: Stats,
    pub(crate) accounts: Accounts,
    /// What may be signed of the log for the contracts.
    pub(crate) heads: Heads,
    pub(crate) challenges: Challenges,
    /// The published log, if there is one.
    pub(crate) publication: Option<Arc<Publication>>,
    /// The image that this proxy's evidence shows.
    pub(crate) image: Option<ImageHash>,
    pub(crate) chain_age: ChainAge,
    pub(crate) recovery: Recovery,
    pub(crate) winding: Progress,
    pub(crate) shutdown: Shutdown,
    /// Set when the drain is over: connections close.
    pub(crate) drained: CancellationToken,
    /// Secret of the blinded client ids.
    pub(crate) blinding: [u8; 32],
    pub(crate) is_enabled: AtomicBool,
    /// Failures that end the daemon.
    pub(crate) fatal: mpsc::Sender<ProxyError>,
}

impl Proxy {
    /// Whether new requests are taken.
    pub(crate) fn accepts(&self) -> bool {
        self.closed_because().is_none()
    }

    /// Why no new requests are taken, if so.
    pub(crate) fn closed_because(&self) -> Option<&'static str> {
        if self.recovery.error().is_some() {
            Some("the proxy is recovering: its database is older than the chain")
        } else if self.shutdown.token().is_cancelled() || !self.is_enabled.load(Ordering::Relaxed) {
            Some("the proxy is shutting down or disabled")
        } else if self.chain_age.mode() == Mode::Drained {
            Some("the chain has been away for too long")
        } else {
            None
        }
    }

    /// What is demanded of whoever connects; `can_prove` says whether the connection's session can be proven.
    pub(crate) fn rules(&self, can_prove: bool) -> ProxyRules {
        let root = self.root.borrow();
        ProxyRules {
            is_test: root.is_test(),
            config_version: i32::try_from(root.version).unwrap_or(i32::MAX),
            versions: self.trust.versions(VersionRange::ACCEPTED, can_prove),
        }
    }

    /// The contract with which whoever connects now deals.
    pub(crate) fn on_chain(&self) -> Arc<Instance> {
        self.instances.current()
    }

    /// Ends the daemon with an error; the first one counts. A database that was rolled back does not end it: see
    /// [`Recovery`].
    pub(crate) fn fail(&self, error: ProxyError) {
        if let ProxyError::RolledBack(error) = error {
            return self.recovery.enter(error);
        }
        tracing::error!(%error, "the proxy stops");
        // A full queue already holds an earlier failure.
        let _ = self.fatal.try_send(error);
        self.shutdown.stop();
    }

    /// Runs a task that signs or sends until the stop, or until the database is found to be an old one.
    pub(crate) fn spawn_while_trusted(&self, task: impl Future<Output = ()> + Send + 'static) {
        let found = self.recovery.found().clone();
        self.shutdown.spawn_until_stop(async move {
            found.run_until_cancelled(task).await;
        });
    }

    /// Unix time in milliseconds.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}

/// Clients that wait until their registration is seen on chain.
#[derive(Default)]
pub(crate) struct Registrations(Mutex<HashMap<(Address, u64), oneshot::Sender<()>>>);

impl Registrations {
    /// Awaits the registration of a client contract under a nonce.
    pub(crate) fn wait(&self, contract: Address, nonce: u64) -> oneshot::Receiver<()> {
        let (seen, registered) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, waiter| !waiter.is_closed());
        waiting.insert((contract, nonce), seen);
        registered
    }

    /// A registration was seen.
    pub(crate) fn seen(&self, contract: &Address, nonce: u64) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = waiting.remove(&(contract.clone(), nonce)) {
            // The client may have gone in the meantime.
            let _ = waiter.send(());
        }
    }

    /// Whether anybody waits: then the chain is looked at more often.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .any(|waiter| !waiter.is_closed())
    }
}
