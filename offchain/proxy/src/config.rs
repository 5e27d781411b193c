//! The configuration of a proxy.

mod routing;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cocoon_ledger::Thresholds;
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles, WalletConfig};
use cocoon_runner::seal::{KeyManagerConfig, ManagedKey};
use cocoon_runner::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};

use crate::anchor::AnchorConfig;
use crate::challenge::ChallengeConfig;
use crate::error::ProxyError;
use crate::outage::OutageConfig;
use crate::publish::LogConfig;

pub use routing::RoutingConfig;

/// Everything that a proxy is told. TOML; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// Folder of the database, the receipt log and the evidence. Belongs to one proxy.
    pub store_dir: PathBuf,
    /// Key file of the proxy's contract, which signs vouchers and receipts; not with `contract_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_key_file: Option<PathBuf>,
    /// A key manager gives the contract's key to this proxy's image, so that no operator knows it; not with
    /// `contract_key_file`, and it needs `[key_manager]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_key: Option<ManagedKey>,
    /// The key manager of managed keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_manager: Option<KeyManagerConfig>,
    /// The chain and the root contract.
    pub chain: ChainConfig,
    /// The wallet that sends the proxy's messages; its owner owns the proxy contract too.
    pub wallet: WalletConfig,
    /// What this proxy proves of itself and believes of workers.
    #[serde(default)]
    pub attestation: AttestationConfig,
    /// Where it listens.
    #[serde(default)]
    pub listen: Listen,
    /// Bits of the proof of work that a connection costs: 20, as deployed.
    #[serde(default = "default_difficulty")]
    pub pow_difficulty: u32,
    /// When things happen.
    #[serde(default)]
    pub timers: Timers,
    /// From which amounts on vouchers are submitted to the chain.
    #[serde(default)]
    pub settlement: Thresholds,
    /// How requests are given to workers.
    #[serde(default)]
    pub routing: RoutingConfig,
    /// What is served while the chain cannot be reached.
    #[serde(default)]
    pub outage: OutageConfig,
    /// Checkpoints of the receipt log on chain.
    #[serde(default)]
    pub anchor: AnchorConfig,
    /// Answers that are asked for once more at another worker.
    #[serde(default, skip_serializing_if = "ChallengeConfig::is_default")]
    pub challenge: ChallengeConfig,
    /// The published log.
    #[serde(default, skip_serializing_if = "LogConfig::is_default")]
    pub log: LogConfig,
    /// The administration socket.
    #[serde(default, skip_serializing_if = "AdminConfig::is_default")]
    pub admin: AdminConfig,
    /// Traces of requests, for an OpenTelemetry collector. Off unless one is named.
    #[serde(default, skip_serializing_if = "TelemetryConfig::is_default")]
    pub telemetry: TelemetryConfig,
}

/// Addresses to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// For clients; any certificate.
    pub clients: SocketAddr,
    /// For workers; attested images of the root contract only.
    pub workers: SocketAddr,
    /// For statistics and administration. Not for the public.
    pub http: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Self {
            clients: any(11002),
            workers: any(11001),
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 11000)),
        }
    }
}

/// Times in seconds. The defaults are those of the deployed network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timers {
    /// Shortest pause between two state commits on chain.
    pub commit_min: f64,
    /// Longest pause between two state commits on chain.
    pub commit_max: f64,
    /// A commit that is not seen for so long is sent again.
    pub commit_resend: f64,
    /// Pause between two looks at the proxy contract's transactions.
    pub transactions: f64,
    /// Pause between two looks at the contracts of clients and workers.
    pub contracts: f64,
    /// Pause between two looks at the root contract.
    pub root: f64,
    /// Pause between two rounds of settlement.
    pub settlement: f64,
    /// How long running requests may take after the stop was asked for.
    pub drain: f64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            commit_min: 30.0,
            commit_max: 60.0,
            commit_resend: 180.0,
            transactions: 5.0,
            contracts: 8.0,
            root: 45.0,
            settlement: 10.0,
            drain: 30.0,
        }
    }
}

fn default_difficulty() -> u32 {
    cocoon_ratls::limits::DEFAULT_DIFFICULTY
}

impl ProxyConfig {
    /// Reads a file; paths inside are taken relative to it.
    pub fn load(path: &Path) -> Result<Self, ProxyError> {
        let config: Self = cocoon_runner::config::load(path)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses numbers that make no sense.
    pub fn check(&self) -> Result<(), ProxyError> {
        let t = &self.timers;
        let pauses = [
            ("timers.commit_min", t.commit_min),
            ("timers.commit_max", t.commit_max),
            ("timers.commit_resend", t.commit_resend),
            ("timers.transactions", t.transactions),
            ("timers.contracts", t.contracts),
            ("timers.root", t.root),
            ("timers.settlement", t.settlement),
            ("timers.drain", t.drain),
        ];
        for (key, seconds) in pauses {
            if !(0.05..=86_400.0).contains(&seconds) {
                return Err(ProxyError::Setting {
                    key,
                    expected: "0.05 to 86400 seconds",
                });
            }
        }
        let outage = &self.outage;
        // Shorter, and every pause between two looks at the chain would be an outage.
        if !(3.0 * t.transactions..=86_400.0).contains(&outage.after) {
            return Err(ProxyError::Setting {
                key: "outage.after",
                expected: "at least three times timers.transactions and at most 86400 seconds",
            });
        }
        if !(0.0..=86_400.0).contains(&outage.serve_for) {
            return Err(ProxyError::Setting {
                key: "outage.serve_for",
                expected: "0 to 86400 seconds",
            });
        }
        if outage.stalled != 0.0 && !(outage.after..=86_400.0).contains(&outage.stalled) {
            return Err(ProxyError::Setting {
                key: "outage.stalled",
                expected: "0, or at least outage.after and at most 86400 seconds",
            });
        }
        if !(0.0..=2_592_000.0).contains(&self.anchor.every) {
            return Err(ProxyError::Setting {
                key: "anchor.every",
                expected: "0 to 2592000 seconds",
            });
        }
        self.log.check(&self.store_dir)?;
        self.challenge.check(&self.wallet.owner)?;
        if t.commit_max < t.commit_min {
            return Err(ProxyError::Setting {
                key: "timers.commit_max",
                expected: "at least timers.commit_min",
            });
        }
        if self.contract_key_file.is_some() == self.contract_key.is_some() {
            return Err(ProxyError::Setting {
                key: "contract_key",
                expected: "either contract_key_file or contract_key",
            });
        }
        let is_open = |address: SocketAddr| !address.ip().is_loopback();
        if self.attestation.router.is_some() && (is_open(self.listen.clients) || is_open(self.listen.workers)) {
            return Err(ProxyError::Setting {
                key: "listen",
                expected: "loopback addresses for clients and workers behind a router",
            });
        }
        self.routing.check()?;
        if self.pow_difficulty > cocoon_ratls::limits::MAX_DIFFICULTY {
            return Err(ProxyError::Setting {
                key: "pow_difficulty",
                expected: "no more bits than clients accept",
            });
        }
        Ok(())
    }
}

impl NamesFiles for ProxyConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let managed = self.contract_key.as_mut().map(|managed| &mut managed.secret_file);
        let own = std::iter::once(&mut self.store_dir).chain(&mut self.contract_key_file);
        let files = own.chain(managed).chain(self.chain.files_mut());
        let files = files.chain(self.attestation.files_mut());
        let files = files.chain(self.wallet.files_mut()).chain(&mut self.log.folder);
        files.chain(&mut self.admin.socket).collect()
    }

    fn loaded_from(&mut self, path: &Path) {
        self.admin.file = Some(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = r#"
        store_dir = "store"
        contract_key_file = "proxy.key"
        [chain]
        url = "http://127.0.0.1:8045/api/v2/jsonRPC"
        root = "0:0000000000000000000000000000000000000000000000000000000000000000"
        [wallet]
        key_file = "wallet.key"
        owner = "0:0000000000000000000000000000000000000000000000000000000000000000"
    "#;

    #[test]
    fn the_smallest_configuration_has_the_deployed_defaults_and_relative_paths() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.toml");
        let text = format!("{SMALLEST}\n[attestation]\npolicy = \"attestation.toml\"\n");
        std::fs::write(&path, text).unwrap();
        let config = ProxyConfig::load(&path).unwrap();
        assert_eq!(config.attestation.policy, Some(folder.path().join("attestation.toml")));
        assert_eq!(config.store_dir, folder.path().join("store"));
        assert_eq!(config.listen.clients.port(), 11002);
        assert_eq!((config.timers.commit_min, config.timers.commit_max), (30.0, 60.0));
        assert_eq!(config.pow_difficulty, 20);
    }

    #[test]
    fn the_contract_key_has_one_place() {
        let both = "contract_key = { policy = 'proxies', node = 'a', secret_file = 'owner.secret' }";
        let managed = SMALLEST.replace("contract_key_file = \"proxy.key\"", both);
        toml_of(&managed).check().unwrap();
        for text in [
            SMALLEST.replace("contract_key_file = \"proxy.key\"", ""),
            format!("{both}\n{SMALLEST}"),
        ] {
            assert!(
                toml_of(&text).check().unwrap_err().to_string().contains("contract_key"),
                "{text}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.toml");
        std::fs::write(&path, managed).unwrap();
        let config = ProxyConfig::load(&path).unwrap();
        assert_eq!(
            config.contract_key.unwrap().secret_file,
            folder.path().join("owner.secret")
        );
    }

    #[test]
    fn nonsense_is_refused_by_key() {
        let mut config: ProxyConfig = toml_of(SMALLEST);
        config.timers.commit_min = f64::NAN;
        assert!(config.check().unwrap_err().to_string().contains("commit_min"));
        config.timers.commit_min = 100.0;
        assert!(config.check().unwrap_err().to_string().contains("commit_max"));
    }

    fn toml_of(text: &str) -> ProxyConfig {
        cocoon_runner::config::parse(Path::new("proxy.toml"), text).unwrap()
    }
}
