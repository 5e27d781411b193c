//! The log that the independent implementation in Python wrote, and what it says about it (`tests/vectors/gen/log.py`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::{Checkpoint, WitnessKey};
use cocoon_receipt::tree::{self, leaf_hash, verify_consistency, verify_inclusion};
use cocoon_receipt::{ReceiptId, SignedReceipt};
use ed25519_dalek::SigningKey;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::{Description, DiskFolder, FolderSource, Mirror, PublishedLog, Publisher};

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log")
}

fn told() -> Value {
    let text = std::fs::read(base().with_extension("json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn hash(value: &Value) -> HashBytes {
    value.as_str().unwrap().parse().unwrap()
}

fn hashes(value: &Value) -> Vec<HashBytes> {
    value.as_array().unwrap().iter().map(hash).collect()
}

fn key() -> PublicKey {
    told()["proxy_key"].as_str().unwrap().parse().unwrap()
}

async fn open() -> PublishedLog {
    PublishedLog::open(Arc::new(FolderSource::new(base())), key())
        .await
        .unwrap()
}

async fn receipts(log: &PublishedLog) -> Vec<SignedReceipt> {
    let batches: Vec<_> = log.receipts(0).collect().await;
    batches.into_iter().flat_map(|batch| batch.unwrap().1).collect()
}

#[tokio::test]
async fn every_receipt_of_the_golden_log_is_the_one_that_it_tells() {
    let (log, told) = (open().await, told());
    let described = Description::read(&FolderSource::new(base())).await.unwrap();
    assert_eq!(described.public_key().unwrap(), key());
    assert_eq!(described.key, told["verifier_key"].as_str().unwrap());
    assert_eq!(log.checkpoint().origin, told["origin"].as_str().unwrap());
    assert_eq!((log.size(), log.checkpoint().root), (275, hash(&told["root"])));
    let receipts = receipts(&log).await;
    let expected = told["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), expected.len());
    for (receipt, expected) in receipts.iter().zip(expected) {
        receipt.verify_proxy(log.key()).unwrap();
        assert_eq!(receipt.id().to_string(), expected["id"].as_str().unwrap());
        assert_eq!(receipt.receipt.charged(), expected["charged"].as_u64().unwrap());
        assert_eq!(receipt.receipt.client.to_string(), expected["client"].as_str().unwrap());
        let is_signed = expected["signed_by_worker"].as_bool().unwrap();
        assert_eq!(receipt.worker_signature.is_some(), is_signed);
        let evidence = receipt.receipt.statement.worker_evidence;
        assert!(log.evidence(&evidence).await.unwrap().is_some());
        if is_signed {
            let worker: PublicKey = told["evidence"][&evidence.to_string()]["key"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!(receipt.verify_worker(&worker).unwrap());
        }
    }
    let witness = WitnessKey::parse(told["witness"]["verifier_key"].as_str().unwrap()).unwrap();
    let seen = log.cosignatures(&[witness]).unwrap();
    assert_eq!(
        (seen.len(), seen[0].time),
        (1, told["witness"]["time"].as_u64().unwrap())
    );
}

#[tokio::test]
async fn roots_and_proofs_are_those_of_the_other_implementation() {
    let (log, told) = (open().await, told());
    let ids: Vec<ReceiptId> = receipts(&log).await.iter().map(SignedReceipt::id).collect();
    let leaf = |index: u64| leaf_hash(ids[index as usize].0.as_slice());
    let leaves: Vec<_> = (0..275).map(leaf).collect();
    for (size, root) in told["roots"].as_object().unwrap() {
        let size = size.parse().unwrap();
        assert_eq!(log.prefix_root(size).await.unwrap(), hash(root), "{size}");
    }
    let root = |size: u64| tree::root(&leaves[..size as usize]);
    for case in told["inclusion"].as_array().unwrap() {
        let (index, size) = (case["index"].as_u64().unwrap(), case["size"].as_u64().unwrap());
        let proof = hashes(&case["proof"]);
        assert!(
            verify_inclusion(&leaf(index), index, size, &proof, &root(size)),
            "{index} of {size}"
        );
        if size == log.size() {
            assert_eq!(log.prove(index).await.unwrap().path, proof);
        }
    }
    for case in told["consistency"].as_array().unwrap() {
        let (old, new) = (case["old"].as_u64().unwrap(), case["new"].as_u64().unwrap());
        let proof = hashes(&case["proof"]);
        assert!(
            verify_consistency(old, &root(old), new, &root(new), &proof),
            "{old} to {new}"
        );
        if new == log.size() {
            assert_eq!(log.consistency_proof(old).await.unwrap(), proof);
        }
    }
}

#[test]
fn checkpoints_that_must_be_refused_are() {
    let told = told();
    let open = |note: &Value| Checkpoint::open(note.as_str().unwrap(), &Checkpoint::origin_of(&key()), &key());
    open(&told["checkpoint"]).unwrap();
    assert_eq!(open(&told["empty_checkpoint"]).unwrap().size, 0);
    for case in told["refused_checkpoints"].as_array().unwrap() {
        assert!(open(&case["note"]).is_err(), "{}", case["name"]);
    }
}

#[tokio::test]
async fn what_is_signed_for_the_contract_is_of_the_log_or_refused() {
    let (log, told) = (open().await, told());
    let bound = &told["bound"];
    let cells = log.cells().await.unwrap();
    let [cell] = cells.as_slice() else { panic!("one line") };
    assert_eq!(cell.checkpoint.proxy.to_string(), bound["contract"].as_str().unwrap());
    assert_eq!(cell.checkpoint.size, bound["size"].as_u64().unwrap());
    assert_eq!(cell.checkpoint.hash().unwrap(), hash(&bound["cell_hash"]));
    for case in told["refused_lines"].as_array().unwrap() {
        let source = Arc::new(FolderSource::new(base()));
        let note = case["note"].as_str().unwrap().to_owned();
        let log = PublishedLog::open_at(source, key(), note).await.unwrap();
        assert!(log.cells().await.is_err(), "{}", case["name"]);
    }
}

#[tokio::test]
async fn what_is_said_of_two_workers_is_read_with_both() {
    let (log, told) = (open().await, told());
    let compared = log.compared().await.unwrap();
    let expected = told["challenges"].as_array().unwrap();
    assert_eq!(compared.len(), expected.len());
    for (one, expected) in compared.iter().zip(expected) {
        let record = &one.challenge.record;
        assert_eq!(record.result.name(), expected["result"].as_str().unwrap());
        assert_eq!(record.time_ms, expected["time"].as_u64().unwrap());
        assert_eq!(
            (record.first.0, record.second.0),
            (hash(&expected["first"]), hash(&expected["second"]))
        );
        assert_ne!(one.first.worker, one.second.worker);
    }
}

#[tokio::test]
async fn our_publisher_writes_the_same_files_and_our_mirror_copies_them() {
    let (log, told) = (open().await, told());
    let secret = hash(&told["proxy_secret"]);
    let folder = tempfile::tempdir().unwrap();
    let published = folder.path().join("published");
    let mut publisher = Publisher::open(DiskFolder::shared(&published), SigningKey::from_bytes(&secret.0)).unwrap();
    for receipt in receipts(&log).await {
        publisher.add(&receipt).unwrap();
    }
    assert_eq!(publisher.publish(None).unwrap(), told["checkpoint"].as_str().unwrap());
    publisher.cover(log.cells().await.unwrap());
    assert!(publisher.renew().unwrap() && !publisher.renew().unwrap());
    assert_eq!(publisher.note(), told["bound"]["checkpoint"].as_str());
    let records = log.challenges().await.unwrap();
    let records: Vec<_> = records.iter().map(|record| record.to_bytes().to_vec()).collect();
    publisher.add_challenges(0, &records[..2]).unwrap();
    // The proxy died before it could note that these left.
    publisher.add_challenges(0, &records).unwrap();
    let mirrored = folder.path().join("mirrored");
    let source = Arc::new(FolderSource::new(base()));
    let mut mirror = Mirror::open(source, key(), DiskFolder::shared(&mirrored)).unwrap();
    mirror.update(&mut |_, _| ()).await.unwrap();
    let read = |base: &Path, path: &str| std::fs::read(base.join(path)).unwrap();
    for path in [
        "tile/0/000",
        "tile/0/001.p/19",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/19",
        "receipts/000",
        "receipts/001.p/19",
        "signatures/000",
        "signatures/001.p/19",
        "challenges/000",
    ] {
        assert_eq!(read(&published, path), read(&base(), path), "{path}");
        assert_eq!(read(&mirrored, path), read(&base(), path), "{path}");
    }
    for path in ["checkpoint", "log.json"] {
        assert_eq!(read(&mirrored, path), read(&base(), path), "{path}");
    }
}
