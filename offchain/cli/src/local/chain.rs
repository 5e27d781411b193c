//! Configuration of the local chain as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cocoon_localnet::{Clock, LocalNetConfig, NetworkConfig};
use cocoon_runner::config::NamesFiles;
use serde::{Deserialize, Serialize};

/// The local chain as a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainFile {
    /// Where its HTTP API listens.
    pub listen: SocketAddr,
    /// Where the chain is saved, with a journal beside it.
    pub state_file: PathBuf,
    /// Where its lite server listens; without, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lite_listen: Option<SocketAddr>,
    /// Time at which a new chain starts, in seconds since 1970; it then moves only when told. Without, it is the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<u32>,
    /// Seconds between empty blocks; without, only messages make blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_interval: Option<u32>,
}

impl NamesFiles for ChainFile {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.state_file]
    }
}

impl ChainFile {
    /// A chain with the system's time and a block for each message.
    pub fn new(listen: SocketAddr, state_file: PathBuf) -> Self {
        Self {
            listen,
            state_file,
            lite_listen: None,
            start_time: None,
            block_interval: None,
        }
    }

    /// As the chain's own configuration.
    pub fn into_config(self) -> LocalNetConfig {
        LocalNetConfig {
            listen: self.listen,
            state_file: Some(self.state_file),
            network: NetworkConfig::default(),
            clock: self.start_time.map_or(Clock::System, Clock::Manual),
            block_interval: self.block_interval.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}
