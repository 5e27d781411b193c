//! The worker's configuration.

mod engine;
mod pricing;

use crate::error::WorkerError;
use crate::limits;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::{Coefficient, Nanoton};
use cocoon_manifest::ModelName;
use cocoon_manifest::verity::RootHash;
use cocoon_protocol::context::ContextLength;
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles, WalletConfig};
use cocoon_runner::seal::KeyManagerConfig;
use cocoon_runner::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use engine::EngineConfig;
pub use pricing::PricingConfig;

/// Everything that an operator sets. Secrets are named by file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// Address that is paid.
    pub owner: String,
    /// Distinct proxies to connect to, with each model.
    #[serde(default = "default_proxy_connections")]
    pub proxy_connections: u32,
    /// Folder of the durable state.
    pub data_dir: PathBuf,
    /// Where statistics and control are served.
    #[serde(default = "default_http")]
    pub http: SocketAddr,
    /// The chain.
    pub chain: ChainConfig,
    /// Own evidence and trust.
    #[serde(default)]
    pub attestation: AttestationConfig,
    /// Submits vouchers from here; without it the proxy or the owner does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<PayoutConfig>,
    /// The key manager of a managed key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_manager: Option<KeyManagerConfig>,
    /// Seconds that running requests get to end when the worker stops.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
    /// Seconds between looks at the root contract.
    #[serde(default = "default_root_refresh_seconds")]
    pub root_refresh_seconds: u64,
    /// The administration socket.
    #[serde(default, skip_serializing_if = "AdminConfig::is_default")]
    pub admin: AdminConfig,
    /// Traces of requests, for an OpenTelemetry collector. Off unless one is named.
    #[serde(default, skip_serializing_if = "TelemetryConfig::is_default")]
    pub telemetry: TelemetryConfig,
    /// What is served.
    pub models: Vec<ModelConfig>,
}

/// A model that is served, over connections of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// `name@commit:verityhash`, as the root contract lists it.
    pub name: String,
    /// Price in thousandths of the network's.
    #[serde(default = "default_coefficient")]
    pub coefficient: u32,
    /// Lets the price follow the load; without it the price stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<PricingConfig>,
    /// Requests at once, over all proxies.
    #[serde(default = "default_max_active_requests")]
    pub max_active_requests: u32,
    /// Tokens of a prompt and its answer together, as clients are told. What the engine of this program can do if absent, and
    /// never more than that; of an upstream server nothing is told without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u32>,
    /// What answers.
    pub backend: BackendConfig,
}

impl ModelConfig {
    /// A model with the usual price and places.
    pub fn new(name: String, backend: BackendConfig) -> Self {
        Self {
            name,
            coefficient: default_coefficient(),
            pricing: None,
            max_active_requests: default_max_active_requests(),
            context_length: None,
            backend,
        }
    }
}

/// What answers the requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum BackendConfig {
    /// The engine of this program.
    Engine(EngineConfig),
    /// A server with OpenAI's interface inside the same guest.
    Upstream {
        /// `http://host:port`, without a path.
        url: String,
    },
}

/// Submits payout vouchers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutConfig {
    /// Signs the messages and pays for them.
    pub wallet: WalletConfig,
    /// Unpaid earnings from which a voucher is worth its gas, in nanoton.
    #[serde(default = "default_minimum_nanoton")]
    pub minimum_nanoton: u64,
}

impl PayoutConfig {
    /// The threshold as an amount.
    pub(crate) fn minimum(&self) -> Nanoton {
        Nanoton::new(u128::from(self.minimum_nanoton))
    }
}

/// The parts of a configuration after parsing.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) owner: Address,
    pub(crate) root: Address,
    pub(crate) models: Vec<ParsedModel>,
}

/// A model's configuration after parsing.
#[derive(Debug, Clone)]
pub(crate) struct ParsedModel {
    pub(crate) name: ModelName,
    pub(crate) coefficient: Coefficient,
    pub(crate) pricing: Option<PricingConfig>,
    pub(crate) max_active_requests: u32,
    pub(crate) context_length: Option<ContextLength>,
}

impl WorkerConfig {
    /// Refuses what cannot work, by name. A start does it too.
    pub fn check(&self) -> Result<(), WorkerError> {
        self.parse().map(drop)
    }

    /// Refuses what cannot work, by name.
    pub(crate) fn parse(&self) -> Result<Parsed, WorkerError> {
        let bad = |key, problem| WorkerError::Config { key, problem };
        if self.proxy_connections == 0 || self.proxy_connections > limits::MAX_PROXY_CONNECTIONS {
            return Err(bad("proxy_connections", "must be from 1 to 64"));
        }
        if self.models.is_empty() || self.models.len() > limits::MAX_MODELS {
            return Err(bad("models", "must have from 1 to 16 elements"));
        }
        let models = self.models.iter().map(ModelConfig::parse);
        let models = models.collect::<Result<Vec<ParsedModel>, _>>()?;
        // Clients ask by this name, and pages show it.
        let names: BTreeSet<&str> = models.iter().map(|model| model.name.base()).collect();
        if names.len() < models.len() {
            return Err(bad("models", "must have different names"));
        }
        Ok(Parsed {
            owner: parse_address(&self.owner).map_err(|_| bad("owner", "must be a TON address"))?,
            root: parse_address(&self.chain.root).map_err(|_| bad("chain.root", "must be a TON address"))?,
            models,
        })
    }
}

impl ModelConfig {
    fn parse(&self) -> Result<ParsedModel, WorkerError> {
        let bad = |key, problem| WorkerError::Config { key, problem };
        if self.coefficient > limits::MAX_COEFFICIENT {
            return Err(bad("models.coefficient", "must be below 1000000000"));
        }
        if self.max_active_requests == 0 || self.max_active_requests > limits::MAX_ACTIVE_REQUESTS {
            return Err(bad("models.max_active_requests", "must be from 1 to 4096"));
        }
        let context_length = self.context_length.map(|tokens| {
            let bad = || bad("models.context_length", "must be from 1 to 16777216");
            ContextLength::new(tokens).ok_or_else(bad)
        });
        if let Some(pricing) = &self.pricing {
            pricing.check()?;
        }
        let name: ModelName = self.name.parse()?;
        let verified = matches!(&self.backend, BackendConfig::Engine(engine) if engine.verify_name);
        if verified && root_hash(&name).is_none() {
            return Err(bad(
                "models.name",
                "must end with the hash of an archive where verify_name is set",
            ));
        }
        Ok(ParsedModel {
            name,
            coefficient: Coefficient::new(self.coefficient),
            pricing: self.pricing,
            max_active_requests: self.max_active_requests,
            context_length: context_length.transpose()?,
        })
    }
}

impl NamesFiles for WorkerConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let wallet = self.payout.iter_mut().flat_map(|payout| payout.wallet.files_mut());
        let folders = self.models.iter_mut().filter_map(|model| match &mut model.backend {
            BackendConfig::Engine(engine) => Some(&mut engine.folder),
            BackendConfig::Upstream { .. } => None,
        });
        let files = std::iter::once(&mut self.data_dir).chain(self.chain.files_mut());
        let files = files.chain(self.attestation.files_mut());
        let files = files.chain(wallet).chain(folders);
        files.chain(&mut self.admin.socket).collect()
    }

    fn loaded_from(&mut self, path: &Path) {
        self.admin.file = Some(path.to_owned());
    }
}

/// The hash of the archive in a model's name.
pub(crate) fn root_hash(name: &ModelName) -> Option<RootHash> {
    name.verity_hash()?.parse().ok()
}

fn default_coefficient() -> u32 {
    1000
}

fn default_max_active_requests() -> u32 {
    16
}

fn default_proxy_connections() -> u32 {
    1
}

fn default_http() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 12_000))
}

fn default_drain_seconds() -> u64 {
    30
}

fn default_root_refresh_seconds() -> u64 {
    30
}

/// 10 TON, as deployed.
fn default_minimum_nanoton() -> u64 {
    10_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        owner = "0:0000000000000000000000000000000000000000000000000000000000000001"
        data_dir = "worker"
        chain = { url = "http://127.0.0.1:8045/api/v2/jsonRPC", root = "0:0000000000000000000000000000000000000000000000000000000000000002" }
        [[models]]
        name = "cocoon/tiny@1:2"
        backend = { kind = "engine", folder = "model" }
    "#;

    fn parse(text: &str) -> Result<WorkerConfig, cocoon_runner::RunnerError> {
        cocoon_runner::config::parse("worker.toml".as_ref(), text)
    }

    #[test]
    fn a_short_configuration_has_defaults() {
        let config = parse(TEXT).unwrap();
        assert_eq!((config.proxy_connections, config.http.port()), (1, 12_000));
        let model = config.parse().unwrap().models.remove(0);
        assert_eq!((model.name.base(), model.max_active_requests), ("cocoon/tiny", 16));
        assert_eq!(model.coefficient, Coefficient::new(1000));
        let again = toml::to_string(&config).unwrap();
        assert_eq!(parse(&again).unwrap(), config);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let attestation = "[attestation]\nsimulated_platform = \"platform.json\"";
        let payout = "[payout.wallet]\nkey_file = \"wallet.key\"\nowner = \"0:00\"";
        let text = TEXT.replace("[[models]]", &format!("{attestation}\n{payout}\n[[models]]"));
        std::fs::write(&path, text).unwrap();
        let config: WorkerConfig = cocoon_runner::config::load(&path).unwrap();
        let inside = |name: &str| folder.path().join(name);
        assert_eq!(config.data_dir, inside("worker"));
        assert_eq!(config.attestation.simulated_platform, Some(inside("platform.json")));
        assert_eq!(config.payout.unwrap().wallet.key_file, Some(inside("wallet.key")));
        let BackendConfig::Engine(engine) = &config.models[0].backend else {
            panic!("{:?}", config.models)
        };
        assert_eq!(engine.folder, inside("model"));
    }

    #[test]
    fn a_name_that_is_verified_ends_with_a_hash() {
        let verified = TEXT.replace("folder = \"model\"", "folder = \"model\", verify_name = true");
        let error = parse(&verified).unwrap().parse().unwrap_err();
        assert!(
            matches!(error, WorkerError::Config { key: "models.name", .. }),
            "{error}"
        );
        let named = verified.replace("tiny@1:2", &format!("tiny@1:{}", "0a".repeat(32)));
        parse(&named).unwrap().parse().unwrap();
    }

    #[test]
    fn the_models_of_the_readme_are_valid() {
        let readme = include_str!("../../../README.md");
        let models = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let head = TEXT.split("[[models]]").next().unwrap();
        let config = parse(&format!("{head}{models}")).unwrap();
        assert_eq!(config.parse().unwrap().models.len(), 3);
        assert!(matches!(config.models[2].backend, BackendConfig::Upstream { .. }));
    }

    #[test]
    fn options_of_the_engine_are_read_and_unknown_ones_refused_by_name() {
        let with =
            |options: &str| parse(&TEXT.replace("folder = \"model\"", &format!("folder = \"model\", {options}")));
        let config = with(
            "device = \"cuda\", weight_format = \"q8\", threads = 2, max_num_seqs = 3, max_step_tokens = 64, max_queue_seconds = 5",
        )
        .unwrap();
        let BackendConfig::Engine(engine) = &config.models[0].backend else {
            panic!("{config:?}")
        };
        let options = engine.options();
        assert_eq!(options.device, cocoon_engine::ComputeDevice::Cuda);
        assert_eq!(options.weight_format, cocoon_engine::WeightFormat::Q8);
        assert_eq!((options.threads.map(|n| n.get()), options.max_num_seqs), (Some(2), 3));
        assert_eq!((options.max_step_tokens, options.max_queue_age.as_secs()), (64, 5));
        assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
        for (key, bad) in [
            ("device", "device = \"abacus\""),
            ("weight_format", "weight_format = \"q2\""),
            ("threads", "threads = 0"),
            ("treads", "treads = 2"),
        ] {
            let error = with(bad).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_by_name() {
        for text in [format!("coeficient = 5\n{TEXT}"), format!("{TEXT}\ncoeficient = 5")] {
            assert!(parse(&text).unwrap_err().to_string().contains("coeficient"));
        }
        let second = "[[models]]\nname = 'cocoon/tiny@3:4'\nbackend = { kind = 'upstream', url = 'x' }";
        for (key, text) in [
            ("models.coefficient", format!("{TEXT}\ncoefficient = 1000000000")),
            ("models.max_active_requests", format!("{TEXT}\nmax_active_requests = 0")),
            ("models.context_length", format!("{TEXT}\ncontext_length = 0")),
            ("models.context_length", format!("{TEXT}\ncontext_length = 16777217")),
            ("proxy_connections", format!("proxy_connections = 0\n{TEXT}")),
            ("models", format!("{TEXT}\n{second}")),
            (
                "models",
                format!("models = []\n{}", TEXT.split("[[models]]").next().unwrap()),
            ),
        ] {
            let error = parse(&text).unwrap().parse().unwrap_err();
            assert!(
                matches!(error, WorkerError::Config { key: found, .. } if found == key),
                "{key}: {error}"
            );
        }
    }
}
