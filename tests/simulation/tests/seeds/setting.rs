//! What all worlds share: a chain with a root contract, keys, and the files that the nodes are configured with. Made once.

use std::path::PathBuf;

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_bindings::client::TopUpWithSecretFromOwner;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, HashBytes, to_cell};
use cocoon_bindings::units::{Nanoton, ParamsVersion, PublicKey, QueryId};
use cocoon_bindings::{
    ContractKind, Multipliers, Params, ProxyEndpoints, RootData, client_state_init, proxy_state_init, root_state_init,
    wallet_state_init,
};
use cocoon_emulator::{Emulator, NetworkConfig, Snapshot};
use cocoon_manifest::ModelName;
use cocoon_runner::keys::write_secret;
use ed25519_dalek::SigningKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::nodes::{API_KEY, Node};
use crate::rogue;

/// When the chain begins, Unix seconds.
pub(crate) const BEGIN: u32 = 1_780_000_000;
/// The one model.
pub(crate) const MODEL: &str = "parrot@1:2";

const CLIENT_KEY: [u8; 32] = [23; 32];

/// The beginning of every world.
pub(crate) struct Setting {
    pub(crate) files: TempDir,
    pub(crate) chain: Snapshot,
    pub(crate) root: Address,
    /// The proxies' contracts under the first terms.
    pub(crate) proxies: Vec<Address>,
    /// The client's contract with the first of them.
    pub(crate) client: Address,
    pub(crate) client_wallet: Address,
    /// The first terms.
    pub(crate) params: Params,
}

/// Who owns the root contract.
pub(crate) fn governor() -> Address {
    address(1)
}

/// Who owns the lying worker and the lying client.
pub(crate) fn liars_owner() -> Address {
    address(60)
}

/// The key that a proxy's contract is known by.
fn public_key(proxy: u8) -> PublicKey {
    PublicKey::from(&contract_key(proxy))
}

fn wallet(key: &[u8; 32], owner: &Address) -> Address {
    let key = PublicKey::from(&SigningKey::from_bytes(key));
    wallet_state_init(&key, owner).unwrap().address().unwrap()
}

/// The key that a proxy signs with.
pub(crate) fn contract_key(proxy: u8) -> SigningKey {
    SigningKey::from_bytes(&[21 + 10 * proxy; 32])
}

/// The key of a proxy's wallet.
fn wallet_key(proxy: u8) -> [u8; 32] {
    [22 + 10 * proxy; 32]
}

pub(crate) fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

/// Who owns a proxy's wallet, and with it its contract.
pub(crate) fn proxy_owner(proxy: u8) -> Address {
    address(2 + 4 * proxy)
}

/// Who owns the client's wallet.
pub(crate) fn client_owner() -> Address {
    address(3)
}

fn proxy_under(proxy: u8, root: &Address, params: &Params) -> Address {
    proxy_state_init(&proxy_owner(proxy), &public_key(proxy), root, params)
        .unwrap()
        .address()
        .unwrap()
}

impl Setting {
    pub(crate) fn new(proxies: u8) -> Self {
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
        let model: ModelName = MODEL.parse().unwrap();
        let endpoints = |proxy| {
            let [workers, clients] = Node::Proxy(proxy).ports();
            (u32::from(proxy) + 1, ProxyEndpoints { workers, clients })
        };
        let data = RootData {
            proxy_hashes: [simulated_measurements("proxy").image_hash()].into(),
            proxies: (0..proxies).map(endpoints).collect(),
            last_proxy_seqno: proxies.into(),
            worker_hashes: [simulated_measurements("worker").image_hash()].into(),
            model_hashes: [model.model_hash()].into(),
        };
        let governor = governor();
        let state_init = root_state_init(&governor, 1, &data, &params).unwrap();
        let root = state_init.address().unwrap();
        let mut chain = Emulator::new(&NetworkConfig::default(), BEGIN).unwrap();
        let deploy = InternalMessage {
            to: root.clone(),
            value: Nanoton::from_ton(1),
            bounce: false,
            body: Default::default(),
            state_init: Some(state_init),
        };
        chain.send_internal(&governor, &deploy).unwrap();
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| write_secret(&files.path().join(name), text.as_bytes()).unwrap();
        let mut fill = |file: &str, key: [u8; 32], owner: &Address| {
            write(file, &hex::encode(key));
            chain.fund(&wallet(&key, owner), Nanoton::from_ton(500)).unwrap();
        };
        fill("client.key", CLIENT_KEY, &client_owner());
        for proxy in 0..proxies {
            fill(&format!("proxy{proxy}.key"), wallet_key(proxy), &proxy_owner(proxy));
            write(
                &format!("contract{proxy}.key"),
                &hex::encode(contract_key(proxy).to_bytes()),
            );
        }
        chain.run().unwrap();
        write("secret", "open sesame");
        let hash = hex::encode(Sha256::digest(API_KEY));
        let key = json!({ "name": "user", "hash": hash, "shown": "ck-of-the", "created": 0, "scopes": ["inference", "read"] });
        write("keys.json", &json!({ "format": 1, "keys": [key] }).to_string());
        write(
            "platform.json",
            &SimulatedPlatform::generate().unwrap().to_json().unwrap(),
        );
        let contract = |proxy| proxy_under(proxy, &root, &params);
        let contracts: Vec<Address> = (0..proxies).map(contract).collect();
        let client_wallet = wallet(&CLIENT_KEY, &client_owner());
        let client = client_state_init(&client_wallet, &contracts[0], &public_key(0), &params)
            .unwrap()
            .address()
            .unwrap();
        Self {
            files,
            chain: chain.snapshot(),
            root,
            proxies: contracts,
            client,
            client_wallet,
            params,
        }
    }

    /// A proxy's contract under these terms.
    pub(crate) fn proxy_under(&self, proxy: u8, params: &Params) -> Address {
        proxy_under(proxy, &self.root, params)
    }

    /// The honest client's contract with a proxy under these terms.
    pub(crate) fn client_under(&self, proxy: u8, params: &Params) -> Address {
        let contract = self.proxy_under(proxy, params);
        client_state_init(&self.client_wallet, &contract, &public_key(proxy), params)
            .unwrap()
            .address()
            .unwrap()
    }

    /// The wallets of all runners.
    pub(crate) fn wallets(&self) -> Vec<Address> {
        let proxies = (0..)
            .zip(&self.proxies)
            .map(|(proxy, _)| wallet(&wallet_key(proxy), &proxy_owner(proxy)));
        proxies.chain([self.client_wallet.clone()]).collect()
    }

    /// Opens the contract of the lying client, with the hash of its secret.
    pub(crate) fn liars_contract(&self) -> InternalMessage {
        let owner = liars_owner();
        let state_init = client_state_init(&owner, &self.proxies[0], &public_key(0), &self.params).unwrap();
        let amount = Nanoton::from_ton(20);
        let top_up = TopUpWithSecretFromOwner {
            query_id: QueryId::new(1),
            top_up_amount: amount,
            new_secret_hash: HashBytes(Sha256::digest(rogue::SECRET).into()),
            send_excesses_to: owner,
        };
        InternalMessage {
            to: state_init.address().unwrap(),
            value: Nanoton::from_ton(21),
            bounce: false,
            body: to_cell(&top_up).unwrap(),
            state_init: Some(state_init),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}
