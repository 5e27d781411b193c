//! Configuration of the local chain as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use cocoon_localnet::{Clock, LocalNetConfig, NetworkConfig};
use cocoon_runner::config::NamesFiles;
use serde::{Deserialize, Serialize};

/// The local chain as a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainFile {
    /// Where its HTTP API listens.
    pub listen: SocketAddr,
    /// Where the chain is saved.
    pub state_file: PathBuf,
}

impl NamesFiles for ChainFile {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.state_file]
    }
}

impl ChainFile {
    /// As the chain's own configuration.
    pub fn into_config(self) -> LocalNetConfig {
        LocalNetConfig {
            listen: self.listen,
            state_file: Some(self.state_file),
            network: NetworkConfig::default(),
            clock: Clock::System,
        }
    }
}
