//! Two key managers of a network, and a worker whose wallet's key they give.

use std::path::Path;
use std::time::Duration;

use cocoon_attest::simulated::simulated_measurements;
use cocoon_keymanager::{BackupConfig, KeyManagerConfig, OwnerConfig, OwnerKey, RunningKeyManager, ShareFile, Start};
use cocoon_network_tests::inprocess::Network;
use cocoon_network_tests::upstream::Upstream;
use cocoon_runner::config::WalletConfig;
use cocoon_runner::seal::{KeyManagerConfig as Asked, ManagedKey};
use cocoon_worker::{BackendConfig, PayoutConfig, WorkerConfig};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);
const IMAGE: &str = "keymanager";

struct Replica {
    running: RunningKeyManager,
    stop: CancellationToken,
}

impl Replica {
    async fn start(config: KeyManagerConfig) -> Self {
        let stop = CancellationToken::new();
        let running = cocoon_keymanager::start(config, stop.clone()).await.unwrap();
        Self { running, stop }
    }

    fn address(&self) -> String {
        self.running.address.to_string()
    }

    async fn page(&self, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let reply = client.get(format!("http://{}{path}", self.running.http)).send().await;
        reply.unwrap().text().await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.join().await.unwrap();
    }
}

fn worker_config(network: &Network) -> WorkerConfig {
    let path = network.local().data().config_file("worker");
    cocoon_runner::config::load(&path).unwrap()
}

/// Keys for the network's workers, by the root contract's list, and for one more image that is no worker.
fn config(network: &Network, start: Start, backup: &BackupConfig) -> KeyManagerConfig {
    let worker = worker_config(network);
    let foreign = simulated_measurements("foreign").image_hash();
    let text = format!(
        "listen = '127.0.0.1:0'\nhttp = '127.0.0.1:0'\npow_difficulty = 8\n\
         chain = {{ url = 'http://127.0.0.1:1', root = '0:00' }}\n\
         [[policies]]\nname = 'workers'\nlisted = 'workers'\n\
         [[policies]]\nname = 'other'\nimages = ['{foreign}']\n"
    );
    let mut config: KeyManagerConfig = cocoon_runner::config::parse("keymanager.toml".as_ref(), &text).unwrap();
    config.chain = worker.chain;
    config.attestation = worker.attestation;
    config.start = start;
    config.backup = Some(backup.clone());
    config
}

/// Starts a worker with a managed wallet and gives the wallet's address; the worker ends before that.
async fn wallet_of_worker(
    network: &Network,
    image: &str,
    (replicas, id): (Vec<String>, cocoon_bindings::units::PublicKey),
    secret_file: &Path,
) -> Result<String, String> {
    let mut config = worker_config(network);
    // The network's own worker has the socket.
    config.admin = cocoon_runner::admin::AdminConfig::default();
    let upstream = Upstream::start(network.model(), Duration::ZERO, 1).await.unwrap();
    config.models[0].backend = BackendConfig::Upstream { url: upstream.url() };
    config.data_dir = network.local().data().path().join(format!("sealed-{}", next_name()));
    config.http = ([127, 0, 0, 1], 0).into();
    config.attestation.simulated_image = Some(image.to_owned());
    config.key_manager = Some(Asked {
        replicas,
        id,
        images: vec![simulated_measurements(IMAGE).image_hash()],
    });
    let wallet = WalletConfig {
        key_file: None,
        derived: None,
        managed: Some(ManagedKey {
            policy: "workers".to_owned(),
            node: "worker-1".to_owned(),
            secret_file: secret_file.to_owned(),
        }),
        owner: config.owner.clone(),
    };
    config.payout = Some(PayoutConfig {
        wallet,
        minimum_nanoton: 1,
    });
    let stop = CancellationToken::new();
    let started = cocoon_worker::start(config, stop.clone()).await;
    let running = started.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })?;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/jsonstats", running.http);
    let stats: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    stop.cancel();
    running.join.await.unwrap().unwrap();
    Ok(stats["wallet"]["address"].as_str().unwrap().to_owned())
}

fn next_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_its_key_again_after_a_restart_from_either_replica_and_after_a_restore() {
    let network = Network::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<OwnerKey> = (0..3)
        .map(|owner| OwnerKey::create(&folder.path().join(format!("owner-{owner}.key"))).unwrap())
        .collect();
    let backup = BackupConfig {
        threshold: 2,
        owners: keys.iter().map(OwnerKey::public).collect(),
    };
    let secret_file = folder.path().join("owner.secret");
    cocoon_runner::keys::load_or_create_key(&secret_file).unwrap();

    let first = Replica::start(config(&network, Start::New, &backup)).await;
    let id = first.running.id().unwrap();
    let mut joining = config(&network, Start::Join, &backup);
    (joining.id, joining.peers) = (Some(id), vec![first.address()]);
    let second = Replica::start(joining).await;
    tokio::time::timeout(LIMIT, second.running.ready()).await.unwrap();

    let both = || (vec![first.address(), second.address()], id);
    let wallet = wallet_of_worker(&network, "worker", both(), &secret_file)
        .await
        .unwrap();
    assert_eq!(
        wallet_of_worker(&network, "worker", both(), &secret_file)
            .await
            .unwrap(),
        wallet
    );
    let refused = wallet_of_worker(&network, "foreign", both(), &secret_file)
        .await
        .unwrap_err();
    assert!(refused.contains("does not hold the peer's image"), "{refused}");

    // The first replica is gone; the worker asks the next one.
    let shares: Vec<ShareFile> = serde_json::from_str(&first.page("/backup").await).unwrap();
    let gone = first.address();
    first.end().await;
    let other = (vec![gone, second.address()], id);
    assert_eq!(
        wallet_of_worker(&network, "worker", other, &secret_file).await.unwrap(),
        wallet
    );

    // All replicas are gone; two of three owners bring the key manager back.
    second.end().await;
    let mut restoring = config(&network, Start::Restore, &backup);
    restoring.id = Some(id);
    let restored = Replica::start(restoring).await;
    let worker = worker_config(&network);
    let owner = OwnerConfig {
        images: vec![simulated_measurements(IMAGE).image_hash()],
        chain: worker.chain,
        attestation: worker.attestation,
    };
    let given = owner.give(&restored.address(), &shares[..1], &keys[..1]).await.unwrap();
    assert_eq!((given.have, given.need, given.simulated), (1, 2, true));
    assert_eq!(restored.running.id(), None, "one share gives nothing");
    let given = owner.give(&restored.address(), &shares[2..], &keys[2..]).await.unwrap();
    assert_eq!((given.have, given.need), (2, 2));
    assert_eq!(restored.running.id(), Some(id));
    let after = (vec![restored.address()], id);
    assert_eq!(
        wallet_of_worker(&network, "worker", after, &secret_file).await.unwrap(),
        wallet
    );
    restored.end().await;
    network.stop().await.unwrap();
}
