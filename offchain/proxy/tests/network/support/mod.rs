//! A network around one real proxy: an emulated chain, scripted workers and clients over real connections.

mod client;
mod disk;
mod outage;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, HashBytes, Store, to_cell};
use cocoon_bindings::units::{ModelHash, Nanoton, ParamsVersion, PublicKey, QueryId};
use cocoon_bindings::{
    ContractKind, Multipliers, Params, RootData, client_state_init, proxy_state_init, root_state_init,
    wallet_state_init, worker_state_init,
};
use cocoon_chain::{EmulatedChain, SharedChain};
use cocoon_emulator::{Emulator, NetworkConfig};
use cocoon_ledger::Thresholds;
use cocoon_protocol::handshake::HandshakeError;
use cocoon_proxy::{Listen, ProxyConfig, ProxyError, RoutingConfig, RunningProxy, Timers, start_on};
use cocoon_runner::Surroundings;
use cocoon_runner::config::{AttestationConfig, ChainConfig, WalletConfig};
use cocoon_runner::keys::write_secret;
use cocoon_runner::link::LinkError;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub(crate) use client::{Client, Wish, request as request_bytes};
pub(crate) use worker::{Act, Worker};

/// Why a session was not proven.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by Debug")]
pub(crate) enum Proving {
    Link(LinkError),
    Handshake(HandshakeError),
}

impl From<LinkError> for Proving {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<HandshakeError> for Proving {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

pub(crate) const MODEL: &str = "parrot";
pub(crate) const SECRET: &[u8] = b"client secret";
const CONTRACT_KEY: [u8; 32] = [21; 32];
const WALLET_KEY: [u8; 32] = [22; 32];

pub(crate) struct Network {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) chain: EmulatedChain,
    pub(crate) platform: SimulatedPlatform,
    pub(crate) root: Address,
    pub(crate) params: Params,
    pub(crate) owner: Address,
    pub(crate) is_chain_away: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) is_disk_stalled: Arc<std::sync::atomic::AtomicBool>,
    /// Clients to be opened once the proxy contract is there to take their coins.
    clients: std::sync::Mutex<Vec<(Address, Nanoton)>>,
}

impl Network {
    pub(crate) fn new() -> Self {
        let chain = EmulatedChain::new(Emulator::new(&NetworkConfig::default(), 1_780_000_000).unwrap());
        let platform = SimulatedPlatform::generate().unwrap();
        let params = Params {
            struct_version: 3,
            params_version: ParamsVersion::new(1),
            unique_id: 7,
            is_test: true,
            price_per_token: Nanoton::new(2_000),
            worker_fee_per_token: Nanoton::new(1_500),
            multipliers: Multipliers::default(),
            proxy_delay_before_close: 600,
            client_delay_before_close: 300,
            min_proxy_stake: Nanoton::from_ton(1),
            min_client_stake: Nanoton::from_ton(1),
            proxy_code: Some(ContractKind::Proxy.code().unwrap()),
            worker_code: Some(ContractKind::Worker.code().unwrap()),
            client_code: Some(ContractKind::Client.code().unwrap()),
        };
        let data = RootData {
            proxy_hashes: [simulated_measurements("proxy").image_hash()].into(),
            worker_hashes: [simulated_measurements("worker").image_hash()].into(),
            model_hashes: [ModelHash::new(Sha256::digest(MODEL).into())].into(),
            ..RootData::default()
        };
        let governor = address(1);
        let state_init = root_state_init(&governor, 1, &data, &params).unwrap();
        let root = state_init.address().unwrap();
        let network = Self {
            folder: tempfile::tempdir().unwrap(),
            chain,
            platform,
            root: root.clone(),
            params,
            owner: address(2),
            is_chain_away: Arc::default(),
            is_disk_stalled: Arc::default(),
            clients: std::sync::Mutex::default(),
        };
        network.deliver(
            &governor,
            &root,
            Nanoton::from_ton(1),
            Default::default(),
            Some(state_init),
        );
        let wallet = wallet_state_init(&PublicKey::from(&SigningKey::from_bytes(&WALLET_KEY)), &network.owner).unwrap();
        network.fund(&wallet.address().unwrap(), Nanoton::from_ton(100));
        let write = |name: &str, text: &str| write_secret(&network.folder.path().join(name), text.as_bytes()).unwrap();
        write("contract.key", &hex(&CONTRACT_KEY));
        write("wallet.key", &hex(&WALLET_KEY));
        std::fs::write(
            network.folder.path().join("platform.json"),
            network.platform.to_json().unwrap(),
        )
        .unwrap();
        network
    }

    pub(crate) fn fund(&self, to: &Address, amount: Nanoton) {
        self.chain.with(|chain| {
            chain.fund(to, amount).unwrap();
            chain.run().unwrap();
        });
    }

    pub(crate) fn deliver(
        &self,
        from: &Address,
        to: &Address,
        value: Nanoton,
        body: cocoon_bindings::ton::Cell,
        state_init: Option<cocoon_bindings::StateInit>,
    ) {
        let message = InternalMessage {
            to: to.clone(),
            value,
            bounce: false,
            body,
            state_init,
        };
        self.chain.with(|chain| {
            chain.send_internal(from, &message).unwrap();
            chain.run().unwrap();
        });
    }

    pub(crate) fn shared_chain(&self) -> SharedChain {
        Arc::new(outage::ChainWithOutages::new(
            self.chain.clone(),
            Arc::clone(&self.is_chain_away),
        ))
    }

    pub(crate) fn proxy_key(&self) -> PublicKey {
        PublicKey::from(&SigningKey::from_bytes(&CONTRACT_KEY))
    }

    pub(crate) fn proxy_contract(&self) -> Address {
        proxy_state_init(&self.owner, &self.proxy_key(), &self.root, &self.params)
            .unwrap()
            .address()
            .unwrap()
    }

    pub(crate) fn client_contract(&self, owner: &Address) -> Address {
        client_state_init(owner, &self.proxy_contract(), &self.proxy_key(), &self.params)
            .unwrap()
            .address()
            .unwrap()
    }

    pub(crate) fn worker_contract(&self, owner: &Address) -> Address {
        worker_state_init(owner, &self.proxy_contract(), &self.proxy_key(), &self.params)
            .unwrap()
            .address()
            .unwrap()
    }

    /// Has a client contract opened by the next [`Network::start`].
    pub(crate) fn add_client(&self, owner: Address, balance: Nanoton) {
        self.clients.lock().unwrap().push((owner, balance));
    }

    /// Deploys a client contract with a balance and the hash of [`SECRET`].
    pub(crate) fn open_client(&self, owner: &Address, balance: Nanoton) {
        let state_init = client_state_init(owner, &self.proxy_contract(), &self.proxy_key(), &self.params).unwrap();
        let top_up = cocoon_bindings::client::TopUpWithSecretFromOwner {
            query_id: QueryId::new(1),
            top_up_amount: balance,
            new_secret_hash: HashBytes(Sha256::digest(SECRET).into()),
            send_excesses_to: owner.clone(),
        };
        let value = balance.checked_add(Nanoton::from_ton(1)).unwrap();
        let to = state_init.address().unwrap();
        self.deliver(owner, &to, value, to_cell(&top_up).unwrap(), Some(state_init));
    }

    /// Has a client's owner ask for the closing of its contract.
    pub(crate) fn close_client(&self, owner: &Address) {
        let close = cocoon_bindings::client::RequestRefundFromOwner {
            query_id: QueryId::new(3),
            send_excesses_to: owner.clone(),
        };
        let contract = self.client_contract(owner);
        self.deliver(owner, &contract, Nanoton::from_ton(1), to_cell(&close).unwrap(), None);
    }

    pub(crate) fn is_closed(&self, owner: &Address) -> bool {
        let account = self
            .chain
            .with(|chain| chain.account(&self.client_contract(owner)))
            .unwrap()
            .unwrap();
        let data = account.data.unwrap();
        let storage: cocoon_bindings::client::ClientStorage = cocoon_bindings::ton::from_cell(&data).unwrap();
        storage.state == cocoon_bindings::types::Lifecycle::Closed
    }

    pub(crate) fn balance(&self, of: &Address) -> Nanoton {
        self.chain.with(|chain| chain.balance(of)).unwrap()
    }

    /// Tokens that the client contract was charged for.
    pub(crate) fn tokens_used(&self, owner: &Address) -> Option<u64> {
        let account = self
            .chain
            .with(|chain| chain.account(&self.client_contract(owner)))
            .unwrap()?;
        let storage: cocoon_bindings::client::ClientStorage = cocoon_bindings::ton::from_cell(&account.data?).unwrap();
        Some(storage.tokens_used.get())
    }

    /// Tokens that the worker contract was paid for.
    pub(crate) fn tokens_paid(&self, owner: &Address) -> Option<u64> {
        let account = self
            .chain
            .with(|chain| chain.account(&self.worker_contract(owner)))
            .unwrap()?;
        let storage: cocoon_bindings::worker::WorkerStorage = cocoon_bindings::ton::from_cell(&account.data?).unwrap();
        Some(storage.tokens.get())
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn config(&self) -> ProxyConfig {
        let path = |name: &str| self.folder.path().join(name);
        let any = "127.0.0.1:0".parse().unwrap();
        ProxyConfig {
            admin: Default::default(),
            telemetry: Default::default(),
            store_dir: self.store_dir(),
            contract_key_file: Some(path("contract.key")),
            contract_key: None,
            key_manager: None,
            chain: ChainConfig {
                url: "unused".into(),
                root: self.root.to_string(),
                ..ChainConfig::default()
            },
            wallet: WalletConfig {
                key_file: Some(path("wallet.key")),
                derived: None,
                managed: None,
                owner: self.owner.to_string(),
            },
            attestation: AttestationConfig {
                simulated_platform: Some(path("platform.json")),
                ..AttestationConfig::default()
            },
            listen: Listen {
                clients: any,
                workers: any,
                http: any,
            },
            pow_difficulty: 1,
            timers: Timers {
                commit_min: 0.2,
                commit_max: 0.3,
                commit_resend: 30.0,
                transactions: 0.2,
                contracts: 0.3,
                root: 1.0,
                settlement: 0.3,
                drain: 5.0,
            },
            settlement: Thresholds {
                client_charge: Nanoton::new(1),
                worker_payout: Nanoton::new(1),
                resubmit_after: 60,
            },
            routing: RoutingConfig::default(),
            outage: Default::default(),
            anchor: Default::default(),
            log: Default::default(),
            challenge: Default::default(),
        }
    }

    pub(crate) async fn start(&self) -> (RunningProxy, CancellationToken) {
        self.try_start(self.config()).await.unwrap()
    }

    pub(crate) async fn try_start(&self, config: ProxyConfig) -> Result<(RunningProxy, CancellationToken), ProxyError> {
        let stop = CancellationToken::new();
        let surroundings = Surroundings {
            disk: Arc::new(disk::StallingDisk {
                is_stalled: Arc::clone(&self.is_disk_stalled),
            }),
            ..Surroundings::real(self.shared_chain())
        };
        let proxy = start_on(config, surroundings, stop.clone()).await?;
        for (owner, balance) in self.clients.lock().unwrap().drain(..) {
            self.open_client(&owner, balance);
        }
        Ok((proxy, stop))
    }
}

impl Network {
    /// Has the root contract change the prices: the contracts of everybody get other addresses.
    pub(crate) fn change_prices(&mut self) {
        self.govern(&cocoon_bindings::root::ChangePricesFromOwner {
            query_id: QueryId::new(5),
            price_per_token: Nanoton::new(3_000),
            worker_fee_per_token: Nanoton::new(2_000),
        });
        self.params = Params {
            params_version: ParamsVersion::new(self.params.params_version.get() + 1),
            price_per_token: Nanoton::new(3_000),
            worker_fee_per_token: Nanoton::new(2_000),
            ..self.params.clone()
        };
    }

    /// Whether there is an account that runs.
    pub(crate) fn is_there(&self, contract: &Address) -> bool {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap();
        account.is_some_and(|account| account.data.is_some())
    }

    /// State of a proxy contract.
    pub(crate) fn proxy_state(&self, contract: &Address) -> cocoon_bindings::types::Lifecycle {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap().unwrap();
        let storage: cocoon_bindings::proxy::ProxyStorage =
            cocoon_bindings::ton::from_cell(&account.data.unwrap()).unwrap();
        storage.state
    }

    /// State of a worker contract and the tokens that it was paid for.
    pub(crate) fn worker_state(&self, contract: &Address) -> Option<(cocoon_bindings::types::Lifecycle, u64)> {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap()?;
        let storage: cocoon_bindings::worker::WorkerStorage = cocoon_bindings::ton::from_cell(&account.data?).unwrap();
        Some((storage.state, storage.tokens.get()))
    }

    /// State of a client contract and the tokens that it was charged for.
    pub(crate) fn client_state(&self, contract: &Address) -> Option<(cocoon_bindings::types::Lifecycle, u64)> {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap()?;
        let storage: cocoon_bindings::client::ClientStorage = cocoon_bindings::ton::from_cell(&account.data?).unwrap();
        Some((storage.state, storage.tokens_used.get()))
    }

    /// Has the owner of the root contract send it a message.
    pub(crate) fn govern(&self, message: &impl Store) {
        let body = to_cell(message).unwrap();
        self.deliver(&address(1), &self.root, Nanoton::from_ton(1), body, None);
    }
}

pub(crate) fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until something holds, and fails loudly when it never does.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}
