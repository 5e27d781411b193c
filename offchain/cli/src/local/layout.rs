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
    pub fn demo_model_dir(&self) -> PathBuf {
        self.0.join("model")
    }

    /// State of a runner.
    pub fn store_dir(&self, role: &str) -> PathBuf {
        self.0.join(role)
    }

    /// The log that the proxy publishes.
    pub fn log_dir(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Configuration of a runner.
    pub fn config_file(&self, role: &str) -> PathBuf {
        self.0.join(format!("{role}.toml"))
    }

    /// Held locked by the process that runs the network.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Makes the folder if there is none; its path is absolute from then on.
    pub fn create(&self) -> std::io::Result<Self> {
        std::fs::create_dir_all(&self.0)?;
        self.0.canonicalize().map(Self)
    }

    /// Removes everything that belongs to a network; what else lies in the folder stays.
    pub fn clear(&self) -> std::io::Result<()> {
        let state = self.chain_state_file();
        let journal = cocoon_localnet::journal_beside(&state);
        let files = [self.network_file(), state, journal, self.platform_file()];
        let configs = ["chain", "proxy", "worker", "client"].map(|part| self.config_file(part));
        let folders = ["keys", "proxy", "log", "worker", "client", "model"].map(|folder| self.0.join(folder));
        for path in files.iter().chain(&configs) {
            remove(std::fs::remove_file(path))?;
        }
        folders
            .iter()
            .try_for_each(|path| remove(std::fs::remove_dir_all(path)))
    }

    /// Whether a network was made here before.
    pub fn holds_network(&self) -> bool {
        self.chain_state_file().exists()
    }
}

/// What is not there needs no removal.
fn remove(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_leaves_what_is_not_of_a_network() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::new(folder.path());
        std::fs::create_dir(data.store_dir("proxy")).unwrap();
        std::fs::write(data.chain_state_file(), "x").unwrap();
        std::fs::write(folder.path().join("chain.state.journal"), "x").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        data.clear().unwrap();
        data.clear().unwrap();
        assert!(!data.holds_network() && !data.store_dir("proxy").exists());
        assert!(!folder.path().join("chain.state.journal").exists());
        assert!(folder.path().join("notes.txt").exists());
    }
}
