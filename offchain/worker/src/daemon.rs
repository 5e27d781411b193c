//! The worker as a whole: start, run, drain, stop.

mod loading;

pub(crate) use loading::verify_name;

use crate::config::{Parsed, WorkerConfig};
use crate::connect::{Dialing, keep_connected};
use crate::error::WorkerError;
use crate::http::{Pages, router};
use crate::limits::{HEALTH_PAUSE, TASKS_END_TIMEOUT};
use crate::payout::Payouts;
use crate::pricing::keep_priced;
use crate::worker::{Shared, Worker, Workers};
use cocoon_chain::{RootView, watch_root};
use cocoon_ratls::{Connector, IdentityKeeper, SharedClock, SharedNetwork};
use cocoon_runner::admin::{self, Live};
use cocoon_runner::choice::Choices;
use cocoon_runner::http::HttpServer;
use cocoon_runner::seal::KeyManager;
use cocoon_runner::shutdown::{Drained, Shutdown};
use cocoon_runner::telemetry::{Hop, Tracer};
use cocoon_runner::trust::Trust;
use cocoon_runner::{Surroundings, off_thread};
use cocoon_store::{SharedDisk, WorkerStore};
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A worker that runs.
pub struct RunningWorker {
    /// Where health, statistics and switches are.
    pub http: SocketAddr,
    /// Ends when the worker has stopped, after its drain.
    pub join: JoinHandle<Result<(), WorkerError>>,
}

/// Starts a worker; it stops, with a drain, when `shutdown` is cancelled. It is connected to proxies only once all models
/// are loaded and have run.
pub fn start(
    config: WorkerConfig,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<RunningWorker, WorkerError>> {
    Box::pin(start_real(config, shutdown))
}

async fn start_real(config: WorkerConfig, shutdown: CancellationToken) -> Result<RunningWorker, WorkerError> {
    let chain = cocoon_runner::chain::open(&config.chain)?;
    start_on(config, Surroundings::real(chain), shutdown).await
}

/// Starts a worker in given surroundings; the configured URL of the chain is not used.
pub fn start_on(
    config: WorkerConfig,
    surroundings: Surroundings,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<RunningWorker, WorkerError>> {
    Box::pin(start_in(config, surroundings, shutdown))
}

async fn start_in(
    config: WorkerConfig,
    surroundings: Surroundings,
    shutdown: CancellationToken,
) -> Result<RunningWorker, WorkerError> {
    let parsed = config.parse()?;
    let Surroundings {
        chain,
        clock,
        network,
        disk,
    } = surroundings;
    let refresh = Duration::from_secs(config.root_refresh_seconds.max(1));
    let root = watch_root(chain.clone(), parsed.root.clone(), refresh).await?;
    for model in &parsed.models {
        if !root.borrow().allows_model(&model.name.model_hash()) {
            return Err(WorkerError::ModelNotListed(model.name.to_string()));
        }
    }
    let trust = Trust::load(&config.attestation, root.clone(), clock.clone())?;
    // Before anything is loaded into them, and before this worker has an identity to serve with.
    let attestation = config.attestation.clone();
    let gpus = off_thread(move || cocoon_runner::gpu::admit(&attestation));
    let gpus = Arc::new(gpus.await.map_err(|_| WorkerError::Task)??);
    let identities = Arc::new(IdentityKeeper::new(trust.evidence("worker"), clock.clone())?);
    let manager = match &config.key_manager {
        Some(manager) => Some(KeyManager::new(manager, identities.clone(), &trust, clock.clone())?),
        None => None,
    };
    let payouts = match &config.payout {
        Some(payout) => Some(Arc::new(Payouts::new(chain.clone(), payout, manager.as_ref()).await?)),
        None => None,
    };
    let (tracer, exporter) = Tracer::new(&config.telemetry, Hop::Worker, clock.clone(), network.clone())?;
    let workers = workers(&config, parsed, root, (clock.clone(), tracer), network.clone(), disk).await?;

    // Everything that runs ends with `tasks`; it is stopped only after the drain.
    let tasks = Shutdown::default();
    tasks.spawn(exporter.run(tasks.token().clone()));
    let pages = Pages {
        workers: workers.clone(),
        identities: identities.clone(),
        image: trust.own_image(&identities, clock.now()),
        clock: clock.clone(),
        chain: chain.clone(),
        live: Arc::new(Live::new(config.clone())),
        stop: shutdown.clone(),
        simulated: trust.is_simulated(),
        payouts: payouts.clone(),
        gpus,
    };
    let port = cocoon_runner::http::listen(network.as_ref(), config.http).await?;
    let operated = Arc::new(pages.clone());
    let router = router(pages);
    admin::start(&config.admin, operated, router.clone(), &tasks)?;
    let http = cocoon_runner::http::serve_on(port, router, tasks.token().clone())?;
    let connector = Connector::new(identities.clone(), trust.store(), trust.proxies(), clock).over(network);
    tasks.spawn_until_stop(identities.keep_fresh());
    let (fatal, mut failures) = mpsc::channel(1);
    let dialing = Dialing {
        connector: trust.dialing(connector),
        trust: trust.clone(),
        fatal,
    };
    if let Some(worker) = workers.first() {
        let (checkpoints, fatal) = (worker.store.checkpoints(), dialing.fatal.clone());
        tasks.spawn_until_stop(async move {
            let error = cocoon_runner::checkpoints::keep(checkpoints).await;
            // A full queue already holds an earlier failure.
            let _ = fatal.try_send(error.into());
        });
    }
    tasks.spawn_until_stop(trust.keep_current());
    if let Some(payouts) = payouts {
        tasks.spawn_until_stop(payouts.keep_looking(workers.clone()));
    }
    for worker in workers.iter() {
        tasks.spawn_until_stop(watch_health(worker.clone()));
        tasks.spawn_until_stop(keep_priced(worker.clone()));
        let choices = Choices::default();
        for _ in 0..config.proxy_connections {
            tasks.spawn_until_stop(keep_connected(worker.clone(), dialing.clone(), choices.clone()));
        }
    }
    let address = http.address();
    for worker in workers.iter() {
        tracing::info!(model = %worker.model, http = %address, "worker started");
    }
    let drain = Duration::from_secs(config.drain_seconds);
    let join = tokio::spawn(async move {
        let failure = tokio::select! {
            () = shutdown.cancelled() => None,
            Some(failure) = failures.recv() => Some(failure),
        };
        let stopped = stop(&workers, &tasks, http, drain).await;
        failure.map_or(stopped, Err)
    });
    Ok(RunningWorker { http: address, join })
}

/// Loads all models, after it is known that they fit together.
async fn workers(
    config: &WorkerConfig,
    parsed: Parsed,
    root: watch::Receiver<Arc<RootView>>,
    (clock, tracer): (SharedClock, Tracer),
    network: SharedNetwork,
    disk: SharedDisk,
) -> Result<Workers, WorkerError> {
    let data_dir = config.data_dir.clone();
    let store = off_thread(move || WorkerStore::open_on(disk, &data_dir));
    let shared = Shared {
        owner: parsed.owner,
        root,
        store: Arc::new(store.await.map_err(|_| WorkerError::Task)??),
        clock,
        proxy_connections: config.proxy_connections,
        tracer,
    };
    let models = config.models.clone();
    let loading = off_thread(move || loading::load_all(&network, &models, &parsed.models));
    let loaded = loading.await.map_err(|_| WorkerError::Task)??;
    let worker = |loading::Loaded {
                      model,
                      backend,
                      manifest_hash,
                  }| { Arc::new(Worker::new(shared.clone(), model, backend, manifest_hash)) };
    Ok(loaded.into_iter().map(worker).collect())
}

/// Takes no more work, lets what runs end, then closes everything.
async fn stop(workers: &[Arc<Worker>], tasks: &Shutdown, http: HttpServer, drain: Duration) -> Result<(), WorkerError> {
    for worker in workers {
        worker.switch.change(|state| state.draining = true);
    }
    let running = || {
        workers
            .iter()
            .map(|worker| worker.active_requests())
            .fold(0, usize::saturating_add)
    };
    tracing::info!(running = running(), "draining");
    let idle = async {
        for worker in workers {
            worker.idle().await;
        }
    };
    if tokio::time::timeout(drain, idle).await.is_err() {
        tracing::warn!(
            running = running(),
            "requests were still running at the end of the drain"
        );
    }
    tasks.stop();
    if let Drained::TimedOut { left } = tasks.drain(TASKS_END_TIMEOUT).await {
        tracing::warn!(left, "tasks did not end");
    }
    if let Some(worker) = workers.first() {
        cocoon_runner::checkpoints::last(worker.store.checkpoints()).await;
    }
    http.join().await?;
    tracing::info!("worker stopped");
    Ok(())
}

/// Looks at the backend, for ever.
async fn watch_health(worker: Arc<Worker>) {
    loop {
        let healthy = worker.backend.is_healthy().await;
        if healthy != worker.switch.state().healthy {
            tracing::info!(model = worker.model.base(), healthy, "the backend's health has changed");
        }
        worker.switch.change(|state| state.healthy = healthy);
        let (least, most) = HEALTH_PAUSE;
        tokio::time::sleep(least + (most - least).mul_f64(rand::random())).await;
    }
}
