//! From the configuration to a running daemon, and back to nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_chain::{NodeWallet, watch_root};
use cocoon_ratls::{Acceptor, IdentityKeeper, PeerPolicy};
use cocoon_runner::Surroundings;
use cocoon_runner::admin::{self, Live};
use cocoon_runner::http::{HttpServer, listen};
use cocoon_runner::keys::load_key;
use cocoon_runner::seal::KeyManager;
use cocoon_runner::shutdown::{Drained, Shutdown};
use cocoon_runner::telemetry::{Hop, Tracer};
use cocoon_runner::trust::Trust;
use ed25519_dalek::SigningKey;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::begin::{Opened, begin, instances_of, open_store, patiently};
use crate::books::Books;
use crate::challenge::{self, Challenges};
use crate::commit::Committer;
use crate::config::ProxyConfig;
use crate::error::ProxyError;
use crate::instance::Instance;
use crate::limits::{STORE_CLOSE_TIMEOUT, TASKS_END_TIMEOUT};
use crate::listen::Role;
use crate::outage::ChainAge;
use crate::publish::{self, Publication};
use crate::recovery::Recovery;
use crate::state::{Proxy, Registrations};
use crate::vouchers::Vouchers;
use crate::{accounts, anchor, contracts, http, listen as ports, outage, settlement, winding};

/// A proxy that serves.
#[derive(Debug)]
pub struct RunningProxy {
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where workers connect.
    pub workers: SocketAddr,
    /// Statistics and administration.
    pub http: SocketAddr,
    /// Where the published log is served, if the proxy does that.
    pub log: Option<SocketAddr>,
    /// The proxy contract.
    pub contract: Address,
    /// The wallet that sends its messages.
    pub wallet: Address,
    task: JoinHandle<Result<(), ProxyError>>,
}

impl RunningProxy {
    /// Waits until the daemon has ended: by the token, after its drain, or by a failure.
    pub async fn join(self) -> Result<(), ProxyError> {
        let ended = |error: tokio::task::JoinError| ProxyError::WriterStopped {
            reason: error.to_string(),
        };
        self.task.await.map_err(ended)?
    }
}

/// Starts a proxy on the chain of its configuration. Returns when it serves; it ends with the token.
pub fn start(config: ProxyConfig, shutdown: CancellationToken) -> BoxFuture<'static, Result<RunningProxy, ProxyError>> {
    Box::pin(start_real(config, shutdown))
}

async fn start_real(config: ProxyConfig, shutdown: CancellationToken) -> Result<RunningProxy, ProxyError> {
    let chain = cocoon_runner::chain::open(&config.chain)?;
    start_on(config, Surroundings::real(chain), shutdown).await
}

/// The key of the contract; the configuration was checked to name one place for it.
async fn contract_key(config: &ProxyConfig, manager: Option<&KeyManager>) -> Result<SigningKey, ProxyError> {
    match (&config.contract_key, &config.contract_key_file) {
        (Some(managed), _) => Ok(managed.load(manager, "proxy", "contract").await?),
        (None, Some(file)) => Ok(load_key(file)?),
        (None, None) => Err(ProxyError::Setting {
            key: "contract_key",
            expected: "either contract_key_file or contract_key",
        }),
    }
}

/// Starts a proxy in given surroundings; the configured URL of the chain is not used.
pub fn start_on(
    config: ProxyConfig,
    surroundings: Surroundings,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<RunningProxy, ProxyError>> {
    Box::pin(start_in(config, surroundings, shutdown))
}

async fn start_in(
    config: ProxyConfig,
    surroundings: Surroundings,
    shutdown: CancellationToken,
) -> Result<RunningProxy, ProxyError> {
    config.check()?;
    let Surroundings {
        chain,
        clock,
        network,
        disk,
    } = surroundings;
    let shutdown = Shutdown::new(shutdown);
    // Ports first: what is taken is told before anything is written or sent.
    let (tracer, exporter) = Tracer::new(&config.telemetry, Hop::Proxy, clock.clone(), network.clone())?;
    let client_port = listen(network.as_ref(), config.listen.clients).await?;
    let worker_port = listen(network.as_ref(), config.listen.workers).await?;
    let http_port = listen(network.as_ref(), config.listen.http).await?;
    let log_port = match config.log.listen {
        Some(address) => Some(listen(network.as_ref(), address).await?),
        None => None,
    };
    let publication = Publication::new(&config.log, &config.store_dir, Arc::clone(&disk))?.map(Arc::new);

    let root = address("chain.root", &config.chain.root)?;
    let owner = address("wallet.owner", &config.wallet.owner)?;
    let every = Duration::from_secs_f64(config.timers.root);
    let root_view = patiently(|| watch_root(Arc::clone(&chain), root.clone(), every)).await?;
    let trust = Trust::load(&config.attestation, root_view.clone(), Arc::clone(&clock))?;
    let identities = Arc::new(IdentityKeeper::new(trust.evidence("proxy"), Arc::clone(&clock))?);
    let manager = match &config.key_manager {
        Some(manager) => Some(KeyManager::new(
            manager,
            Arc::clone(&identities),
            &trust,
            Arc::clone(&clock),
        )?),
        None => None,
    };
    let contract_key = contract_key(&config, manager.as_ref()).await?;
    let wallet_key = config.wallet.key("proxy", manager.as_ref()).await?;
    let wallet = NodeWallet::new(Arc::clone(&chain), wallet_key, owner.clone())?;

    let public_key = PublicKey::from(&contract_key);
    let root_params = root_view.borrow().params.clone();
    let newest = Instance::derive(&root, &owner, public_key, &root_params)?;

    let (fatal, failures) = mpsc::channel(1);
    let (failed, store_failed) = oneshot::channel();
    let (closed, store_closed) = oneshot::channel();
    let opened = open_store(&config, disk).await?;
    let Opened {
        store,
        recovered,
        blinding,
        cursors,
        instances,
        anchored,
        challenges,
    } = opened;
    let instances = instances_of(instances, &cursors, newest, &chain).await?;
    let contract = instances.current().contract.clone();
    tracing::info!(
        receipts = recovered.receipts,
        replayed = recovered.replayed,
        "store opened"
    );
    let checkpoints = store.checkpoints();
    let books = Arc::new(Books::new(store, recovered.ledger, contract_key, failed, closed)?);
    let image = trust.own_image(&identities, clock.now());
    let chain_age = ChainAge::new(&config.outage);
    let (challenges, sampled) = Challenges::new(challenges);
    let proxy = Arc::new(Proxy {
        challenges,
        vouchers: Vouchers::new(Arc::clone(&books), wallet.address().clone()),
        live: Live::new(config.clone()),
        config,
        chain,
        clock: Arc::clone(&clock),
        root: root_view,
        trust,
        identities: Arc::clone(&identities),
        instances,
        wallet,
        books,
        workers: Default::default(),
        tracer,
        quotes: Default::default(),
        clients: Default::default(),
        registrations: Registrations::default(),
        stats: Default::default(),
        accounts: Default::default(),
        heads: Default::default(),
        publication,
        image,
        chain_age,
        recovery: Recovery::default(),
        winding: Default::default(),
        shutdown: shutdown.clone(),
        drained: CancellationToken::new(),
        blinding,
        is_enabled: AtomicBool::new(true),
        fatal,
    });

    shutdown.spawn(exporter.run(shutdown.token().clone()));
    let failing = Arc::clone(&proxy);
    shutdown.spawn_until_stop(async move {
        let error = cocoon_runner::checkpoints::keep(checkpoints).await;
        failing.fail(error.into());
    });
    if let Some(contract) = &anchored.proxy {
        proxy.heads.at_least(contract, anchored.size);
    }
    proxy.workers.configure(&proxy.config.routing);
    proxy.workers.set_benched(proxy.challenges.benched());
    let committer = Arc::new(Committer::new(Arc::clone(&proxy), cursors));
    match begin(&proxy, &committer, &root_params).await {
        // It goes on, so that it can say why it serves nobody.
        Err(error @ ProxyError::RolledBack(_)) => proxy.fail(error),
        begun => {
            if let (Err(_), Some(publication)) = (&begun, &proxy.publication) {
                publication.close().await;
            }
            begun?;
        }
    }

    let addresses = [&client_port, &worker_port, &http_port].map(|port| port.local_addr());
    let [clients, workers, http] = addresses;
    let unknown = cocoon_runner::RunnerError::Serve;
    let (clients, workers, http) = (
        clients.map_err(unknown)?,
        workers.map_err(unknown)?,
        http.map_err(unknown)?,
    );
    let acceptor = |policy| {
        let (identities, store) = (Arc::clone(&identities), proxy.trust.store());
        let acceptor =
            Acceptor::new(identities, store, policy, Arc::clone(&clock)).with_difficulty(proxy.config.pow_difficulty);
        proxy.trust.accepting(acceptor)
    };
    let client_acceptor = acceptor(PeerPolicy::Any);
    let worker_acceptor = acceptor(proxy.trust.workers());
    shutdown.spawn_until_stop(ports::run(
        Arc::clone(&proxy),
        client_port,
        client_acceptor,
        Role::Client,
    ));
    shutdown.spawn_until_stop(ports::run(
        Arc::clone(&proxy),
        worker_port,
        worker_acceptor,
        Role::Worker,
    ));
    let challenging = challenge::keep_challenging(Arc::clone(&proxy), Arc::clone(&identities), sampled);
    proxy.spawn_while_trusted(challenging);
    shutdown.spawn_until_stop(identities.keep_fresh());
    shutdown.spawn_until_stop(proxy.trust.clone().keep_current());
    proxy.spawn_while_trusted(contracts::keep_current(Arc::clone(&proxy)));
    proxy.spawn_while_trusted(Arc::clone(&committer).watch());
    proxy.spawn_while_trusted(Arc::clone(&committer).keep_committing());
    proxy.spawn_while_trusted(winding::keep_up(Arc::clone(&proxy), committer));
    proxy.spawn_while_trusted(winding::keep_winding(Arc::clone(&proxy)));
    proxy.spawn_while_trusted(outage::keep_watch(Arc::clone(&proxy)));
    proxy.spawn_while_trusted(settlement::keep_settling(Arc::clone(&proxy)));
    proxy.spawn_while_trusted(anchor::keep_anchoring(Arc::clone(&proxy)));
    if let Some(publication) = &proxy.publication {
        proxy.spawn_while_trusted(publish::keep_publishing(Arc::clone(&proxy), Arc::clone(publication)));
    }
    shutdown.spawn_until_stop(accounts::keep_looking(Arc::clone(&proxy)));
    let router = http::router(Arc::clone(&proxy));
    admin::start(&proxy.config.admin, http::operated(&proxy), router.clone(), &shutdown)?;
    let mut servers = vec![cocoon_runner::http::serve_on(
        http_port,
        router,
        shutdown.token().clone(),
    )?];
    if let (Some(port), Some(folder)) = (log_port, &proxy.config.log.folder) {
        let router = cocoon_tlog::serve::router(folder);
        servers.push(cocoon_runner::http::serve_public(
            port,
            router,
            shutdown.token().clone(),
        )?);
    }
    let log = servers.get(1).map(HttpServer::address);
    tracing::info!(%clients, %workers, %http, contract = %proxy.on_chain().contract, "proxy serves");

    let wallet = proxy.wallet.address().clone();
    let task = tokio::spawn(async move {
        let ended = end(proxy, shutdown, servers, failures, store_failed).await;
        // The store may be opened again when this returns. A task that hangs on to it must not keep the daemon.
        let _ = tokio::time::timeout(STORE_CLOSE_TIMEOUT, store_closed).await;
        ended
    });
    Ok(RunningProxy {
        clients,
        workers,
        http,
        log,
        contract,
        wallet,
        task,
    })
}

/// Waits for the end, lets running requests end, closes the connections, and says why it ended.
async fn end(
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    servers: Vec<HttpServer>,
    mut failures: mpsc::Receiver<ProxyError>,
    store_failed: oneshot::Receiver<ProxyError>,
) -> Result<(), ProxyError> {
    let failure = tokio::select! {
        () = shutdown.token().cancelled() => failures.try_recv().ok(),
        failure = failures.recv() => failure,
        Ok(failure) = store_failed => Some(failure),
    };
    shutdown.stop();
    proxy.quotes.end_all();
    let drain = Duration::from_secs_f64(proxy.live.get().timers.drain);
    let is_idle = async {
        while proxy.clients.all().iter().any(|client| client.is_busy()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if failure.is_none() && tokio::time::timeout(drain, is_idle).await.is_err() {
        tracing::warn!("requests were still running at the end of the drain");
    }
    proxy.drained.cancel();
    if let Drained::TimedOut { left } = shutdown.drain(TASKS_END_TIMEOUT).await {
        tracing::warn!(left, "tasks were still running at the end");
    }
    if let Some(publication) = proxy.publication.as_ref().filter(|_| failure.is_none()) {
        publish::last(&proxy, publication).await;
    }
    if let Some(publication) = &proxy.publication {
        publication.close().await;
    }
    let mut served = Ok(());
    for server in servers {
        served = served.and(server.join().await);
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(served?),
    }
}

fn address(key: &'static str, text: &str) -> Result<Address, ProxyError> {
    parse_address(text).map_err(|source| ProxyError::AddressSetting { key, source })
}
