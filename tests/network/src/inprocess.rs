//! A whole network in the process of the test: quick to start, and gone with the test.

use cocoon_cli::local::{LocalNetwork, LocalOptions};
use tempfile::TempDir;

use crate::{Failure, api::Api, failed, next_instance};

/// Chain, contracts, proxy, worker with the built-in model, and client.
pub struct Network {
    local: LocalNetwork,
    api: Api,
    _dir: TempDir,
}

impl Network {
    /// Starts one and waits until a question can be asked.
    pub async fn start() -> Result<Self, Failure> {
        let dir = TempDir::new().map_err(failed("making a folder"))?;
        let mut options = LocalOptions::new(dir.path().join("network"));
        options.instance = next_instance();
        let local = LocalNetwork::start(options, |_| {})
            .await
            .map_err(|failure| Failure::new(format!("starting the network: {}", failure.render(true))))?;
        let api = Api::new(&local.file().client_url).map_err(failed("making an HTTP client"))?;
        Ok(Self { local, api, _dir: dir })
    }

    /// Its OpenAI interface.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The model that it serves.
    pub fn model(&self) -> &str {
        &self.local.file().model
    }

    /// The network itself.
    pub fn local(&self) -> &LocalNetwork {
        &self.local
    }

    /// Drains and stops it.
    pub async fn stop(self) -> Result<(), Failure> {
        let stopped = self.local.shutdown().await;
        stopped.map_err(|failure| Failure::new(format!("stopping the network: {}", failure.render(true))))
    }
}
