//! From the configuration to a running daemon, and back to nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{Params, message::InternalMessage, proxy_state_init};
use cocoon_chain::{ChainError, HttpApi, NodeWallet, ProxyAccount, Retry, SharedChain, watch_root};
use cocoon_ratls::{Acceptor, IdentityKeeper, PeerPolicy};
use cocoon_runner::http::{HttpServer, listen};
use cocoon_runner::keys::load_key;
use cocoon_runner::seal::KeyManager;
use cocoon_runner::shutdown::{Drained, Shutdown};
use cocoon_runner::trust::Trust;
use cocoon_runner::{NotDone, Surroundings, off_thread};
use cocoon_store::{ProxyStore, Recovered, SharedDisk};
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::books::Books;
use crate::commit::{CURSORS, Committer, Cursor, OLD_CURSOR};
use crate::config::ProxyConfig;
use crate::error::ProxyError;
use crate::instance::{Instance, Instances, StoredInstance};
use crate::limits::{AWAITED_POLL, DEPLOY_VALUE, FIRST_COMMIT_TIMEOUT, START_ATTEMPTS, STORE_CLOSE_TIMEOUT};
use crate::listen::Role;
use crate::state::{Proxy, Registrations};
use crate::vouchers::Vouchers;
use crate::{accounts, contracts, http, listen as ports, settlement, winding};

/// A proxy that serves.
#[derive(Debug)]
pub struct RunningProxy {
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where workers connect.
    pub workers: SocketAddr,
    /// Statistics and administration.
    pub http: SocketAddr,
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
pub async fn start(config: ProxyConfig, shutdown: CancellationToken) -> Result<RunningProxy, ProxyError> {
    let key = match &config.chain.api_key_file {
        Some(path) => Some(read_key(path).await?),
        None => None,
    };
    let chain: SharedChain = Arc::new(HttpApi::new(&config.chain.url, key.as_deref())?);
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

async fn read_key(path: &PathBuf) -> Result<String, ProxyError> {
    let unreadable = |source| cocoon_runner::RunnerError::Unreadable {
        path: path.clone(),
        source,
    };
    Ok(tokio::fs::read_to_string(path)
        .await
        .map_err(unreadable)?
        .trim()
        .to_owned())
}

/// Starts a proxy in given surroundings; the configured URL of the chain is not used.
pub async fn start_on(
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
    let client_port = listen(network.as_ref(), config.listen.clients).await?;
    let worker_port = listen(network.as_ref(), config.listen.workers).await?;
    let http_port = listen(network.as_ref(), config.listen.http).await?;

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
    } = opened;
    let mut stored = Vec::new();
    for instance in instances {
        stored.push(Instance::read(instance, &root, public_key)?);
    }
    // A store from before instances were kept: its contract says what its terms were.
    for cursor in &cursors {
        let is_known = stored
            .iter()
            .chain([&newest])
            .any(|known| known.contract == cursor.contract);
        if !is_known {
            let contract = cursor.contract.clone();
            let account = patiently(|| ProxyAccount::fetch(chain.as_ref(), &contract)).await?;
            stored.push(Instance {
                owner: account.owner.clone(),
                params: account.params.clone(),
                contract,
                ..newest.clone()
            });
        }
    }
    let instances = Instances::restore(newest, stored);
    let contract = instances.current().contract.clone();
    tracing::info!(
        receipts = recovered.receipts,
        replayed = recovered.replayed,
        "store opened"
    );
    let books = Arc::new(Books::new(store, recovered.ledger, contract_key, failed, closed)?);
    let image = trust.own_image(&identities, clock.now());
    let proxy = Arc::new(Proxy {
        vouchers: Vouchers::new(Arc::clone(&books), wallet.address().clone()),
        config,
        chain,
        clock: Arc::clone(&clock),
        root: root_view,
        trust,
        instances,
        wallet,
        books,
        workers: Default::default(),
        clients: Default::default(),
        registrations: Registrations::default(),
        stats: Default::default(),
        accounts: Default::default(),
        image,
        shutdown: shutdown.clone(),
        drained: CancellationToken::new(),
        blinding,
        is_enabled: AtomicBool::new(true),
        fatal,
    });

    proxy.workers.configure(&proxy.config.routing);
    winding::remember(&proxy).await?;
    deploy(&proxy, &proxy.on_chain(), &root_params).await?;
    for old in proxy.instances.old() {
        winding::retire(&proxy, &old).await?;
    }
    contracts::refresh_all(&proxy).await?;
    let committer = Arc::new(Committer::new(Arc::clone(&proxy), cursors));
    committer.begin(&contract).await?;

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
    shutdown.spawn_until_stop(identities.keep_fresh());
    shutdown.spawn_until_stop(proxy.trust.clone().keep_current());
    shutdown.spawn_until_stop(contracts::keep_current(Arc::clone(&proxy)));
    shutdown.spawn_until_stop(Arc::clone(&committer).watch());
    shutdown.spawn_until_stop(Arc::clone(&committer).keep_committing());
    shutdown.spawn_until_stop(winding::keep_up(Arc::clone(&proxy), committer));
    shutdown.spawn_until_stop(winding::keep_winding(Arc::clone(&proxy)));
    shutdown.spawn_until_stop(settlement::keep_settling(Arc::clone(&proxy)));
    shutdown.spawn_until_stop(accounts::keep_looking(Arc::clone(&proxy)));
    let router = http::router(Arc::clone(&proxy));
    let server = cocoon_runner::http::serve_on(http_port, router, shutdown.token().clone())?;
    tracing::info!(%clients, %workers, %http, contract = %proxy.on_chain().contract, "proxy serves");

    let wallet = proxy.wallet.address().clone();
    let task = tokio::spawn(async move {
        let ended = end(proxy, shutdown, server, failures, store_failed).await;
        // The store may be opened again when this returns. A task that hangs on to it must not keep the daemon.
        let _ = tokio::time::timeout(STORE_CLOSE_TIMEOUT, store_closed).await;
        ended
    });
    Ok(RunningProxy {
        clients,
        workers,
        http,
        contract,
        wallet,
        task,
    })
}

struct Opened {
    store: ProxyStore,
    recovered: Recovered,
    blinding: [u8; 32],
    cursors: Vec<Cursor>,
    instances: Vec<StoredInstance>,
}

/// Opens the store off the async threads: it reads the whole log.
async fn open_store(config: &ProxyConfig, disk: SharedDisk) -> Result<Opened, ProxyError> {
    let folder = config.store_dir.clone();
    let open = move || -> Result<Opened, ProxyError> {
        let (store, recovered) = ProxyStore::open_on(disk, &folder)?;
        let blinding = match store.state::<[u8; 32]>("blinding")? {
            Some(secret) => secret,
            None => {
                let secret: [u8; 32] = rand::random();
                store.put_state("blinding", &secret)?;
                secret
            }
        };
        let cursors = match store.state::<Vec<Cursor>>(CURSORS)? {
            Some(cursors) => cursors,
            None => store.state::<Cursor>(OLD_CURSOR)?.into_iter().collect(),
        };
        let instances = store.state(winding::INSTANCES)?.unwrap_or_default();
        Ok(Opened {
            store,
            recovered,
            blinding,
            cursors,
            instances,
        })
    };
    let ended = |error: NotDone| ProxyError::WriterStopped {
        reason: error.to_string(),
    };
    off_thread(open).await.map_err(ended)?
}

/// Makes sure that wallet and contract are there and that the contract is ours and open. `root_params` are the parameters
/// with every code.
pub(crate) async fn deploy(proxy: &Proxy, instance: &Instance, root_params: &Params) -> Result<(), ProxyError> {
    patiently(|| proxy.wallet.ensure_deployed()).await?;
    let contract = &instance.contract;
    let wrong = |reason| ProxyError::Contract {
        contract: contract.clone(),
        reason,
    };
    if !proxy.chain.account(contract).await?.is_active() {
        let state_init = proxy_state_init(&instance.owner, &instance.public_key, &instance.root, root_params)?;
        if state_init.address()? != *contract {
            return Err(wrong("is not of the root contract's parameters and is not deployed"));
        }
        let note = cocoon_bindings::types::DoNotProcess {
            query_id: cocoon_bindings::QueryId::new(rand::random()),
            note: Default::default(),
        };
        let body = cocoon_bindings::ton::to_cell(&note)
            .map_err(|source| ChainError::Build(cocoon_bindings::BindingsError::layout("a note")(source)))?;
        let (to, state_init) = (contract.clone(), Some(state_init));
        let message = InternalMessage {
            to,
            value: DEPLOY_VALUE,
            bounce: false,
            body,
            state_init,
        };
        proxy.wallet.send(vec![message]).await?;
        let started = Instant::now();
        while !proxy.chain.account(contract).await?.is_active() {
            if started.elapsed() > FIRST_COMMIT_TIMEOUT {
                return Err(wrong("was not deployed in time"));
            }
            tokio::time::sleep(AWAITED_POLL).await;
        }
    }
    let account = ProxyAccount::fetch(proxy.chain.as_ref(), contract).await?;
    if account.proxy_public_key != instance.public_key || account.root != instance.root {
        return Err(wrong("holds another key or root contract"));
    }
    if account.state != cocoon_bindings::types::Lifecycle::Normal {
        return Err(wrong("is closing or closed"));
    }
    Ok(())
}

/// Waits for the end, lets running requests end, closes the connections, and says why it ended.
async fn end(
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    server: HttpServer,
    mut failures: mpsc::Receiver<ProxyError>,
    store_failed: oneshot::Receiver<ProxyError>,
) -> Result<(), ProxyError> {
    let failure = tokio::select! {
        () = shutdown.token().cancelled() => failures.try_recv().ok(),
        failure = failures.recv() => failure,
        Ok(failure) = store_failed => Some(failure),
    };
    shutdown.stop();
    let drain = Duration::from_secs_f64(proxy.config.timers.drain);
    let is_idle = async {
        while proxy.clients.all().iter().any(|client| client.running() > 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if failure.is_none() && tokio::time::timeout(drain, is_idle).await.is_err() {
        tracing::warn!("requests were still running at the end of the drain");
    }
    proxy.drained.cancel();
    if let Drained::TimedOut { left } = shutdown.drain(Duration::from_secs(10)).await {
        tracing::warn!(left, "tasks were still running at the end");
    }
    let served = server.join().await;
    match failure {
        Some(error) => Err(error),
        None => Ok(served?),
    }
}

fn address(key: &'static str, text: &str) -> Result<Address, ProxyError> {
    parse_address(text).map_err(|source| ProxyError::AddressSetting { key, source })
}

/// Asks the chain again when it may help: at start other processes are starting too.
async fn patiently<T, F: Future<Output = Result<T, ChainError>>>(mut ask: impl FnMut() -> F) -> Result<T, ChainError> {
    let mut attempt = 1;
    loop {
        match ask().await {
            Err(error) if attempt < START_ATTEMPTS && error.retry() != Retry::Never => {
                tracing::info!(%error, "asking the chain again");
                tokio::time::sleep(Duration::from_millis(300 << attempt)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}
