//! The published log: what is durable is in it, signed, and it only grows.

use std::sync::Arc;

use crate::recovery::get;
use crate::support::{Act, Client, Network, Worker, address, until};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_proxy::{LogConfig, ProxyConfig, WitnessConfig};
use cocoon_ratls::SystemClock;
use cocoon_receipt::SignedReceipt;
use cocoon_receipt::log::Checkpoint;
use cocoon_tlog::{Description, DiskFolder, HttpSource, PublishedLog, Witness, witness};
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;

fn config(network: &Network) -> ProxyConfig {
    let mut config = network.config();
    config.log = LogConfig {
        folder: Some(network.folder.path().join("log")),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        every: 0.1,
        ..LogConfig::default()
    };
    config
}

async fn open(url: &str) -> Option<PublishedLog> {
    let source = Arc::new(HttpSource::new(url).unwrap());
    let key = Description::read(source.as_ref()).await.ok()?.public_key().unwrap();
    PublishedLog::open(source, key).await.ok()
}

/// The log once it has so many receipts, all signed by their workers.
async fn with(url: &str, size: u64) -> (Checkpoint, Vec<SignedReceipt>) {
    for _ in 0..200 {
        if let Some(log) = open(url).await.filter(|log| log.size() == size) {
            let read: Vec<_> = log.receipts(0).collect().await;
            let receipts: Vec<_> = read.into_iter().flat_map(|batch| batch.unwrap().1).collect();
            if receipts.iter().all(|receipt| receipt.worker_signature.is_some()) {
                for receipt in &receipts {
                    receipt.verify_proxy(log.key()).unwrap();
                    for hash in [
                        receipt.receipt.proxy_evidence,
                        receipt.receipt.statement.worker_evidence,
                    ] {
                        assert!(log.evidence(&hash).await.unwrap().is_some(), "{hash}");
                    }
                }
                return (log.checkpoint().clone(), receipts);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the log has not {size} receipts")
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_published_with_their_evidence_and_the_log_goes_on_after_a_restart() {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let (proxy, stop) = network.try_start(config(&network)).await.unwrap();
    let url = format!("http://{}", proxy.log.unwrap());
    with(&url, 0).await;
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    let (first, receipts) = with(&url, 1).await;
    let kept = cocoon_store::read_receipts(&network.store_dir().join("receipts.log")).unwrap();
    assert_eq!(receipts, kept);
    client.ask(2).await;
    stop.cancel();
    proxy.join().await.unwrap();
    // What was durable at the end is published, by this life or the next one.
    let (proxy, stop) = network.try_start(config(&network)).await.unwrap();
    let url = format!("http://{}", proxy.log.unwrap());
    let (second, receipts) = with(&url, 2).await;
    assert_eq!(second.origin, first.origin);
    let kept = cocoon_store::read_receipts(&network.store_dir().join("receipts.log")).unwrap();
    assert_eq!(receipts, kept);
    open(&url).await.unwrap().must_continue(&first).await.unwrap();
    // The same without the mark: the receipt log is read from its beginning.
    stop.cancel();
    proxy.join().await.unwrap();
    std::fs::remove_file(network.folder.path().join("log/mark.json")).unwrap();
    let (proxy, _stop) = network.try_start(config(&network)).await.unwrap();
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(3).await;
    let url = format!("http://{}", proxy.log.unwrap());
    with(&url, 3).await;
    open(&url).await.unwrap().must_continue(&second).await.unwrap();
    // Counted once it is published: whoever reads the log may be earlier.
    for _ in 0..200 {
        if get(proxy.http, "/metrics")
            .await
            .contains("cocoon_proxy_published_receipts 3\n")
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the receipts that were published are not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_signed_by_the_witnesses_that_can_be_reached() {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    let key = PublicKey::from(&SigningKey::from_bytes(&[21; 32]));
    let folder = DiskFolder::shared(network.folder.path().join("witness"));
    let own = SigningKey::from_bytes(&[77; 32]);
    let witness = Arc::new(Witness::open("witness.example".into(), own, &[key], folder).unwrap());
    let verifier = witness.verifier();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = witness::router(witness, SystemClock::shared());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut config = config(&network);
    let away = "http://127.0.0.1:9".to_owned();
    let entry = |url| WitnessConfig {
        url,
        key: verifier.verifier_key(),
    };
    config.log.witnesses = vec![entry(url), entry(away)];
    let (proxy, _stop) = network.try_start(config).await.unwrap();
    let url = format!("http://{}", proxy.log.unwrap());
    Worker::connect(&network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(&network, proxy.clients, address(3)).await;
    client.ask(1).await;
    with(&url, 1).await;
    until("witnessed", || {
        let note = std::fs::read_to_string(network.folder.path().join("log/checkpoint")).unwrap_or_default();
        let seen = Checkpoint::cosignatures(&note, std::slice::from_ref(&verifier)).unwrap_or_default();
        seen.len() == 1 && note.contains("\n1\n")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_named() {
    let network = Network::new();
    let refused = async |change: fn(&mut LogConfig)| {
        let mut config = config(&network);
        change(&mut config.log);
        network.try_start(config).await.unwrap_err().to_string()
    };
    assert!(refused(|log| log.every = 0.0).await.starts_with("log.every must be"));
    assert!(refused(|log| log.count = 0).await.starts_with("log.count must be"));
    assert!(refused(|log| log.folder = None).await.starts_with("log.folder must be"));
    let witness = |log: &mut LogConfig| {
        log.witnesses.push(WitnessConfig {
            url: "http://w".into(),
            key: "x".into(),
        });
    };
    assert!(refused(witness).await.starts_with("log.witnesses must be"));
}
