//! The configuration of a client runner.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cocoon_bindings::units::Nanoton;
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles, WalletConfig};
use serde::{Deserialize, Serialize};

use crate::access::config::AccessConfig;
use crate::limits::{DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_REQUESTS, ROOT_REFRESH};

/// Everything that a client runner is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Where the OpenAI interface listens.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Receipts, channel heads and certificates.
    pub data_dir: PathBuf,
    /// File with the secret that identifies this client to its proxies; made when missing. Default: `secret` in the data
    /// directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Largest body of a request, bytes.
    #[serde(default = "default_max_body_bytes")]
    pub max_body_bytes: usize,
    /// Most requests at once; more get 429.
    #[serde(default = "default_max_requests")]
    pub max_requests: usize,
    /// Whether every answer that comes whole waits for its receipt, as `x-cocoon-receipt: wait` asks for one.
    #[serde(default)]
    pub wait_for_receipts: bool,
    /// Folder where each exchange is kept with its receipt, so that its owner can open it to a third party and replay it. Prompts and
    /// answers are kept nowhere without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosures_dir: Option<PathBuf>,
    /// Proxies at once. Requests go to the one that has the fewest; each needs a client contract of its own, with a stake.
    #[serde(default = "default_proxy_connections")]
    pub proxy_connections: u32,
    /// The chain and the root contract.
    pub chain: ChainConfig,
    /// The runner's wallet, which owns the client contracts.
    pub wallet: WalletConfig,
    /// How proxies are believed.
    #[serde(default)]
    pub attestation: AttestationConfig,
    /// Seconds between two looks at the root contract: so long may a revoked proxy stay connected.
    #[serde(default = "default_root_refresh")]
    pub root_refresh_seconds: u64,
    /// Whether and how the client contract is paid into by this runner. Without it nothing is ever sent for money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<FundingConfig>,
    /// The administration socket.
    #[serde(default, skip_serializing_if = "AdminConfig::is_default")]
    pub admin: AdminConfig,
    /// Where the published logs of proxies are, so that pages of receipts prove that a receipt is in its proxy's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogPlace>,
    /// Who may use the HTTP interface.
    #[serde(default, skip_serializing_if = "AccessConfig::is_default")]
    pub access: AccessConfig,
}

/// Where a proxy's published log is: at the proxy, at a mirror, at any web server. Its checkpoints must be signed by the key of the
/// proxy's contract, so whoever serves it can hold back but not lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// URL of the log, or an absolute path of a folder.
    pub url: String,
    /// Contract of the proxy; left out: of all proxies that have no place of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// How the client contract is kept funded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundingConfig {
    /// What a new contract gets, and what is added each time, nanoton as text.
    pub amount: Nanoton,
    /// Add when what is left, after everything used, is below this, nanoton as text.
    pub refill_below: Nanoton,
}

impl ClientConfig {
    /// The file with the secret.
    pub fn secret_path(&self) -> PathBuf {
        self.secret_file.clone().unwrap_or_else(|| self.data_dir.join("secret"))
    }

    /// The file with the API keys.
    pub fn keys_path(&self) -> PathBuf {
        let usual = || self.data_dir.join("keys.json");
        self.access.keys_file.clone().unwrap_or_else(usual)
    }
}

impl NamesFiles for ClientConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let own = std::iter::once(&mut self.data_dir).chain(&mut self.secret_file);
        let own = own.chain(&mut self.disclosures_dir).chain(&mut self.access.keys_file);
        let files = own.chain(self.chain.files_mut());
        let files = files.chain(self.attestation.files_mut());
        let files = files.chain(self.wallet.files_mut());
        files.chain(&mut self.admin.socket).collect()
    }

    fn loaded_from(&mut self, path: &Path) {
        self.admin.file = Some(path.to_owned());
    }
}

fn default_listen() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 10_000).into()
}

fn default_max_body_bytes() -> usize {
    DEFAULT_MAX_BODY_BYTES
}

fn default_proxy_connections() -> u32 {
    1
}

fn default_root_refresh() -> u64 {
    ROOT_REFRESH.as_secs()
}

fn default_max_requests() -> usize {
    DEFAULT_MAX_REQUESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        data_dir = "client"
        [chain]
        url = "http://127.0.0.1:8045"
        root = "0:00"
        [wallet]
        key_file = "wallet.key"
        owner = "0:00"
    "#;

    #[test]
    fn a_minimal_configuration_listens_locally_and_never_pays() {
        let config: ClientConfig = cocoon_runner::config::parse(Path::new("client.toml"), MINIMAL).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:10000");
        assert_eq!(config.funding, None);
        assert_eq!(config.secret_path(), Path::new("client/secret"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.toml");
        let chain = "[chain]\n        api_key_file = \"api.key\"";
        let text = MINIMAL
            .replace("[chain]", chain)
            .replace("key_file = \"w", "key_file = \"keys/w");
        let text = format!("secret_file = \"/etc/secret\"\n{text}\n[attestation]\npolicy = \"attestation.toml\"\n");
        std::fs::write(&path, text).unwrap();
        let config: ClientConfig = cocoon_runner::config::load(&path).unwrap();
        let inside = |name: &str| Some(folder.path().join(name));
        assert_eq!(Some(config.data_dir), inside("client"));
        assert_eq!(config.chain.api_key_file, inside("api.key"));
        assert_eq!(config.wallet.key_file, inside("keys/wallet.key"));
        assert_eq!(config.attestation.policy, inside("attestation.toml"));
        assert_eq!(config.secret_file.as_deref(), Some(Path::new("/etc/secret")));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = format!("attestaton = 1\n{MINIMAL}");
        assert!(cocoon_runner::config::parse::<ClientConfig>(Path::new("client.toml"), &text).is_err());
    }
}
