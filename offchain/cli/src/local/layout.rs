//! What lies where in the data folder of a local network.

use std::path::{Path, PathBuf};

/// The data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The folder at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Description of the network: addresses, URLs, folders.
    pub fn network_file(&self) -> PathBuf {
        self.0.join("network.json")
    }

    /// State of the local chain.
    pub fn chain_state_file(&self) -> PathBuf {
        self.0.join("chain.state")
    }

    /// The simulated TDX platform.
    pub fn platform_file(&self) -> PathBuf {
        self.0.join("simulated-platform.json")
    }

    /// A key.
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(format!("{name}.key"))
    }

    /// The built-in model, when it is the one that is used.
    pub fn tiny_model_dir(&self) -> PathBuf {
        self.0.join("model")
    }

    /// State of a runner.
    pub fn store_dir(&self, role: &str) -> PathBuf {
        self.0.join(role)
    }

    /// Configuration of a runner.
    pub fn config_file(&self, role: &str) -> PathBuf {
        self.0.join(format!("{role}.toml"))
    }

    /// Whether a network was made here before.
    pub fn holds_network(&self) -> bool {
        self.chain_state_file().exists()
    }
}
