//! Configuration files: TOML, unknown keys refused, errors that name file, line and key. Paths inside are relative to the
//! file's folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cocoon_guest::{Endpoint, GpuDemand};
use ed25519_dalek::SigningKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::RunnerError;
use crate::limits::MAX_CONFIG_BYTES;
use crate::seal::{DerivedKey, KeyManager, ManagedKey};

/// A configuration that names files. [`load`] asks for them, so that none is taken relative to something else.
pub trait NamesFiles {
    /// Every path inside, sockets in the file system included.
    fn files_mut(&mut self) -> Vec<&mut PathBuf>;

    /// Takes note of the file that it was read from.
    fn loaded_from(&mut self, _path: &Path) {}
}

/// Where the chain is and which root contract rules the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// URL of a TON HTTP API, such as `http://127.0.0.1:8045/api/v2/jsonRPC`, or `https://toncenter.com/api/v3` for version 3.
    /// It may be left out where `endpoints` names servers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Address of the root contract, raw or user-friendly.
    pub root: String,
    /// File with the API key, if the API at `url` wants one. A key goes only over https, or to this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// More servers of the same chain. The best is asked, the next one when it fails (docs/chain.md).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointConfig>,
    /// File in the form of TON's global configuration: lite servers, and the block from which everything is proven. Instead
    /// of `url` and `endpoints`, of which nothing is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_config: Option<PathBuf>,
}

/// One server of the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Its URL, as in `[chain]`.
    pub url: String,
    /// File with its API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// Requests a second that it allows. Left out: as many as come up, until it says that they are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// File with the root certificates (PEM) of a private authority that signs its certificate. Left out: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl NamesFiles for ChainConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let servers = self.endpoints.iter_mut();
        let of_servers = servers.flat_map(|server| server.api_key_file.iter_mut().chain(&mut server.ca_file));
        let own = self.api_key_file.iter_mut().chain(&mut self.global_config);
        own.chain(of_servers).collect()
    }
}

/// How this runner proves what it is and what it believes of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationConfig {
    /// Where this runner's own evidence comes from.
    #[serde(default, skip_serializing_if = "EvidenceKind::is_auto")]
    pub evidence: EvidenceKind,
    /// Where the host's quoting service listens, if not at `vsock:host:4050`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qgs: Option<Endpoint>,
    /// Where a simulator listens (`cocoon simulator run`), for own evidence on a test network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator: Option<Endpoint>,
    /// Public half of a simulated platform, which `cocoon simulator run` writes: enough to believe peers on it. It counts
    /// only while the root contract is a test one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated_trust: Option<PathBuf>,
    /// File with the registers that this guest asks the simulator to attest, instead of those of a named image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated_registers: Option<PathBuf>,
    /// File of a simulated TDX platform. It counts only while the root contract is a test one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated_platform: Option<PathBuf>,
    /// Name of the simulated image that this runner pretends to run, instead of its role's. Only with a simulated
    /// platform: images of real hardware are measured, not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated_image: Option<String>,
    /// File with Intel's collateral for quotes of peers, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collateral: Option<PathBuf>,
    /// Service that collateral is fetched from in the background. Off unless named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collateral_service: Option<CollateralServiceConfig>,
    /// File with what is asked of peers beyond the network's rules (`attestation.toml`, see docs/attestation.md).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PathBuf>,
    /// What is asked of this guest's accelerators before a worker serves: `off`, `required` (confidential mode, by the word of
    /// the driver), or `measured` (proven by the `[gpu]` of the policy). All but `off` need a build with the feature `nvml`.
    #[serde(default, skip_serializing_if = "GpuDemand::is_off")]
    pub gpu: GpuDemand,
    /// SOCKS5 port of a router on this machine that ends attested TLS for this runner, such as `127.0.0.1:8116`. A worker or
    /// client dials through it; a proxy takes plain connections on its ports, which must then be loopback ones. Such a runner
    /// gives no receipts and proves no session: certificate and session are the router's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<SocketAddr>,
    /// Talk only to peers that prove the TLS session with their leaf key (protocol version 4). Deployed peers cannot, so
    /// they are refused; without it a proof is asked of every peer that knows how.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_session_proof: bool,
}

impl NamesFiles for AttestationConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let files = [
            &mut self.simulated_platform,
            &mut self.simulated_trust,
            &mut self.simulated_registers,
            &mut self.collateral,
            &mut self.policy,
        ];
        let endpoints = [&mut self.qgs, &mut self.simulator];
        let sockets = endpoints.into_iter().flatten().filter_map(|endpoint| match endpoint {
            Endpoint::Unix(path) => Some(path),
            Endpoint::Vsock { .. } | Endpoint::Tcp(_) => None,
        });
        let service = self.collateral_service.as_mut();
        let cache = service.and_then(|service| service.cache.as_mut());
        files.into_iter().flatten().chain(sockets).chain(cache).collect()
    }
}

/// Where collateral comes from: Intel's service or a caching one, version 4 of its API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollateralServiceConfig {
    /// URL up to `/sgx/` and `/tdx/`. Left out: `https://api.trustedservices.intel.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// URL of the list of revoked authorities. Left out: Intel's for Intel's service, else `rootcacrl` of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_crl: Option<String>,
    /// Families to fetch before a peer shows them, such as `90c06f000000` or `90c06f000000/processor`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fmspc: Vec<String>,
    /// Allows `http://` to another machine, such as the host of this guest (10.0.2.2 in QEMU). Whoever is on the way can then
    /// hold back news for as long as documents live.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain_http: bool,
    /// Folder to keep it in, so that a restart asks nobody. Left out: memory only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
}

/// Where a runner's own evidence comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// A simulation that is configured, else the kernel, else the host's quoting service, else none.
    #[default]
    Auto,
    /// The kernel of a TDX guest (configfs-tsm).
    Configfs,
    /// The host's quoting service.
    Qgs,
    /// A simulator or a simulated platform.
    Simulated,
    /// No evidence: an ordinary client.
    None,
}

impl EvidenceKind {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Who signs for this runner on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletConfig {
    /// Key file of the runner's wallet contract. One of `key_file`, `derived` and `managed` must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The wallet's key is derived from a secret of the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<DerivedKey>,
    /// A key manager gives the wallet's key to this node's image; needs `[key_manager]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedKey>,
    /// Address of the human owner, who stays in control of the wallet.
    pub owner: String,
}

impl WalletConfig {
    /// The wallet's key, for a runner of a role ("worker", "proxy", "client"); `manager` is asked for a managed one.
    pub async fn key(&self, role: &str, manager: Option<&KeyManager>) -> Result<SigningKey, RunnerError> {
        match (&self.key_file, &self.derived, &self.managed) {
            (Some(file), None, None) => crate::keys::load_key(file),
            (None, Some(derived), None) => derived.load(role, "wallet"),
            (None, None, Some(managed)) => managed.load(manager, role, "wallet").await,
            _ => Err(RunnerError::ConfigValue {
                key: "wallet".to_owned(),
                problem: "one of key_file, derived and managed must be there".to_owned(),
            }),
        }
    }
}

impl NamesFiles for WalletConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let derived = self.derived.as_mut().map(|derived| &mut derived.secret_file);
        let managed = self.managed.as_mut().map(|managed| &mut managed.secret_file);
        self.key_file.iter_mut().chain(derived).chain(managed).collect()
    }
}

/// Reads a configuration; relative paths inside are taken relative to its folder.
pub fn load<T: DeserializeOwned + NamesFiles>(path: &Path) -> Result<T, RunnerError> {
    let text = read_small(path, "configuration", MAX_CONFIG_BYTES)?;
    let mut config: T = parse(path, &text)?;
    for inside in config.files_mut() {
        *inside = resolve(path, inside);
    }
    config.loaded_from(path);
    Ok(config)
}

/// Parses the text of a configuration, with paths as they are written; `path` is for the error only.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, RunnerError> {
    toml::from_str(text).map_err(|error| RunnerError::Config {
        path: path.to_path_buf(),
        message: error.to_string().trim_end().into(),
    })
}

/// A path of a configuration, taken relative to the folder of the configuration file.
pub fn resolve(config_file: &Path, path: &Path) -> PathBuf {
    match config_file.parent() {
        Some(folder) if path.is_relative() => folder.join(path),
        _ => path.to_path_buf(),
    }
}

/// Reads a text file that must not be larger than `limit`.
pub(crate) fn read_small(path: &Path, kind: &'static str, limit: u64) -> Result<String, RunnerError> {
    let unreadable = |source| RunnerError::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > limit {
        return Err(RunnerError::TooLarge {
            path: path.to_path_buf(),
            kind,
            length,
            limit,
        });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_key_is_refused_with_file_line_and_key() {
        let text = "url = \"http://127.0.0.1:1\"\nroot = \"0:00\"\nrooot = 1\n";
        let error = parse::<ChainConfig>(Path::new("proxy.toml"), text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("proxy.toml: "), "{error}");
        assert!(error.contains("line 3"), "{error}");
        assert!(error.contains("rooot"), "{error}");
    }

    #[test]
    fn wrong_type_names_the_key() {
        let error = parse::<ChainConfig>(Path::new("a.toml"), "url = 5\nroot = \"x\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1") && error.contains("url"), "{error}");
    }

    #[tokio::test]
    async fn a_wallet_has_a_key_file_or_a_derived_key_and_not_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        crate::keys::load_or_create_key(&path).unwrap();
        let owner = "owner = \"0:00\"\n";
        let file = format!("key_file = {path:?}\n");
        let derived = format!("derived = {{ secret_file = {path:?}, node = \"a\" }}\n");
        let wallet = |text: &str| parse::<WalletConfig>(Path::new("worker.toml"), text).unwrap();
        let from_file = wallet(&format!("{owner}{file}")).key("worker", None).await.unwrap();
        let from_secret = wallet(&format!("{owner}{derived}")).key("worker", None).await.unwrap();
        assert_ne!(from_file, from_secret);
        for text in [owner.to_owned(), format!("{owner}{file}{derived}")] {
            let refused = wallet(&text).key("worker", None).await;
            assert!(matches!(refused, Err(RunnerError::ConfigValue { .. })), "{text}");
        }
    }

    #[test]
    fn missing_file_is_named() {
        let error = load::<ChainConfig>(Path::new("/nowhere/proxy.toml")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nowhere/proxy.toml");
    }

    #[test]
    fn every_path_of_attestation_and_wallet_is_relative_to_the_configuration() {
        #[derive(Deserialize)]
        struct Both {
            attestation: AttestationConfig,
            wallet: WalletConfig,
        }
        impl NamesFiles for Both {
            fn files_mut(&mut self) -> Vec<&mut PathBuf> {
                let mut files = self.attestation.files_mut();
                files.extend(self.wallet.files_mut());
                files
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runner.toml");
        let text = r#"
            [attestation]
            qgs = "unix:p/qgs"
            simulator = "unix:p/simulator"
            simulated_platform = "p/platform"
            simulated_trust = "p/trust"
            simulated_registers = "p/registers"
            collateral = "p/collateral"
            collateral_service = { cache = "p/cache" }
            policy = "p/policy"
            [wallet]
            key_file = "p/key"
            derived = { secret_file = "p/secret", node = "a" }
            managed = { policy = "workers", node = "a", secret_file = "p/managed" }
            owner = "0:00"
        "#;
        std::fs::write(&path, text).unwrap();
        let mut both: Both = load(&path).unwrap();
        let expected = folder.path().join("p");
        let files = both.files_mut();
        assert_eq!(files.len(), text.matches("p/").count());
        for file in files {
            assert_eq!(file.parent(), Some(&*expected), "{}", file.display());
        }
    }

    #[test]
    fn paths_are_relative_to_the_configuration() {
        assert_eq!(
            resolve(Path::new("/a/b.toml"), Path::new("c/key")),
            Path::new("/a/c/key")
        );
        assert_eq!(
            resolve(Path::new("/a/b.toml"), Path::new("/c/key")),
            Path::new("/c/key")
        );
    }
}
