//! The worker as a whole: start, run, drain, stop.

use crate::backend::{Backend, Local, Upstream};
use crate::config::{BackendConfig, WorkerConfig};
use crate::connect::{Taken, keep_connected};
use crate::error::WorkerError;
use crate::http::{Pages, router};
use crate::limits::{ENGINE_QUEUE, HEALTH_PAUSE};
use crate::payout::Payouts;
use crate::worker::Worker;
use cocoon_chain::{HttpApi, SharedChain, watch_root};
use cocoon_engine::{EngineHandle, EngineOptions, load_model, plan_memory};
use cocoon_manifest::ModelName;
use cocoon_ratls::{Connector, IdentityKeeper, SharedClock, SystemClock};
use cocoon_runner::http::HttpServer;
use cocoon_runner::shutdown::{Drained, Shutdown};
use cocoon_runner::trust::Trust;
use cocoon_store::WorkerStore;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A worker that runs.
pub struct RunningWorker {
    /// Where health, statistics and switches are.
    pub http: SocketAddr,
    /// Ends when the worker has stopped, after its drain.
    pub join: JoinHandle<Result<(), WorkerError>>,
}

/// Starts a worker; it stops, with a drain, when `shutdown` is cancelled.
pub async fn start(config: WorkerConfig, shutdown: CancellationToken) -> Result<RunningWorker, WorkerError> {
    let parsed = config.parse()?;
    let clock = SystemClock::shared();
    let chain = chain(&config).await?;
    let refresh = Duration::from_secs(config.root_refresh_seconds.max(1));
    let root = watch_root(chain.clone(), parsed.root.clone(), refresh).await?;
    if !root.borrow().allows_model(&parsed.model.model_hash()) {
        return Err(WorkerError::ModelNotListed(parsed.model.to_string()));
    }
    let trust = Trust::load(&config.attestation, root.clone(), clock.clone())?;
    let identities = Arc::new(IdentityKeeper::new(trust.evidence("worker"), clock.clone())?);
    let (backend, manifest_hash) = backend(&config.backend, &parsed.model).await?;
    let payouts = config
        .payout
        .as_ref()
        .map(|payout| Payouts::new(chain, payout))
        .transpose()?
        .map(Arc::new);
    let data_dir = config.data_dir.clone();
    let store = tokio::task::spawn_blocking(move || WorkerStore::open(&data_dir));
    let store = Arc::new(store.await.map_err(|_| WorkerError::Task)??);
    let worker = Arc::new(Worker::new(&config, parsed, root, backend, store));

    // Everything that runs ends with `tasks`; it is stopped only after the drain.
    let tasks = Shutdown::default();
    let pages = Pages {
        worker: worker.clone(),
        identities: identities.clone(),
        image_hash: image_hash(&trust, &identities, &clock),
        simulated: trust.is_simulated(),
        manifest_hash,
        payouts: payouts.clone(),
    };
    let http = cocoon_runner::http::serve(config.http, router(pages), tasks.token().clone()).await?;
    let connector = Connector::new(identities.clone(), trust.store(), trust.proxies(), clock);
    tasks.spawn_until_stop(identities.keep_fresh());
    tasks.spawn_until_stop(trust.keep_current());
    tasks.spawn_until_stop(watch_health(worker.clone()));
    if let Some(payouts) = payouts {
        tasks.spawn_until_stop(payouts.keep_looking(worker.clone()));
    }
    let taken = Taken::default();
    for _ in 0..config.proxy_connections {
        tasks.spawn_until_stop(keep_connected(worker.clone(), connector.clone(), taken.clone()));
    }
    let address = http.address();
    tracing::info!(model = %worker.model, http = %address, "worker started");
    let drain = Duration::from_secs(config.drain_seconds);
    let join = tokio::spawn(async move {
        shutdown.cancelled().await;
        stop(&worker, &tasks, http, drain).await
    });
    Ok(RunningWorker { http: address, join })
}

/// Takes no more work, lets what runs end, then closes everything.
async fn stop(worker: &Worker, tasks: &Shutdown, http: HttpServer, drain: Duration) -> Result<(), WorkerError> {
    worker.switch.change(|state| state.draining = true);
    tracing::info!(running = worker.active_requests(), "draining");
    if tokio::time::timeout(drain, worker.idle()).await.is_err() {
        tracing::warn!(
            running = worker.active_requests(),
            "requests were still running at the end of the drain"
        );
    }
    tasks.stop();
    if let Drained::TimedOut { left } = tasks.drain(Duration::from_secs(5)).await {
        tracing::warn!(left, "tasks did not end");
    }
    http.join().await?;
    tracing::info!("worker stopped");
    Ok(())
}

async fn chain(config: &WorkerConfig) -> Result<SharedChain, WorkerError> {
    let key = match &config.chain.api_key_file {
        Some(path) => {
            let text = tokio::fs::read_to_string(path).await;
            let problem = "must be a file that can be read";
            Some(text.map_err(|_| WorkerError::Config {
                key: "chain.api_key_file",
                problem,
            })?)
        }
        None => None,
    };
    Ok(Arc::new(HttpApi::new(
        &config.chain.url,
        key.as_deref().map(str::trim),
    )?))
}

/// Makes the backend; for the engine also the hash of the model's manifest.
async fn backend(config: &BackendConfig, name: &ModelName) -> Result<(Backend, Option<String>), WorkerError> {
    match config {
        BackendConfig::Upstream { url } => Ok((Backend::Upstream(Upstream::new(url)?), None)),
        BackendConfig::Engine(engine) => {
            let options = engine.options();
            let (folder, full) = (engine.folder.clone(), name.clone());
            let load = tokio::task::spawn_blocking(move || load(&folder, options, full));
            let (engine, hash) = load.await.map_err(|_| WorkerError::Task)??;
            Ok((Backend::Local(Local::new(engine, name.base().to_owned())), hash))
        }
    }
}

fn load(folder: &Path, options: EngineOptions, name: ModelName) -> Result<(EngineHandle, Option<String>), WorkerError> {
    let plan = plan_memory(folder, &options)?;
    tracing::info!(%plan, "memory");
    let model = load_model(folder, options)?;
    let hash = match model.manifest(name) {
        Ok(manifest) => Some(manifest.hash().to_string()),
        Err(error) => {
            tracing::warn!(%error, "the model has no manifest");
            None
        }
    };
    tracing::info!(parameters = model.card().parameters, manifest = ?hash, "model loaded");
    Ok((EngineHandle::spawn(model.into_engine(), ENGINE_QUEUE)?, hash))
}

/// The own image, as a peer computes it from the certificate.
fn image_hash(trust: &Trust, identities: &IdentityKeeper, clock: &SharedClock) -> Option<String> {
    let certificate = identities.peek();
    let policy = cocoon_ratls::PeerPolicy::attested(|_| true);
    let own = cocoon_ratls::verify_certificate(certificate.certificate_der(), &trust.store(), &policy, clock.now());
    own.ok()?.image_hash.map(|hash| hash.to_string())
}

/// Looks at the backend, for ever.
async fn watch_health(worker: Arc<Worker>) {
    loop {
        let healthy = worker.backend.is_healthy().await;
        if healthy != worker.switch.state().healthy {
            tracing::info!(healthy, "the backend's health has changed");
        }
        worker.switch.change(|state| state.healthy = healthy);
        let (least, most) = HEALTH_PAUSE;
        tokio::time::sleep(least + (most - least).mul_f64(rand::random())).await;
    }
}
