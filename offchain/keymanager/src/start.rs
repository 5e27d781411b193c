//! From the configuration to a replica that answers, and back to nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use cocoon_attest::Evidence;
use cocoon_bindings::ton::parse_address;
use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_chain::{RootView, watch_root};
use cocoon_ratls::{
    Acceptor, Connector, IdentityKeeper, ParsedCertificate, PeerPolicy, RatlsError, SharedClock, SystemClock,
    TcpNetwork, TrustStore,
};
use cocoon_runner::RunnerError;
use cocoon_runner::config::ChainConfig;
use cocoon_runner::http::{HttpServer, listen, serve_on};
use cocoon_runner::shutdown::{Drained, Shutdown};
use cocoon_runner::trust::Trust;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::join::Peers;
use crate::limits::{DRAIN, ROOT_REFRESH};
use crate::policy::Policies;
use crate::replica::Replica;
use crate::serve::{self, Doors};
use crate::{KeyManagerConfig, KeyManagerError, Start, http};

/// What a replica is made with, besides its configuration.
#[derive(Clone)]
pub struct Parts {
    /// Its certificates.
    pub identities: Arc<IdentityKeeper>,
    /// Whom to believe.
    pub trust: Arc<TrustStore>,
    /// The root contract.
    pub root: watch::Receiver<Arc<RootView>>,
    /// The time.
    pub clock: SharedClock,
    /// Whether a simulated platform is believed, or is the own one.
    pub is_simulated: bool,
}

/// A replica that answers, with or without the secret yet.
pub struct RunningKeyManager {
    /// Where nodes, replicas and owners connect.
    pub address: SocketAddr,
    /// Where status and backup are.
    pub http: SocketAddr,
    replica: Arc<Replica>,
    task: JoinHandle<Result<(), KeyManagerError>>,
}

impl std::fmt::Debug for RunningKeyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RunningKeyManager");
        shown
            .field("address", &self.address)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl RunningKeyManager {
    /// Public id of the secret, once it is there.
    pub fn id(&self) -> Option<PublicKey> {
        self.replica.id()
    }

    /// Waits for the secret.
    pub async fn ready(&self) {
        self.replica.ready().await;
    }

    /// Waits until it has ended, drain included.
    pub async fn join(self) -> Result<(), KeyManagerError> {
        let ended = |error| Err(RunnerError::Serve(std::io::Error::other(error)).into());
        self.task.await.unwrap_or_else(ended)
    }
}

/// The root contract of a chain, watched.
pub(crate) async fn watch(chain: &ChainConfig) -> Result<watch::Receiver<Arc<RootView>>, KeyManagerError> {
    let api = cocoon_runner::chain::open(chain)?;
    let root = parse_address(&chain.root).map_err(KeyManagerError::Root)?;
    Ok(watch_root(api, root, ROOT_REFRESH).await?)
}

/// Starts a replica on the chain of its configuration. Returns when it listens; it ends with the token.
pub fn start(
    config: KeyManagerConfig,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<RunningKeyManager, KeyManagerError>> {
    Box::pin(start_real(config, stop))
}

async fn start_real(config: KeyManagerConfig, stop: CancellationToken) -> Result<RunningKeyManager, KeyManagerError> {
    config.check()?;
    let root = watch(&config.chain).await?;
    let clock = SystemClock::shared();
    let trust = Trust::load(&config.attestation, root.clone(), Arc::clone(&clock))?;
    let identities = Arc::new(IdentityKeeper::new(trust.evidence("keymanager"), Arc::clone(&clock))?);
    let parts = Parts {
        identities,
        trust: trust.store(),
        root,
        clock,
        is_simulated: trust.is_simulated(),
    };
    // Before the others are asked: they cannot be judged without collateral, which is fetched here.
    let following = tokio::spawn({
        let stop = stop.clone();
        async move { stop.run_until_cancelled(trust.keep_current()).await.unwrap_or_default() }
    });
    let started = start_with(&config, parts, stop).await;
    if started.is_err() {
        following.abort();
    }
    started
}

/// Starts a replica with parts of the caller's; the chain and the evidence of the configuration are not used.
pub fn start_with<'a>(
    config: &'a KeyManagerConfig,
    parts: Parts,
    stop: CancellationToken,
) -> BoxFuture<'a, Result<RunningKeyManager, KeyManagerError>> {
    Box::pin(start_parts(config, parts, stop))
}

async fn start_parts(
    config: &KeyManagerConfig,
    parts: Parts,
    stop: CancellationToken,
) -> Result<RunningKeyManager, KeyManagerError> {
    config.check()?;
    // Ports first: what is taken is told before a secret is drawn.
    let listener = listen(&TcpNetwork, config.listen).await?;
    let http_port = listen(&TcpNetwork, config.http).await?;
    let address = listener.local_addr().map_err(RunnerError::Serve)?;
    let own_image = own_image(&parts.identities)?;
    if parts.is_simulated {
        tracing::warn!("SIMULATED TDX platform: whoever owns this machine can read the secret of all keys");
    }
    let policies = Policies::new(config, own_image, parts.root.clone());
    let connector = {
        let (identities, trust) = (Arc::clone(&parts.identities), Arc::clone(&parts.trust));
        Connector::new(identities, trust, policies.of_replicas(), Arc::clone(&parts.clock))
    };
    let peers = Peers {
        connector,
        addresses: config.peers.clone(),
        id: config.id,
    };
    let acceptor = |policy: PeerPolicy| {
        let (identities, trust) = (Arc::clone(&parts.identities), Arc::clone(&parts.trust));
        Acceptor::new(identities, trust, policy, Arc::clone(&parts.clock)).with_difficulty(config.pow_difficulty)
    };
    let doors = Doors {
        attested: acceptor(policies.of_askers()),
        anybody: acceptor(PeerPolicy::Any),
    };
    let replica = Arc::new(Replica::new(
        policies,
        own_image,
        parts.is_simulated,
        config.start,
        config.id,
        config.backup.clone(),
    ));
    let shutdown = Shutdown::new(stop);
    match config.start {
        Start::New => {
            let id = replica.adopt(peers.draw().await?)?;
            tracing::warn!(%id, "a new key manager: write this id into the configurations, and start without --new from now on");
        }
        Start::Join => shutdown.spawn_until_stop(peers.join(Arc::clone(&replica))),
        Start::Restore => tracing::warn!(id = ?config.id, "waiting for the shares of the owners"),
    }
    shutdown.spawn_until_stop(Arc::clone(&parts.identities).keep_fresh());
    shutdown.spawn_until_stop(serve::run(Arc::clone(&replica), listener, doors, shutdown.clone()));
    let server = serve_on(http_port, http::router(Arc::clone(&replica)), shutdown.token().clone())?;
    let http = server.address();
    tracing::info!(%address, %http, image = %own_image, "key manager listens");
    let task = tokio::spawn(end(shutdown, server));
    Ok(RunningKeyManager {
        address,
        http,
        replica,
        task,
    })
}

async fn end(shutdown: Shutdown, server: HttpServer) -> Result<(), KeyManagerError> {
    shutdown.token().cancelled().await;
    if let Drained::TimedOut { left } = shutdown.drain(DRAIN).await {
        tracing::warn!(left, "tasks were still running at the end of the drain");
    }
    Ok(server.join().await?)
}

/// The own image, from the own certificate: what peers will compute too.
fn own_image(identities: &IdentityKeeper) -> Result<ImageHash, KeyManagerError> {
    let certificate = ParsedCertificate::parse(identities.peek().certificate_der()).map_err(RatlsError::from)?;
    let quote = certificate.quote.ok_or(KeyManagerError::NoEvidence)?;
    let evidence = Evidence::parse(&quote).map_err(RatlsError::from)?;
    Ok(evidence.unverified_measurements().image_hash())
}
