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
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{nodes, rogue};

/// When the chain begins, Unix seconds.
pub(crate) const BEGIN: u32 = 1_780_000_000;
/// The one model.
pub(crate) const MODEL: &str = "parrot@1:2";

const CONTRACT_KEY: [u8; 32] = [21; 32];
const WALLET_KEY: [u8; 32] = [22; 32];
const CLIENT_KEY: [u8; 32] = [23; 32];

/// The beginning of every world.
pub(crate) struct Setting {
    pub(crate) files: TempDir,
    pub(crate) chain: Snapshot,
    pub(crate) root: Address,
    pub(crate) proxy: Address,
    /// The client's contract with this proxy.
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

/// The key that the proxy's contract is known by.
pub(crate) fn public_key() -> PublicKey {
    PublicKey::from(&contract_key())
}

/// The key that the proxy signs with.
pub(crate) fn contract_key() -> SigningKey {
    SigningKey::from_bytes(&CONTRACT_KEY)
}

pub(crate) fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

/// Who owns the proxy's wallet, and with it its contract.
pub(crate) fn proxy_owner() -> Address {
    address(2)
}

/// Who owns the client's wallet.
pub(crate) fn client_owner() -> Address {
    address(3)
}

impl Setting {
    pub(crate) fn new() -> Self {
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
        let endpoints = ProxyEndpoints {
            workers: nodes::PROXY_FOR_WORKERS.to_owned(),
            clients: nodes::PROXY_FOR_CLIENTS.to_owned(),
        };
        let data = RootData {
            proxy_hashes: [simulated_measurements("proxy").image_hash()].into(),
            proxies: [(1, endpoints)].into(),
            last_proxy_seqno: 1,
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
        for (file, key, owner) in [
            ("proxy.key", WALLET_KEY, proxy_owner()),
            ("client.key", CLIENT_KEY, client_owner()),
        ] {
            write(file, &hex::encode(key));
            let wallet = wallet_state_init(&PublicKey::from(&SigningKey::from_bytes(&key)), &owner).unwrap();
            chain.fund(&wallet.address().unwrap(), Nanoton::from_ton(500)).unwrap();
        }
        chain.run().unwrap();
        write("contract.key", &hex::encode(CONTRACT_KEY));
        write("secret", "open sesame");
        write(
            "platform.json",
            &SimulatedPlatform::generate().unwrap().to_json().unwrap(),
        );
        let key = public_key();
        let proxy = proxy_state_init(&proxy_owner(), &key, &root, &params)
            .unwrap()
            .address()
            .unwrap();
        let wallet_key = PublicKey::from(&SigningKey::from_bytes(&CLIENT_KEY));
        let wallet = wallet_state_init(&wallet_key, &client_owner())
            .unwrap()
            .address()
            .unwrap();
        let client = client_state_init(&wallet, &proxy, &key, &params)
            .unwrap()
            .address()
            .unwrap();
        Self {
            files,
            chain: chain.snapshot(),
            root,
            proxy,
            client,
            client_wallet: wallet,
            params,
        }
    }

    /// The proxy's contract under these terms.
    pub(crate) fn proxy_under(&self, params: &Params) -> Address {
        proxy_state_init(&proxy_owner(), &public_key(), &self.root, params)
            .unwrap()
            .address()
            .unwrap()
    }

    /// Opens the contract of the lying client, with the hash of its secret.
    pub(crate) fn liars_contract(&self) -> InternalMessage {
        let owner = liars_owner();
        let state_init = client_state_init(&owner, &self.proxy, &public_key(), &self.params).unwrap();
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
