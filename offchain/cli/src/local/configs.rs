//! Configuration of the parts of a local network, as `up` uses it and as files for running them apart.

use std::net::SocketAddr;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;
use cocoon_client::{ClientConfig, FundingConfig, LogPlace};
use cocoon_proxy::{AnchorConfig, Listen, LogConfig, ProxyConfig, Timers};
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, WalletConfig};
use cocoon_worker::{BackendConfig, EngineConfig, ModelConfig, WorkerConfig};
use serde::Serialize;

use super::actors;
use super::chain::ChainFile;
use super::economy::CLIENT_TOP_UP;
use super::layout::DataDir;
use super::model::LocalModel;
use super::ports::Ports;
use crate::failure::{Exit, Failure, OrFail as _};

/// Proof of work between parts that trust each other's machine: only so much that the code runs.
const LOCAL_DIFFICULTY: u32 = 8;
/// The client pays in again when less than this is left.
const CLIENT_REFILL_BELOW: Nanoton = Nanoton::from_ton(10);
/// Every answer is settled at once, so that the balances can be watched.
const LOCAL_THRESHOLD: Nanoton = Nanoton::new(1);

/// Who owns the runners' wallets.
#[derive(Clone, Debug)]
pub struct Owners {
    /// The proxy's.
    pub proxy: Address,
    /// The worker's.
    pub worker: Address,
    /// The client's.
    pub client: Address,
}

/// Configuration of all parts.
#[derive(Clone, Debug)]
pub struct Configs {
    /// The chain.
    pub chain: ChainFile,
    /// The proxy.
    pub proxy: ProxyConfig,
    /// The worker.
    pub worker: WorkerConfig,
    /// The client.
    pub client: ClientConfig,
}

impl Configs {
    /// Configures everything for the network in `data`.
    pub fn new(
        data: &DataDir,
        ports: &Ports,
        chain_url: &str,
        root: &Address,
        owners: &Owners,
        models: &[LocalModel],
    ) -> Self {
        let chain = ChainConfig {
            url: chain_url.to_owned(),
            root: root.to_string(),
            ..ChainConfig::default()
        };
        let attestation = AttestationConfig {
            simulated_platform: Some(data.platform_file()),
            ..AttestationConfig::default()
        };
        let wallet = |name: &str, owner: &Address| WalletConfig {
            key_file: Some(data.key_file(name)),
            derived: None,
            managed: None,
            owner: owner.to_string(),
        };
        let admin = |name: &str| AdminConfig {
            file: Some(data.config_file(name)),
            ..AdminConfig::in_folder(&data.store_dir(name))
        };
        Self {
            chain: ChainFile::new(ports.chain, data.chain_state_file()),
            proxy: ProxyConfig {
                admin: admin("proxy"),
                store_dir: data.store_dir("proxy"),
                contract_key_file: Some(data.key_file(actors::PROXY_CONTRACT)),
                contract_key: None,
                key_manager: None,
                chain: chain.clone(),
                wallet: wallet(actors::PROXY_WALLET, &owners.proxy),
                attestation: attestation.clone(),
                listen: Listen {
                    clients: ports.proxy_clients,
                    workers: ports.proxy_workers,
                    http: ports.proxy,
                },
                pow_difficulty: LOCAL_DIFFICULTY,
                timers: local_timers(),
                settlement: cocoon_ledger::Thresholds {
                    client_charge: LOCAL_THRESHOLD,
                    worker_payout: LOCAL_THRESHOLD,
                    resubmit_after: 20,
                },
                routing: Default::default(),
                outage: Default::default(),
                // Coins of the local chain cost nothing, and an audit has something to compare.
                anchor: AnchorConfig { every: 10.0, count: 0 },
                challenge: Default::default(),
                log: LogConfig {
                    folder: Some(data.log_dir()),
                    listen: ports.proxy_log,
                    every: 1.0,
                    ..LogConfig::default()
                },
            },
            worker: WorkerConfig {
                admin: admin("worker"),
                owner: owners.worker.to_string(),
                proxy_connections: 1,
                data_dir: data.store_dir("worker"),
                http: ports.worker,
                chain: chain.clone(),
                attestation: attestation.clone(),
                // The proxy pays; the owner may submit vouchers too.
                payout: None,
                key_manager: None,
                drain_seconds: 10,
                root_refresh_seconds: 5,
                models: models.iter().map(model_config).collect(),
            },
            client: ClientConfig {
                admin: admin("client"),
                listen: ports.client,
                data_dir: data.store_dir("client"),
                secret_file: None,
                max_body_bytes: cocoon_client::limits::DEFAULT_MAX_BODY_BYTES,
                wait_for_receipts: false,
                disclosures_dir: None,
                max_requests: cocoon_client::limits::DEFAULT_MAX_REQUESTS,
                proxy_connections: 1,
                root_refresh_seconds: 5,
                chain,
                wallet: wallet(actors::CLIENT_WALLET, &owners.client),
                attestation,
                funding: Some(FundingConfig {
                    amount: CLIENT_TOP_UP,
                    refill_below: CLIENT_REFILL_BELOW,
                }),
                logs: ports.proxy_log.iter().map(log_place).collect(),
                access: Default::default(),
            },
        }
    }

    /// Writes one file per part.
    pub fn write(&self, data: &DataDir) -> Result<(), Failure> {
        write(data, "chain", "localnet", &self.chain)?;
        write(data, "proxy", "proxy", &self.proxy)?;
        write(data, "worker", "worker", &self.worker)?;
        write(data, "client", "client", &self.client)
    }
}

fn log_place(listens: &SocketAddr) -> LogPlace {
    LogPlace {
        url: format!("http://{listens}"),
        proxy: None,
    }
}

fn model_config(model: &LocalModel) -> ModelConfig {
    let backend = BackendConfig::Engine(EngineConfig::new(model.folder.clone()));
    ModelConfig {
        max_active_requests: 64,
        ..ModelConfig::new(model.name.to_string(), backend)
    }
}

fn local_timers() -> Timers {
    Timers {
        commit_min: 0.5,
        commit_max: 1.0,
        commit_resend: 20.0,
        transactions: 0.3,
        contracts: 1.0,
        root: 5.0,
        settlement: 0.3,
        drain: 10.0,
    }
}

fn write<T: Serialize>(data: &DataDir, name: &str, command: &str, config: &T) -> Result<(), Failure> {
    let path = data.config_file(name);
    let text = toml::to_string_pretty(config).map_err(anyhow::Error::from)?;
    let head =
        format!("# Written by `cocoon up` at each start. Runs alone with:\n# cocoon {command} run --config FILE\n\n");
    std::fs::write(&path, head + &text).or_fail(
        Exit::Configuration,
        &format!("cannot write {}", path.display()),
        "check the permissions and the free space of the data folder",
    )
}
