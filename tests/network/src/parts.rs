//! A local network of chosen runners in the process of the test: whoever is left out, a story plays itself.

use std::path::Path;

use cocoon_cli::local::{LocalNetwork, LocalOptions, network::NetworkFile};
use cocoon_client::{ClientConfig, RunningClient};
use cocoon_proxy::{ProxyConfig, RunningProxy};
use cocoon_worker::{BackendConfig, RunningWorker, WorkerConfig};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Failure, api::Api, failed, next_instance, stranger::Stranger};

/// Bits of work for a connection: a defence that stories need not wait for.
const CHEAP_WORK: u32 = 4;

/// Chain and contracts, and the runners that were started.
pub struct Parts {
    local: LocalNetwork,
    dir: TempDir,
    stop: CancellationToken,
    /// Stops the runners of a story that fails, too.
    _stops: DropGuard,
}

impl Parts {
    /// Chain and contracts, and no runner yet.
    pub async fn deploy() -> Result<Self, Failure> {
        let dir = TempDir::new().map_err(failed("making a folder"))?;
        let mut options = LocalOptions::new(dir.path().join("network"));
        options.instance = next_instance();
        options.only_chain = true;
        let local = LocalNetwork::start(options, |_| {})
            .await
            .map_err(|failure| Failure::new(format!("starting the network: {}", failure.render(true))))?;
        let stop = CancellationToken::new();
        Ok(Self {
            local,
            dir,
            _stops: stop.clone().drop_guard(),
            stop,
        })
    }

    /// What it is made of.
    pub fn network(&self) -> &NetworkFile {
        self.local.file()
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The proxy's configuration.
    pub fn proxy_config(&self) -> Result<ProxyConfig, Failure> {
        let path = self.local.data().config_file("proxy");
        ProxyConfig::load(&path).map_err(failed("reading proxy.toml"))
    }

    /// Starts the proxy.
    pub async fn start_proxy(&self) -> Result<RunningProxy, Failure> {
        let mut config = self.proxy_config()?;
        config.pow_difficulty = CHEAP_WORK;
        cocoon_proxy::start(config, self.stop.child_token())
            .await
            .map_err(failed("starting the proxy"))
    }

    /// Starts the worker; a server at `url` answers for it.
    pub async fn start_worker(&self, url: String) -> Result<RunningWorker, Failure> {
        let path = self.local.data().config_file("worker");
        let mut config: WorkerConfig = cocoon_runner::config::load(&path).map_err(failed("reading worker.toml"))?;
        for model in &mut config.models {
            model.backend = BackendConfig::Upstream { url: url.clone() };
        }
        cocoon_worker::start(config, self.stop.child_token())
            .await
            .map_err(failed("starting the worker"))
    }

    /// Starts the client; its interface answers from then on, whether it has a proxy or not.
    pub async fn start_client(&self, set: impl FnOnce(&mut ClientConfig)) -> Result<(RunningClient, Api), Failure> {
        let path = self.local.data().config_file("client");
        let mut config: ClientConfig = cocoon_runner::config::load(&path).map_err(failed("reading client.toml"))?;
        set(&mut config);
        let client = cocoon_client::start(config, self.stop.child_token())
            .await
            .map_err(failed("starting the client"))?;
        let api = Api::new(&format!("http://{}", client.address())).map_err(failed("making an HTTP client"))?;
        Ok((client, api))
    }

    /// The secret by which the client's contract knows it; there once the client has been started.
    pub fn client_secret(&self) -> Result<Vec<u8>, Failure> {
        let path = self.local.data().config_file("client");
        let config: ClientConfig = cocoon_runner::config::load(&path).map_err(failed("reading client.toml"))?;
        std::fs::read(config.secret_path()).map_err(failed("reading the client's secret"))
    }

    /// Somebody who knows this network.
    pub fn stranger(&self) -> Result<Stranger, Failure> {
        let platform = std::fs::read_to_string(self.local.data().platform_file()).map_err(failed("reading a file"))?;
        Stranger::new(&platform, &self.proxy_config()?)
    }

    /// Stops the runners, each in its own time, and the chain.
    pub async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        let stopped = self.local.shutdown().await;
        stopped.map_err(|failure| Failure::new(format!("stopping the network: {}", failure.render(true))))
    }
}
