//! From the configuration to listeners that serve, and back to nothing.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use cocoon_bindings::ton::parse_address;
use cocoon_chain::watch_root;
use cocoon_ratls::{IdentityKeeper, SharedClock, SystemClock, TrustStore};
use cocoon_runner::{RunnerError, http::listen_tcp, trust::Trust};
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ListenerConfig, RouterConfig, RouterError,
    serve::{self, Served, Way},
};

/// How often the root contract is looked at, as the runners do.
const ROOT_REFRESH: Duration = Duration::from_secs(45);

/// What connections are made with.
#[derive(Clone)]
pub struct Parts {
    /// Our certificates.
    pub identities: Arc<IdentityKeeper>,
    /// Whom to believe.
    pub trust: Arc<TrustStore>,
    /// The time.
    pub clock: SharedClock,
}

/// A router that serves.
#[derive(Debug)]
pub struct RunningRouter {
    /// Where it listens, in the order of the configuration (a port may have been 0).
    pub addresses: Vec<SocketAddr>,
    task: JoinHandle<()>,
}

impl RunningRouter {
    /// Waits until it has ended, drain included.
    pub async fn join(self) -> Result<(), RouterError> {
        let ended = |error| RouterError::Runner(RunnerError::Serve(std::io::Error::other(error)));
        self.task.await.map_err(ended)
    }
}

/// Starts a router on the chain of its configuration. Returns when it serves; it ends with the token.
pub fn start(config: RouterConfig, stop: CancellationToken) -> BoxFuture<'static, Result<RunningRouter, RouterError>> {
    Box::pin(start_real(config, stop))
}

async fn start_real(config: RouterConfig, stop: CancellationToken) -> Result<RunningRouter, RouterError> {
    config.check()?;
    let chain = cocoon_runner::chain::open(&config.chain)?;
    let root = parse_address(&config.chain.root).map_err(RouterError::Root)?;
    let root = watch_root(chain, root, ROOT_REFRESH).await?;
    let clock = SystemClock::shared();
    let trust = Trust::load(&config.attestation, root, Arc::clone(&clock))?;
    if trust.is_simulated() {
        tracing::warn!(
            "SIMULATED TDX platform: the policy `simulated` lets peers through that no hardware vouches for"
        );
    }
    let identities = Arc::new(IdentityKeeper::new(trust.evidence(&config.role), Arc::clone(&clock))?);
    let parts = Parts {
        identities: Arc::clone(&identities),
        trust: trust.store(),
        clock,
    };
    let running = start_with(&config, parts, stop.clone()).await?;
    tokio::spawn(async move {
        stop.run_until_cancelled(async { tokio::join!(identities.keep_fresh(), trust.keep_current()) })
            .await;
    });
    Ok(running)
}

/// Starts the listeners with parts of the caller's; the chain of the configuration is not used.
pub fn start_with<'a>(
    config: &'a RouterConfig,
    parts: Parts,
    stop: CancellationToken,
) -> BoxFuture<'a, Result<RunningRouter, RouterError>> {
    Box::pin(start_parts(config, parts, stop))
}

async fn start_parts(
    config: &RouterConfig,
    parts: Parts,
    stop: CancellationToken,
) -> Result<RunningRouter, RouterError> {
    config.check()?;
    let ways = ways(config, &parts)?;
    // All ports first: what is taken is told before anything serves.
    let mut listeners = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        listeners.push(listen_tcp(listener.address()).await?);
    }
    let (tasks, accepting) = (TaskTracker::new(), TaskTracker::new());
    let drained = CancellationToken::new();
    let mut addresses = Vec::with_capacity(listeners.len());
    for (socket, listener) in listeners.into_iter().zip(&config.listeners) {
        let address = socket.local_addr().map_err(RunnerError::Serve)?;
        addresses.push(address);
        let served = Arc::new(Served {
            config: listener.clone(),
            way: way(config, &parts, listener.policy())?,
            ways: ways.clone(),
            peer_info: config.peer_info,
            stop: stop.clone(),
            drained: drained.clone(),
        });
        tracing::info!(%address, kind = kind(listener), policy = listener.policy(), "router listens");
        let (stop, tasks) = (stop.clone(), tasks.clone());
        accepting.spawn(async move {
            stop.run_until_cancelled(serve::run(served, socket, tasks)).await;
        });
    }
    let drain = config.drain();
    let task = tokio::spawn(async move {
        stop.cancelled().await;
        accepting.close();
        accepting.wait().await;
        tasks.close();
        if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
            tracing::warn!(
                left = tasks.len(),
                "connections were still open at the end of the drain"
            );
            drained.cancel();
            tasks.wait().await;
        }
    });
    Ok(RunningRouter { addresses, task })
}

fn way(config: &RouterConfig, parts: &Parts, policy: &str) -> Result<Way, RouterError> {
    let policy = config.policy(policy)?;
    Ok(Way::new(
        policy,
        parts,
        config.pow_difficulty,
        config.max_pow_difficulty,
    ))
}

fn ways(config: &RouterConfig, parts: &Parts) -> Result<BTreeMap<String, Way>, RouterError> {
    let built_in = ["any", "tdx", "simulated"].map(str::to_owned);
    let names = built_in.into_iter().chain(config.policies.keys().cloned());
    names
        .map(|name| way(config, parts, &name).map(|way| (name, way)))
        .collect()
}

fn kind(listener: &ListenerConfig) -> &'static str {
    match listener {
        ListenerConfig::Socks5 { .. } => "socks5",
        ListenerConfig::Forward { .. } => "forward",
        ListenerConfig::Reverse { .. } => "reverse",
    }
}
