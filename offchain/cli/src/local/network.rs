//! `network.json`: what the other commands need to know about a local network.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::DataDir;
use super::ports::Ports;
use crate::failure::{Exit, Failure, OrFail as _};

/// A local network as it was last started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// Always true: the TDX platform and the chain of a local network are simulated.
    pub simulated: bool,
    /// Which of several networks on one machine, as `--instance` says.
    pub instance: u16,
    /// Where the parts listen.
    pub ports: Ports,
    /// URL of the chain's JSON-RPC.
    pub chain_url: String,
    /// State of the chain, readable after it has stopped.
    pub chain_state_file: PathBuf,
    /// Root contract.
    pub root: String,
    /// The proxy's contract.
    pub proxy_contract: String,
    /// The client's contract at that proxy.
    pub client_contract: String,
    /// The worker's contract at that proxy.
    pub worker_contract: String,
    /// Who owns the root contract.
    pub governor: String,
    /// Who owns the proxy.
    pub proxy_owner: String,
    /// Who owns the worker.
    pub worker_owner: String,
    /// Who owns the client.
    pub client_owner: String,
    /// The client runner's wallet, which owns the client contract.
    pub client_wallet: String,
    /// The proxy runner's wallet.
    pub proxy_wallet: String,
    /// The worker runner's wallet.
    pub worker_wallet: String,
    /// Name of the model, as clients give it.
    pub model: String,
    /// Full name of the model, whose hash is in the root contract.
    pub deployed_model: String,
    /// Names of all models; the first one is that above.
    #[serde(default)]
    pub models: Vec<String>,
    /// The client's URL.
    pub client_url: String,
    /// The proxy's HTTP URL.
    pub proxy_url: String,
    /// The worker's HTTP URL.
    pub worker_url: String,
    /// State and receipts of the proxy.
    pub proxy_store_dir: PathBuf,
    /// State and receipts of the client.
    pub client_store_dir: PathBuf,
    /// State of the worker.
    pub worker_store_dir: PathBuf,
}

impl NetworkFile {
    /// Reads the description of the network in `data`.
    pub fn load(data: &DataDir) -> Result<Self, Failure> {
        let path = data.network_file();
        let text = std::fs::read(&path).or_fail(
            Exit::Configuration,
            &format!("no local network in {}", data.path().display()),
            "start one with `cocoon up`, or name its folder with --data-dir",
        )?;
        serde_json::from_slice(&text).or_fail(
            Exit::Configuration,
            &format!("{} is damaged", path.display()),
            "start over with `cocoon up --fresh`",
        )
    }

    /// Writes it, atomically.
    pub fn save(&self, data: &DataDir) -> Result<(), Failure> {
        let path = data.network_file();
        let part = path.with_extension("json.part");
        let text = serde_json::to_vec_pretty(self).map_err(anyhow::Error::from)?;
        std::fs::write(&part, text)
            .and_then(|()| std::fs::rename(&part, &path))
            .or_fail(
                Exit::Configuration,
                &format!("cannot write {}", path.display()),
                "check the permissions and the free space of the data folder",
            )
    }
}
