//! Starts a client runner and waits for its end.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cocoon_bindings::ton::{friendly, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{NodeWallet, watch_root};
use cocoon_explorer::{Explorer, Settings};
use cocoon_ratls::{IdentityKeeper, NoEvidence};
use cocoon_runner::admin::{self, Live};
use cocoon_runner::http::serve_on;
use cocoon_runner::shutdown::Shutdown;
use cocoon_runner::telemetry::{Hop, Tracer};
use cocoon_runner::trust::Trust;
use cocoon_runner::{RunnerError, Surroundings};
use cocoon_store::ClientStore;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::answers::Answers;
use crate::access::attempt::Access;
use crate::access::durable::Rows;
use crate::access::gate::Gate;
use crate::access::spending::Spending;
use crate::account::{self, Accounts};
use crate::config::ClientConfig;
use crate::context::Context;
use crate::dialer::{Dialing, Upstream};
use crate::disclosures::Disclosures;
use crate::error::ClientError;
use crate::http::{self, App};
use crate::limits::{DRAIN_LIMIT, MAX_PROXY_CONNECTIONS, RECEIPT_WAIT};
use crate::logs::{Keys, Logs};
use crate::quotes::KnownQuotes;
use crate::secret::Secret;
use crate::stats::Stats;

/// A client runner at work.
#[derive(Debug)]
pub struct RunningClient {
    address: SocketAddr,
    upstream: watch::Receiver<Upstream>,
    task: Option<JoinHandle<Result<(), ClientError>>>,
}

impl RunningClient {
    /// Where the HTTP interface listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the connection to a proxy stands, now and later.
    pub fn upstream(&self) -> watch::Receiver<Upstream> {
        self.upstream.clone()
    }

    /// Waits until it has ended. Asked again after that, it says that all is well.
    pub async fn join(&mut self) -> Result<(), ClientError> {
        let Some(task) = self.task.as_mut() else { return Ok(()) };
        let result = task.await;
        self.task = None;
        result.unwrap_or_else(|error| Err(RunnerError::Serve(std::io::Error::other(error)).into()))
    }
}

/// Starts with the chain that the configuration names. Ends after `stop`: requests in flight get some seconds.
pub fn start(config: ClientConfig, stop: CancellationToken) -> BoxFuture<'static, Result<RunningClient, ClientError>> {
    Box::pin(start_real(config, stop))
}

async fn start_real(config: ClientConfig, stop: CancellationToken) -> Result<RunningClient, ClientError> {
    let chain = cocoon_runner::chain::open(&config.chain)?;
    start_on(config, Surroundings::real(chain), stop).await
}

/// Starts in given surroundings; the configured URL of the chain is not used.
pub fn start_on(
    config: ClientConfig,
    surroundings: Surroundings,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<RunningClient, ClientError>> {
    Box::pin(start_in(config, surroundings, stop))
}

async fn start_in(
    config: ClientConfig,
    surroundings: Surroundings,
    stop: CancellationToken,
) -> Result<RunningClient, ClientError> {
    let gate = Gate::open(
        &config.access,
        config.keys_path(),
        config.listen,
        surroundings.clock.clone(),
    )?;
    // The port first: a taken one is the most common mistake, and costs nothing to find.
    let listener = cocoon_runner::http::listen(surroundings.network.as_ref(), config.listen).await?;
    let (failed, mut failures) = mpsc::channel(1);
    let (tracer, exporter) = Tracer::new(
        &config.telemetry,
        Hop::Client,
        surroundings.clock.clone(),
        surroundings.network.clone(),
    )?;
    let context = Arc::new(context(&config, surroundings, tracer, failed).await?);
    // Ends with the caller's token, or when the own disk has failed.
    let stop = stop.child_token();
    let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), context.clock.clone())?);
    let (upstream_sender, upstream) = watch::channel(Upstream::default());
    let (accounts_sender, accounts) = watch::channel(Accounts::default());
    // Connections outlive the HTTP side, so that requests in flight can end.
    let shutdown = Shutdown::new(CancellationToken::new());
    let checkpoints = context.checkpoints();
    let (keeping, failing) = (checkpoints.clone(), context.failed.clone());
    shutdown.spawn_until_stop(async move {
        let error = cocoon_runner::checkpoints::keep(keeping).await;
        // A full queue already holds an earlier failure.
        let _ = failing.try_send(error.into());
    });
    shutdown.spawn(exporter.run(shutdown.token().clone()));
    shutdown.spawn_until_stop(context.trust.clone().keep_current());
    shutdown.spawn_until_stop(Arc::clone(&identities).keep_fresh());
    shutdown.spawn_until_stop(account::watch(Arc::clone(&context), upstream.clone(), accounts_sender));
    let token = shutdown.token().clone();
    let dialing = Arc::new(Dialing::new(Arc::clone(&context), identities, upstream_sender, token));
    for _ in 0..config.proxy_connections {
        shutdown.spawn(Arc::clone(&dialing).keep_connected());
    }

    let contradictions = config.data_dir.join("contradictions");
    let logs = Logs::new(&config.logs, Arc::clone(&context.store), &contradictions)?;
    let rows = Rows::new(Arc::clone(&context.store), context.failed.clone());
    let access = Access {
        gate: Arc::new(gate),
        spending: Spending::new(Arc::clone(&rows)),
        answers: Answers::open(rows, context.clock.clone())?,
    };
    let explorer = explorer(&config, &context, &stop)?;
    let app = App {
        access,
        channels_looked: tokio::sync::Mutex::default(),
        logs: Arc::new(logs),
        proxy_keys: Arc::new(Keys::default()),
        upstream: upstream.clone(),
        accounts,
        stats: Stats::default(),
        quotes: KnownQuotes::default(),
        slots: Arc::new(Semaphore::new(config.max_requests.min(Semaphore::MAX_PERMITS))),
        requests: TaskTracker::new(),
        is_enabled: AtomicBool::new(true),
        live: Live::new(config.clone()),
        owner: friendly(&owner(&config)?, false, false),
        book: Arc::default(),
        explorer,
        stop: stop.clone(),
        context,
    };
    let app = Arc::new(app);
    let router = http::router(Arc::clone(&app));
    let administered = router.clone().merge(http::contract::router(Arc::clone(&app)));
    admin::start(&config.admin, http::operated(&app), administered, &shutdown)?;
    let server = serve_on(listener, http::guarded(router, &app), stop.clone())?;
    let address = server.address();
    tracing::info!(%address, "the client listens");
    let task = tokio::spawn(async move {
        let mut serving = std::pin::pin!(server.join());
        let (served, failure) = tokio::select! {
            served = &mut serving => (served, None),
            Some(failure) = failures.recv() => {
                stop.cancel();
                (serving.await, Some(failure))
            }
        };
        if failure.is_none() {
            // Answers run ahead of their receipts, which still come over the open connections.
            app.requests.close();
            let _ = tokio::time::timeout(RECEIPT_WAIT, app.requests.wait()).await;
        }
        shutdown.stop();
        shutdown.drain(DRAIN_LIMIT).await;
        cocoon_runner::checkpoints::last(checkpoints).await;
        failure.map_or(served.map_err(ClientError::from), Err)
    });
    Ok(RunningClient {
        address,
        upstream,
        task: Some(task),
    })
}

/// The view of the network for this client's page. It is there also where it is not shown, since a reload may show it: it asks
/// nothing until somebody looks.
fn explorer(config: &ClientConfig, context: &Context, stop: &CancellationToken) -> Result<Explorer, ClientError> {
    let mut logs: Vec<String> = config.logs.iter().map(|place| place.url.clone()).collect();
    logs.dedup();
    let settings = Settings::new(context.root().address.clone(), logs);
    let started = Explorer::start(
        Arc::clone(&context.chain),
        context.clock.clone(),
        settings,
        stop.clone(),
    );
    started.map_err(|error| wrong_value("logs", &error))
}

async fn context(
    config: &ClientConfig,
    surroundings: Surroundings,
    tracer: Tracer,
    failed: mpsc::Sender<ClientError>,
) -> Result<Context, ClientError> {
    let Surroundings {
        chain,
        clock,
        network,
        disk,
    } = surroundings;
    if !(1..=MAX_PROXY_CONNECTIONS).contains(&config.proxy_connections) {
        return Err(wrong_value("proxy_connections", &"must be from 1 to 64"));
    }
    let root = parse_address(&config.chain.root).map_err(|e| wrong_value("chain.root", &e))?;
    let owner = owner(config)?;
    std::fs::create_dir_all(&config.data_dir).map_err(|source| RunnerError::Unwritable {
        path: config.data_dir.clone(),
        source,
    })?;
    let disclosures = config.disclosures_dir.as_deref().map(|folder| {
        tracing::warn!(folder = %folder.display(), "prompts and answers are kept in files: disclosures_dir is set");
        Disclosures::open(folder).map_err(|source| RunnerError::Unwritable {
            path: folder.to_owned(),
            source,
        })
    });
    let disclosures = disclosures.transpose()?;
    let secret = Secret::load_or_create(&config.secret_path())?;
    if config.wallet.managed.is_some() {
        let problem = "a client gives no evidence of itself, so no key manager gives it a key";
        return Err(wrong_value("wallet.managed", &problem));
    }
    let key = config.wallet.key("client", None).await?;
    let store = ClientStore::open_on(disk, &config.data_dir)?;
    let wallet_contract = WalletContract::node(PublicKey::from(&key), owner.clone());
    let wallet = NodeWallet::new(Arc::clone(&chain), key, owner)?;
    let every = Duration::from_secs(config.root_refresh_seconds.max(1));
    let root = watch_root(Arc::clone(&chain), root, every).await?;
    let trust = Trust::load(&config.attestation, root.clone(), clock.clone())?;
    Ok(Context {
        chain,
        wallet: Arc::new(wallet),
        wallet_contract,
        root,
        trust,
        secret,
        store: Arc::new(Mutex::new(store)),
        clock,
        network,
        funding: Live::new(config.funding),
        disclosures,
        look_again: Notify::new(),
        tracer,
        failed,
    })
}

fn owner(config: &ClientConfig) -> Result<cocoon_bindings::ton::Address, ClientError> {
    parse_address(&config.wallet.owner).map_err(|e| wrong_value("wallet.owner", &e))
}

fn wrong_value(key: &str, problem: &dyn std::fmt::Display) -> ClientError {
    RunnerError::ConfigValue {
        key: key.to_owned(),
        problem: problem.to_string(),
    }
    .into()
}
