//! A whole network in the process of the test: quick to start, and gone with the test.

use std::path::{Path, PathBuf};

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
        Self::start_with(|_, _| Ok(())).await
    }

    /// Starts one with other options, which may name folders inside the one that they are given.
    pub async fn start_with(
        set: impl FnOnce(&Path, &mut LocalOptions) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let dir = TempDir::new().map_err(failed("making a folder"))?;
        let mut options = LocalOptions::new(dir.path().join("network"));
        options.instance = next_instance();
        set(dir.path(), &mut options)?;
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

/// Writes the tiny model into `parent`/`name` as one that makes vectors: its states' mean, brought to length 1.
pub fn write_embedding_model(parent: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = parent.join(name);
    let write = || {
        cocoon_engine::tiny::write_to(&folder)?;
        let modules = serde_json::json!([
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ]);
        std::fs::write(folder.join("modules.json"), modules.to_string())?;
        std::fs::create_dir_all(folder.join("1_Pooling"))?;
        std::fs::write(folder.join("1_Pooling/config.json"), r#"{"pooling_mode": "mean"}"#)
    };
    write().map_err(failed("writing a model"))?;
    Ok(folder)
}
