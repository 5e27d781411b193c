//! A simulated platform, a root contract, replicas of a key manager and nodes that ask them.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; each file uses its part")]

use std::sync::Arc;

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_bindings::{Multipliers, Nanoton, Params, ParamsVersion, RootData};
use cocoon_chain::RootView;
use cocoon_keymanager::{KeyManagerConfig, Parts, RunningKeyManager, Start, start_with};
use cocoon_ratls::{Connector, EvidenceSource, IdentityKeeper, NoEvidence, PeerPolicy, Simulated, SystemClock};
use cocoon_runner::config::AttestationConfig;
use cocoon_runner::seal::{KeyManager, KeyManagerConfig as Asked, ManagedKey};
use cocoon_runner::trust::Trust;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The image of key managers.
pub(crate) const KEY_MANAGER: &str = "keymanager";

pub(crate) fn image(name: &str) -> ImageHash {
    simulated_measurements(name).image_hash()
}

pub(crate) fn root(is_test: bool, proxies: &[&str], workers: &[&str]) -> Arc<RootView> {
    let params = Params {
        struct_version: 3,
        params_version: ParamsVersion::new(1),
        unique_id: 1,
        is_test,
        price_per_token: Nanoton::new(2),
        worker_fee_per_token: Nanoton::new(1),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 0,
        client_delay_before_close: 0,
        min_proxy_stake: Nanoton::ZERO,
        min_client_stake: Nanoton::ZERO,
        proxy_code: None,
        worker_code: None,
        client_code: None,
    };
    let address = Address::new(0, HashBytes([1; 32]));
    let mut data = RootData::default();
    for name in proxies {
        data.proxy_hashes.insert(image(name));
    }
    for name in workers {
        data.worker_hashes.insert(image(name));
    }
    Arc::new(RootView {
        owner: address.clone(),
        address,
        version: 1,
        params,
        data,
        time: 0,
    })
}

pub(crate) struct World {
    pub(crate) platform: SimulatedPlatform,
    pub(crate) trust: Trust,
    pub(crate) root: watch::Sender<Arc<RootView>>,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.json");
        std::fs::write(&path, platform.to_json().unwrap()).unwrap();
        let (root, watched) = watch::channel(root(true, &["proxy"], &["worker"]));
        let config = AttestationConfig {
            simulated_platform: Some(path),
            ..AttestationConfig::default()
        };
        let trust = Trust::load(&config, watched, SystemClock::shared()).unwrap();
        Self {
            platform,
            trust,
            root,
            folder,
        }
    }

    pub(crate) fn identities(&self, image: Option<&str>) -> Arc<IdentityKeeper> {
        let source: Arc<dyn EvidenceSource> = match image {
            Some(image) => Arc::new(Simulated::for_role(self.platform.clone(), image)),
            None => Arc::new(NoEvidence),
        };
        Arc::new(IdentityKeeper::new(source, SystemClock::shared()).unwrap())
    }

    pub(crate) fn parts(&self, image: Option<&str>) -> Parts {
        Parts {
            identities: self.identities(image),
            trust: self.trust.store(),
            root: self.root.subscribe(),
            clock: SystemClock::shared(),
            is_simulated: true,
        }
    }

    /// A configuration with a policy for each list of the root contract, and one of a single image.
    pub(crate) fn config(&self, start: Start, id: Option<PublicKey>, peers: &[String]) -> KeyManagerConfig {
        let head = r#"
            listen = "127.0.0.1:0"
            http = "127.0.0.1:0"
            pow_difficulty = 4
            chain = { url = "http://127.0.0.1:1", root = "0:00" }
        "#;
        let policies = format!(
            "[[policies]]\nname = 'proxies'\nlisted = 'proxies'\n[[policies]]\nname = 'workers'\nlisted = 'workers'\n\
             [[policies]]\nname = 'tool'\nimages = ['{}']\n",
            image("tool")
        );
        let text = format!("{head}\n{policies}");
        let mut config: KeyManagerConfig = cocoon_runner::config::parse("keymanager.toml".as_ref(), &text).unwrap();
        config.start = start;
        config.id = id;
        config.peers = peers.to_vec();
        config
    }

    pub(crate) async fn replica(&self, config: &KeyManagerConfig) -> Replica {
        let stop = CancellationToken::new();
        let parts = self.parts(Some(KEY_MANAGER));
        let running = start_with(config, parts, stop.clone()).await.unwrap();
        Replica { running, stop }
    }

    /// The first replica of a new key manager.
    pub(crate) async fn first(&self) -> Replica {
        self.replica(&self.config(Start::New, None, &[])).await
    }

    pub(crate) fn connector(&self, own: Option<&str>, policy: PeerPolicy) -> Connector {
        Connector::new(self.identities(own), self.trust.store(), policy, SystemClock::shared())
    }

    /// A node of an image that asks these replicas.
    pub(crate) fn asker(&self, own: &str, id: PublicKey, replicas: &[String]) -> KeyManager {
        let config = Asked {
            replicas: replicas.to_vec(),
            id,
            images: vec![image(KEY_MANAGER)],
        };
        KeyManager::new(&config, self.identities(Some(own)), &self.trust, SystemClock::shared()).unwrap()
    }

    /// A key of an owner, by the policy and the node's name.
    pub(crate) fn key(&self, owner: &str, policy: &str, node: &str) -> ManagedKey {
        let path = self.folder.path().join(owner);
        if !path.exists() {
            cocoon_runner::keys::load_or_create_key(&path).unwrap();
        }
        ManagedKey {
            policy: policy.to_owned(),
            node: node.to_owned(),
            secret_file: path,
        }
    }
}

pub(crate) struct Replica {
    pub(crate) running: RunningKeyManager,
    pub(crate) stop: CancellationToken,
}

impl Replica {
    pub(crate) fn address(&self) -> String {
        self.running.address.to_string()
    }

    pub(crate) fn id(&self) -> PublicKey {
        self.running.id().unwrap()
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.join().await.unwrap();
    }
}
