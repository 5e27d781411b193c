//! One more worker beside the one of a local network, with an image of its own.

use std::time::{Duration, Instant};

use cocoon_cli::local::LocalNetwork;
use cocoon_worker::{BackendConfig, RunningWorker, WorkerConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{Failure, failed};

/// Longest time for a worker to come in or to be thrown out: a look at the root contract and a pause before redialing.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A worker in this process.
pub struct ExtraWorker {
    running: RunningWorker,
    stop: CancellationToken,
    http: reqwest::Client,
}

impl ExtraWorker {
    /// Starts one that pretends to run `image` and belongs to `owner`; the upstream at `url` answers.
    pub async fn start(network: &LocalNetwork, image: &str, owner: &str, url: String) -> Result<Self, Failure> {
        let path = network.data().config_file("worker");
        let mut config: WorkerConfig = cocoon_runner::config::load(&path).map_err(failed("reading worker.toml"))?;
        config.attestation.simulated_image = Some(image.to_owned());
        config.owner = owner.to_owned();
        config.data_dir = network.data().path().join("worker-of-a-new-image");
        config.http = ([127, 0, 0, 1], 0).into();
        // The socket in the file is the first worker's.
        config.admin = cocoon_runner::admin::AdminConfig::default();
        config.models[0].backend = BackendConfig::Upstream { url };
        let stop = CancellationToken::new();
        let running = cocoon_worker::start(config, stop.clone())
            .await
            .map_err(failed("starting a worker"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(failed("making an HTTP client"))?;
        Ok(Self { running, stop, http })
    }

    /// A page of it.
    pub async fn page(&self, path: &str) -> Result<Value, Failure> {
        let url = format!("http://{}{path}", self.running.http);
        let answer = self.http.get(url).send().await.map_err(failed("asking a worker"))?;
        answer.json().await.map_err(failed("reading a worker's page"))
    }

    /// Connections to proxies that serve.
    pub async fn connections(&self) -> Result<u64, Failure> {
        let health = self.page("/health").await?;
        Ok(health["proxy_connections"].as_u64().unwrap_or(0))
    }

    /// Waits until it has as many connections; says how long that took.
    pub async fn until_connections(&self, wanted: u64) -> Result<Duration, Failure> {
        let started = Instant::now();
        while self.connections().await? != wanted {
            if started.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the worker never had {wanted} connections")));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(started.elapsed())
    }

    /// Stops it.
    pub async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        let ended = self.running.join.await.map_err(failed("stopping a worker"))?;
        ended.map_err(failed("stopping a worker"))
    }
}
