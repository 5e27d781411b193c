//! Starting and stopping the local chain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocoon_emulator::{Emulator, EmulatorError, NetworkConfig};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::limits::{MIN_BLOCK_INTERVAL, SHUTDOWN_GRACE};
use crate::lite::{LiteConfig, RunningLite};
use crate::node::Node;
use crate::server::{Shared, router};
use crate::{LocalNetError, persist};

/// How a local chain runs.
#[derive(Debug, Clone)]
pub struct LocalNetConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the chain is saved; `None` keeps it in memory.
    pub state_file: Option<PathBuf>,
    /// Fees and rules of a new chain. A saved one keeps its own.
    pub network: NetworkConfig,
    /// Where its time comes from.
    pub clock: Clock,
    /// How often a block is made though nothing happens; `None` makes one for each message only.
    pub block_interval: Option<Duration>,
}

impl LocalNetConfig {
    /// A chain on a free local port, in memory, with today's fees and the system's time.
    pub fn ephemeral() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state_file: None,
            network: NetworkConfig::default(),
            clock: Clock::System,
            block_interval: None,
        }
    }
}

/// The local chain: [`LocalNet::start`] gives a running one.
#[derive(Debug)]
pub struct LocalNet;

impl LocalNet {
    /// Starts a chain, going on with the saved one if there is one.
    pub fn start(config: LocalNetConfig) -> BoxFuture<'static, Result<RunningLocalNet, LocalNetError>> {
        Box::pin(Self::start_here(config))
    }

    async fn start_here(config: LocalNetConfig) -> Result<RunningLocalNet, LocalNetError> {
        let failed = |source| LocalNetError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // Files are touched only by what is going to run.
        let (saved, store) = match &config.state_file {
            Some(path) => {
                let lock = persist::lock(path).await?;
                let (saved, store) = persist::open(path, lock)?;
                (saved, Some(store))
            }
            None => (None, None),
        };
        let chain = match &saved {
            Some(snapshot) => Emulator::from_snapshot(snapshot)?,
            None => Emulator::new(&config.network, config.clock.start())?,
        };

        let node = Node::new(chain, config.clock);
        let stop = CancellationToken::new();
        let (keeper, written, stop_keeper) = match store {
            Some(store) => {
                let (sender, receiver) = watch::channel(0);
                let stop_keeper = CancellationToken::new();
                let keeper = tokio::spawn(persist::keep(node.clone(), store, sender, stop_keeper.clone()));
                (Some(keeper), Some(receiver), stop_keeper)
            }
            None => (None, None, CancellationToken::new()),
        };
        let shared = Shared {
            node: node.clone(),
            written,
            global_config: Arc::default(),
        };
        if let Some(every) = config.block_interval {
            tokio::spawn(make_blocks(node.clone(), every.max(MIN_BLOCK_INTERVAL), stop.clone()));
        }
        let router = router(shared.clone());
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        tracing::info!(%address, transactions = saved.map_or(0, |saved| saved.transaction_count()), "local chain runs");
        Ok(RunningLocalNet {
            address,
            node,
            shared,
            stop,
            stop_keeper,
            server,
            keeper,
        })
    }
}

/// A running local chain. Dropping it stops it without a last save; [`shutdown`](Self::shutdown) saves.
#[derive(Debug)]
pub struct RunningLocalNet {
    address: SocketAddr,
    node: Node,
    shared: Shared,
    stop: CancellationToken,
    stop_keeper: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    keeper: Option<JoinHandle<Result<(), LocalNetError>>>,
}

impl RunningLocalNet {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its JSON-RPC, for clients of the public API.
    pub fn url(&self) -> String {
        format!("http://{}/api/v2/jsonRPC", self.address)
    }

    /// The URL that its controls are under.
    pub fn control_url(&self) -> String {
        format!("http://{}/control", self.address)
    }

    /// Where the configuration for clients of [`serve_lite_for_clients`](Self::serve_lite_for_clients) is.
    pub fn global_config_url(&self) -> String {
        format!("http://{}/global.config.json", self.address)
    }

    /// Starts a lite server over the same chain.
    pub async fn serve_lite(&self, config: LiteConfig) -> Result<RunningLite, LocalNetError> {
        RunningLite::start(self.shared.clone(), config).await
    }

    /// Starts a lite server as clients of public ones expect it: with a key block to begin at, and a configuration to fetch.
    pub async fn serve_lite_for_clients(&self, config: LiteConfig) -> Result<RunningLite, LocalNetError> {
        let validators = config.validators.clone();
        let lite = self.serve_lite(config).await?;
        lite.rotate(&validators)?;
        // Whoever begins at the key block finds a block behind it.
        lite.append()?;
        // A second server would be another chain of blocks; the first one stays the one that is told.
        let _ = self.shared.global_config.set(lite.global_config());
        Ok(lite)
    }

    /// Does something with the chain itself, without HTTP.
    pub fn with<T>(&self, action: impl FnOnce(&mut Emulator) -> Result<T, EmulatorError>) -> Result<T, EmulatorError> {
        self.node
            .change(|inner| action(&mut inner.chain))
            .map(|(result, _)| result)
    }

    /// Stops the server, saves the chain and returns when both are done.
    pub async fn shutdown(mut self) -> Result<(), LocalNetError> {
        self.stop.cancel();
        // Idle connections of clients must not hold it up; requests under way get their time.
        if tokio::time::timeout(SHUTDOWN_GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        self.stop_keeper.cancel();
        match self.keeper.take() {
            Some(keeper) => keeper.await.map_err(|error| LocalNetError::Server(error.to_string()))?,
            None => Ok(()),
        }
    }
}

/// Makes an empty block from time to time.
async fn make_blocks(node: Node, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let made = node.change(|inner| {
            inner.chain.start_block();
            Ok::<_, EmulatorError>(())
        });
        if let Err(error) = made {
            tracing::error!(%error, "no block is made");
        }
    }
}

impl Drop for RunningLocalNet {
    fn drop(&mut self) {
        self.stop.cancel();
        self.server.abort();
        // After `shutdown` there is none left; otherwise it must not write over a chain that goes on elsewhere.
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}
