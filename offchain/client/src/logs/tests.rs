//! Lookups in a log that grows, is slow, goes back or shows two histories.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cocoon_bindings::checkpoint::SignedCheckpoint;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::SignedReceipt;
use cocoon_receipt::log::Checkpoint;
use cocoon_tlog::{DiskFolder, Publisher};
use ed25519_dalek::SigningKey;

use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn public_key() -> PublicKey {
    PublicKey::from(&key())
}

fn public_key_of(tag: u8) -> PublicKey {
    PublicKey::from(&SigningKey::from_bytes(&[tag; 32]))
}

/// The receipts of the vectors, one after the other in the log of another key.
fn receipts() -> Vec<SignedReceipt> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log");
    let bytes = std::fs::read(golden.join("receipts/000")).unwrap();
    let boc = |at: usize| {
        let length = usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        (&bytes[at + 2..at + 2 + length], at + 2 + length)
    };
    let (mut at, mut all) = (0, Vec::new());
    while at < bytes.len() && all.len() < 20 {
        let (receipt, next) = boc(at);
        all.push(SignedReceipt::from_boc(receipt).unwrap());
        at = next;
    }
    all
}

struct Stage {
    folder: tempfile::TempDir,
    receipts: Vec<SignedReceipt>,
}

impl Stage {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            receipts: receipts(),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Publishes these receipts anew, as a proxy that never had others.
    fn publish(&self, numbers: impl IntoIterator<Item = usize>) {
        let _ = std::fs::remove_dir_all(self.log());
        let mut publisher = Publisher::open(DiskFolder::shared(self.log()), key()).unwrap();
        for number in numbers {
            publisher.add(&self.receipts[number]).unwrap();
        }
        publisher.publish(None).unwrap();
    }

    /// What a client knows when it starts.
    fn logs(&self, url: String) -> Arc<Logs> {
        let store = ClientStore::open(&self.folder.path().join("client")).unwrap();
        let places = [LogPlace { url, proxy: None }];
        let contradictions = self.folder.path().join("contradictions");
        Arc::new(Logs::new(&places, Arc::new(Mutex::new(store)), &contradictions).unwrap())
    }

    fn here(&self) -> Arc<Logs> {
        std::fs::create_dir_all(self.log()).unwrap();
        self.logs(self.log().display().to_string())
    }

    fn wanted(&self, number: usize) -> Wanted {
        let receipt = &self.receipts[number];
        Wanted {
            id: receipt.id(),
            proxy: receipt.receipt.statement.proxy.clone(),
            finished_ms: receipt.receipt.statement.timing.finished_ms,
        }
    }

    async fn prove(&self, logs: &Arc<Logs>, number: usize) -> Result<InclusionProof, NoProof> {
        logs.prove(self.wanted(number), std::future::ready(Ok(public_key())))
            .await
    }
}

#[tokio::test]
async fn a_receipt_is_proven_once_the_log_has_it() {
    let stage = Stage::new();
    let logs = stage.here();
    assert!(
        matches!(stage.prove(&logs, 3).await, Err(NoProof::Absent { size: 0 })),
        "no checkpoint yet"
    );
    stage.publish(0..5);
    assert!(matches!(stage.prove(&logs, 7).await, Err(NoProof::Absent { size: 5 })));
    for size in [8, 12] {
        stage.publish(0..size);
        let proof = stage.prove(&logs, 7).await.unwrap();
        let id = stage.wanted(7).id;
        assert_eq!(proof.verify(&id, &public_key()).unwrap().size, 8, "a proof is kept");
    }
    assert_eq!(stage.prove(&logs, 9).await.unwrap().index, 9);
    assert_eq!((logs.ended(Ended::Included), logs.ended(Ended::Absent)), (2, 2));
    let unknown = LogPlace {
        url: stage.log().display().to_string(),
        proxy: Some(Address::new(0, HashBytes([9; 32])).to_string()),
    };
    let store = ClientStore::open(&stage.folder.path().join("other")).unwrap();
    let logs = Arc::new(Logs::new(&[unknown], Arc::new(Mutex::new(store)), Path::new("/none")).unwrap());
    assert!(matches!(stage.prove(&logs, 9).await, Err(NoProof::NoLog)));
}

#[tokio::test]
async fn a_log_that_goes_back_is_refused_also_by_a_client_that_was_started_again() {
    let stage = Stage::new();
    let logs = stage.here();
    stage.publish(0..12);
    stage.prove(&logs, 3).await.unwrap();
    drop(logs);
    stage.publish(0..10);
    let logs = stage.here();
    let behind = stage.prove(&logs, 4).await;
    assert!(
        matches!(behind, Err(NoProof::Behind { found: 10, known: 12 })),
        "{behind:?}"
    );
    stage.publish(0..13);
    assert_eq!(stage.prove(&logs, 4).await.unwrap().index, 4);
}

#[tokio::test]
async fn two_histories_are_refused_and_both_are_kept() {
    let stage = Stage::new();
    let logs = stage.here();
    stage.publish(0..12);
    stage.prove(&logs, 3).await.unwrap();
    let known = std::fs::read_to_string(stage.log().join("checkpoint")).unwrap();
    stage.publish((0..12).rev().chain(12..15));
    let found = std::fs::read_to_string(stage.log().join("checkpoint")).unwrap();
    for _ in 0..2 {
        let refused = stage.prove(&logs, 14).await.unwrap_err();
        assert!(matches!(refused, NoProof::Contradiction(..)), "{refused}");
        assert!(refused.to_string().contains("TWO HISTORIES"), "{refused}");
    }
    assert_eq!(logs.ended(Ended::Contradiction), 2);
    let file = stage
        .folder
        .path()
        .join(format!("contradictions/{}.json", public_key()));
    let note = |which: &str| std::fs::read_to_string(file.with_extension(which)).unwrap();
    assert_eq!((note("known"), note("found")), (known.clone(), found.clone()));
    let evidence: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((&evidence["known"], &evidence["found"]), (&known.into(), &found.into()));
    assert!(!evidence["consistency"].as_array().unwrap().is_empty());
    // The history that was seen first is still good.
    stage.publish(0..15);
    assert_eq!(stage.prove(&logs, 14).await.unwrap().index, 14);
}

#[tokio::test]
async fn a_silent_log_holds_a_page_up_for_a_bounded_time_only() {
    let stage = Stage::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let logs = stage.logs(format!("http://{}", listener.local_addr().unwrap()));
    let began = Instant::now();
    assert!(matches!(stage.prove(&logs, 0).await, Err(NoProof::Slow)));
    assert!(began.elapsed() < INCLUSION_WAIT + Duration::from_millis(500));
    // Each goes on in the background, a few of them.
    for _ in 1..MAX_LOG_LOOKUPS {
        let asked = tokio::time::timeout(Duration::from_millis(10), stage.prove(&logs, 0)).await;
        assert!(asked.is_err());
    }
    assert!(matches!(stage.prove(&logs, 0).await, Err(NoProof::Busy)));
    drop(listener);
    let away = stage.folder.path().join("away");
    std::fs::create_dir(&away).unwrap();
    assert!(matches!(
        Logs::new(
            &[LogPlace {
                url: "ftp://x".into(),
                proxy: None
            }],
            Arc::new(Mutex::new(ClientStore::open(&away).unwrap())),
            &away
        ),
        Err(RunnerError::ConfigValue { .. })
    ));
}

#[tokio::test]
async fn a_slow_log_keeps_no_other_waiting_and_a_log_that_had_receipts_is_not_new() {
    let stage = Stage::new();
    stage.publish(0..5);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = Address::new(0, HashBytes([9; 32]));
    let places = [
        LogPlace {
            url: format!("http://{}", listener.local_addr().unwrap()),
            proxy: Some(slow.to_string()),
        },
        LogPlace {
            url: stage.log().display().to_string(),
            proxy: None,
        },
    ];
    let store = ClientStore::open(&stage.folder.path().join("client")).unwrap();
    let logs = Arc::new(Logs::new(&places, Arc::new(Mutex::new(store)), Path::new("/none")).unwrap());
    let wanted = Wanted {
        proxy: slow,
        ..stage.wanted(0)
    };
    for _ in 0..MAX_LOG_LOOKUPS {
        let asked = logs.prove(wanted.clone(), std::future::ready(Ok(public_key_of(2))));
        assert!(tokio::time::timeout(Duration::from_millis(10), asked).await.is_err());
    }
    let asked = logs.prove(wanted, std::future::ready(Ok(public_key_of(2)))).await;
    assert!(matches!(asked, Err(NoProof::Busy)));
    assert_eq!(stage.prove(&logs, 0).await.unwrap().index, 0);
    std::fs::remove_file(stage.log().join("checkpoint")).unwrap();
    assert!(matches!(stage.prove(&logs, 7).await, Err(NoProof::Unreachable(_))));
}

#[tokio::test]
async fn lines_of_strangers_do_not_keep_the_line_for_the_contract_away() {
    let stage = Stage::new();
    let logs = stage.here();
    stage.publish(0..5);
    let (path, key) = (stage.log().join("checkpoint"), public_key());
    let plain = std::fs::read_to_string(&path).unwrap();
    let padded = format!("{plain}{}", "— stranger.example/log AAAAAAAAAAAA\n".repeat(20));
    std::fs::write(&path, padded).unwrap();
    stage.prove(&logs, 3).await.unwrap();
    // The genuine one is shorter, and has the line for the contract.
    let checkpoint = Checkpoint::open(&plain, &Checkpoint::origin_of(&key), &key).unwrap();
    let proxy = stage.receipts[0].receipt.statement.proxy.clone();
    let cell = cocoon_bindings::checkpoint::Checkpoint::published(proxy, checkpoint.size, checkpoint.root).unwrap();
    let cell = SignedCheckpoint::sign(cell, &self::key()).unwrap();
    let genuine = Checkpoint::with_cells(&plain, &[cell], &key).unwrap();
    std::fs::write(&path, genuine).unwrap();
    let signed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(Checkpoint::cells(&signed, &key).unwrap().len(), 1);
    // One that it does not have yet: the log is opened anew.
    stage.prove(&logs, 9).await.unwrap_err();
    let kept = logs.follower.known(&key).await.unwrap().unwrap();
    assert_eq!(Checkpoint::cells(&kept, &key).unwrap().len(), 1);
}
