//! The published log against the receipt log: the same, longer, shorter, another.

use std::path::Path;

use cocoon_bindings::tokens::TokensUsed;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion};
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, SignedReceipt, Timing, WorkStatement};
use cocoon_store::{LogRecord, RealDisk, ReceiptLog};

use super::*;

fn receipt(number: u64, tag: u8) -> SignedReceipt {
    let address = |tag| Address::new(0, HashBytes([tag; 32]));
    let channel = ChannelLink {
        seqno: number + 1,
        previous: HashBytes([tag; 32]),
        before: 0,
        after: 0,
    };
    let statement = WorkStatement {
        root: address(1),
        params_version: ParamsVersion::new(1),
        proxy: address(2),
        worker: address(3),
        client: HashBytes([3; 32]),
        request_id: HashBytes([4; 32]),
        channel,
        request_hash: HashBytes([5; 32]),
        response_hash: HashBytes([6; 32]),
        sampling_hash: HashBytes::ZERO,
        seed: 1,
        model: ModelHash::new([7; 32]),
        worker_evidence: HashBytes([8; 32]),
        counts: None,
        used: TokensUsed::default(),
        coefficient: Coefficient::new(1000),
        timing: Timing {
            started_ms: 1,
            first_token_ms: 2,
            finished_ms: 3,
        },
        finish: FinishReason::Stop,
    };
    let receipt = Receipt {
        statement,
        client: address(12),
        request_id: HashBytes([4; 32]),
        channel,
        proxy_evidence: HashBytes([9; 32]),
    };
    SignedReceipt::sign(receipt, &key())
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

/// Writes a receipt log; returns the tree over it.
fn write(path: &Path, receipts: &[SignedReceipt]) -> Frontier {
    let _ = std::fs::remove_file(path);
    let mut log = ReceiptLog::open(path, 0, |_| Ok(())).unwrap();
    let mut tree = Frontier::default();
    for receipt in receipts {
        log.append(&[LogRecord::Receipt(receipt.clone())]).unwrap();
        tree.push(leaf_hash(receipt.id().0.as_slice()));
    }
    tree
}

struct Folders(tempfile::TempDir);

impl Folders {
    fn path(&self) -> PathBuf {
        self.0.path().join("receipts.log")
    }

    fn open(&self) -> Result<Feed, ProxyError> {
        Feed::open(Origin {
            folder: self.0.path().join("log"),
            receipts: self.path(),
            disk: RealDisk::shared(),
            evidence: EvidenceFolder::open(&self.0.path().join("evidence")).unwrap(),
            key: key(),
        })
    }

    fn publish(&self, tree: &Frontier) -> Result<bool, ProxyError> {
        self.open()?.publish(tree, ("root".into(), "proxy".into()))
    }
}

#[test]
fn a_receipt_log_that_did_not_lead_to_the_published_one_is_a_rolled_back_database() {
    let folders = Folders(tempfile::tempdir().unwrap());
    let all: Vec<_> = (0..5).map(|number| receipt(number, 6)).collect();
    let tree = write(&folders.path(), &all);
    assert!(folders.publish(&tree).unwrap());
    assert!(!folders.publish(&tree).unwrap(), "nothing is new");
    let is_behind = |published: Result<bool, ProxyError>| matches!(published, Err(ProxyError::RolledBack(_)));
    for mark in [true, false] {
        if !mark {
            std::fs::remove_file(folders.0.path().join("log/mark.json")).unwrap();
        }
        let shorter = write(&folders.path(), &all[..4]);
        assert!(is_behind(folders.publish(&shorter)), "{mark}");
        let mut others = all.clone();
        others[4] = receipt(4, 7);
        let other = write(&folders.path(), &others);
        assert!(is_behind(folders.publish(&other)), "{mark}");
        others[4] = all[4].clone();
        others[2] = receipt(2, 7);
        others.push(receipt(5, 6));
        let other = write(&folders.path(), &others);
        assert!(is_behind(folders.publish(&other)), "{mark}");
    }
    let mut more = all.clone();
    more.push(receipt(5, 6));
    let tree = write(&folders.path(), &more);
    assert!(folders.publish(&tree).unwrap());
    assert_eq!(folders.open().unwrap().published(), 6);
}

#[test]
fn a_rolled_back_database_is_found_before_anything_is_written() {
    let folders = Folders(tempfile::tempdir().unwrap());
    let all: Vec<_> = (0..6).map(|number| receipt(number, 6)).collect();
    let tree = write(&folders.path(), &all[..5]);
    folders.open().unwrap().check(&Frontier::default()).unwrap();
    assert!(folders.publish(&tree).unwrap());
    let note = || std::fs::read(folders.0.path().join("log/checkpoint")).unwrap();
    let before = note();
    let check = |tree: &Frontier| folders.open().and_then(|feed| feed.check(tree));
    check(&tree).unwrap();
    let longer = write(&folders.path(), &all);
    check(&longer).unwrap();
    let mut others = all.clone();
    others[2] = receipt(2, 7);
    for wrong in [&all[..4], &others[..5], &others[..6]] {
        let tree = write(&folders.path(), wrong);
        assert!(
            matches!(check(&tree), Err(ProxyError::RolledBack(_))),
            "{}",
            wrong.len()
        );
    }
    assert_eq!(note(), before);
}

#[test]
fn a_mark_that_points_between_two_records_is_not_used() {
    let folders = Folders(tempfile::tempdir().unwrap());
    let all: Vec<_> = (0..6).map(|number| receipt(number, 6)).collect();
    let tree = write(&folders.path(), &all[..5]);
    assert!(folders.publish(&tree).unwrap());
    let path = folders.0.path().join("log/mark.json");
    let mut mark: Mark = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let tree = write(&folders.path(), &all);
    for wrong in [mark.offset - 1, mark.offset + 3, 0] {
        mark.offset = wrong;
        std::fs::write(&path, serde_json::json!(mark).to_string()).unwrap();
        folders.open().unwrap().check(&tree).unwrap();
    }
    assert!(folders.publish(&tree).unwrap());
}

#[test]
fn only_what_the_tree_is_over_is_published() {
    let folders = Folders(tempfile::tempdir().unwrap());
    let all: Vec<_> = (0..5).map(|number| receipt(number, 6)).collect();
    let three = write(&folders.path(), &all[..3]);
    let five = write(&folders.path(), &all);
    let mut feed = folders.open().unwrap();
    for (tree, size) in [(&three, 3), (&five, 5)] {
        assert!(feed.publish(tree, ("root".into(), "proxy".into())).unwrap());
        assert_eq!(feed.published(), size);
    }
    // Durable receipts that cannot be read yet are published later.
    let mut longer = five.clone();
    longer.push(leaf_hash(b"next"));
    assert!(!feed.publish(&longer, ("root".into(), "proxy".into())).unwrap());
}
