//! What a reader proves, and what it finds when files were changed.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::ReceiptId;
use cocoon_receipt::log::Checkpoint;
use futures_util::StreamExt as _;

use super::platter::Platter;
use super::publishing::publish;
use super::samples::{certificate, certificate_hash, key, public_key, receipts, root_of};
use crate::{DiskFolder, FolderSource, InclusionProof, Mirror, PublishedLog, TlogError};

async fn open(platter: &Platter) -> PublishedLog {
    PublishedLog::open(platter.source(), public_key()).await.unwrap()
}

/// Reads everything, as a mirror would.
async fn read_all(platter: &Platter) -> Result<u64, TlogError> {
    let log = PublishedLog::open(platter.source(), public_key()).await?;
    let mut count = 0;
    let mut batches = std::pin::pin!(log.receipts(0));
    while let Some(batch) = batches.next().await {
        let (first, receipts) = batch?;
        assert_eq!(first, count);
        count += receipts.len() as u64;
    }
    log.evidence(&certificate_hash()).await?;
    Ok(count)
}

#[tokio::test]
async fn receipts_come_in_order_and_prove_themselves() {
    let (platter, all) = (Platter::default(), receipts(700));
    publish(&platter, &all);
    assert_eq!(read_all(&platter).await.unwrap(), 700);
    let log = open(&platter).await;
    for index in [0, 255, 256, 699] {
        let id = all[index].id();
        assert_eq!(log.find(&id).await.unwrap(), Some(index as u64));
        let proof = log.prove(index as u64).await.unwrap();
        let read = InclusionProof::parse(&proof.to_text()).unwrap();
        assert_eq!(read.verify(&id, &public_key()).unwrap(), *log.checkpoint());
        assert_eq!(read.receipt().unwrap(), Some(all[index].clone()));
        let another = all[(index + 1) % 700].id();
        assert!(matches!(
            read.verify(&another, &public_key()),
            Err(TlogError::NotIncluded)
        ));
    }
    assert_eq!(log.find(&ReceiptId(HashBytes([1; 32]))).await.unwrap(), None);
    assert!(matches!(log.prove(700).await, Err(TlogError::Size { .. })));
    assert!(matches!(log.batch(3).await, Err(TlogError::Size { .. })));
    assert_eq!(log.evidence(&certificate_hash()).await.unwrap().unwrap(), certificate());
    assert_eq!(log.evidence(&HashBytes([1; 32])).await.unwrap(), None);
}

#[tokio::test]
async fn a_receipt_is_found_by_its_time_in_a_few_files_of_a_long_log() {
    let (platter, all) = (Platter::default(), receipts(10_300));
    publish(&platter, &all);
    let log = open(&platter).await;
    for index in [0, 255, 256, 5000, 9000, 10_239, 10_299] {
        let (id, finished) = (all[index].id(), all[index].receipt.statement.timing.finished_ms);
        assert_eq!(log.find_near(&id, finished).await.unwrap(), Some(index as u64));
        // One that was written some seconds off its time, and one that was never written.
        let off = finished.saturating_sub(3000);
        assert_eq!(log.find_near(&id, off).await.unwrap(), Some(index as u64));
        let none = ReceiptId(HashBytes([1; 32]));
        assert_eq!(log.find_near(&none, finished).await.unwrap(), None);
    }
    assert_eq!(log.find_near(&all[0].id(), u64::MAX).await.unwrap(), None);
}

#[tokio::test]
async fn every_prefix_is_recognised_and_no_other_history_is() {
    let (platter, all) = (Platter::default(), receipts(520));
    publish(&platter, &all);
    let log = open(&platter).await;
    for size in [0, 1, 2, 255, 256, 257, 300, 512, 519, 520] {
        let root = root_of(&all, size);
        assert!(log.continues(size, &root).await.unwrap(), "{size}");
        let known = Checkpoint {
            origin: log.checkpoint().origin.clone(),
            size,
            root,
        };
        log.must_continue(&known).await.unwrap();
        let other = Checkpoint {
            root: HashBytes([1; 32]),
            ..known
        };
        assert!(!log.continues(size, &other.root).await.unwrap());
        assert!(
            matches!(log.must_continue(&other).await, Err(TlogError::Fork { .. })),
            "{size}"
        );
    }
    let longer = Checkpoint {
        size: 521,
        ..log.checkpoint().clone()
    };
    assert!(matches!(
        log.must_continue(&longer).await,
        Err(TlogError::Shorter { .. })
    ));
    assert!(!log.continues(521, &longer.root).await.unwrap());
}

#[tokio::test]
async fn a_reader_that_is_overtaken_reads_its_own_checkpoint_to_the_end() {
    let (platter, all) = (Platter::default(), receipts(600));
    publish(&platter, &all[..300]);
    let log = open(&platter).await;
    publish(&platter, &all);
    let batch = log.batch(1).await.unwrap();
    assert_eq!(batch.decode().unwrap(), all[256..300]);
    let note = log.note().to_owned();
    let again = PublishedLog::open_at(platter.source(), public_key(), note)
        .await
        .unwrap();
    assert_eq!(again.checkpoint().root, root_of(&all, 300));
}

#[tokio::test]
async fn any_changed_cut_or_missing_file_is_found() {
    let (whole, all) = (Platter::default(), receipts(300));
    publish(&whole, &all);
    let names: Vec<_> = whole.names().into_iter().filter(|name| name != "log.json").collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in &names {
        let length = crate::LogFolder::read(&whole, name).unwrap().unwrap().len();
        for at in [0, 1, 40, length / 2, length - 1] {
            let platter = whole.copy();
            platter.tamper(name, |bytes| {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x10;
                }
            });
            let changed = read_all(&platter).await;
            // Signatures are checked by whoever has the keys; the reader only sees the layout.
            let is_signature = name.starts_with("signatures/") && at % 66 > 1;
            let is_proxys = name.starts_with("receipts/");
            assert!(
                changed.is_err() || is_signature || is_proxys || at >= length,
                "{name} at {at}"
            );
        }
        for (what, change) in [
            (
                "cut",
                (|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1)) as fn(&mut Vec<u8>),
            ),
            ("longer", |bytes| bytes.push(0)),
            ("missing", Vec::clear),
        ] {
            let platter = whole.copy();
            platter.tamper(name, change);
            let is_missing_evidence = what == "missing" && name.starts_with("evidence/");
            let found = read_all(&platter).await;
            assert!(found.is_err() || is_missing_evidence, "{name} {what}");
        }
    }
}

#[tokio::test]
async fn swapped_dropped_and_doubled_entries_are_found() {
    let (whole, all) = (Platter::default(), receipts(300));
    publish(&whole, &all);
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 3] = [
        ("swapped", |bytes| bytes[..68].rotate_left(34)),
        ("dropped", |bytes| drop(bytes.drain(..34))),
        ("doubled", |bytes| bytes.copy_within(..34, 34)),
    ];
    for (what, change) in changes {
        let platter = whole.copy();
        platter.tamper("tile/entries/000", change);
        assert!(read_all(&platter).await.is_err(), "{what}");
    }
    // A receipt in the place of another: its entry does not name it.
    let platter = whole.copy();
    platter.tamper("receipts/000", |bytes| {
        let end = |at: usize| at + 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        let (first, second) = (end(0), end(end(0)));
        bytes[..second].rotate_left(first);
    });
    assert!(matches!(read_all(&platter).await, Err(TlogError::Name { index: 0 })));
    // Signed by another key.
    let log = PublishedLog::open(whole.source(), cocoon_bindings::units::PublicKey::new([3; 32])).await;
    assert!(matches!(log, Err(TlogError::Checkpoint(_))));
}

#[tokio::test]
async fn a_mirror_has_the_same_files_and_takes_no_other_history() {
    let (platter, all) = (Platter::default(), receipts(700));
    let copy = Platter::default();
    let mut calls = 0;
    for size in [0, 1, 300, 300, 512, 700] {
        publish(&platter, &all[..size]);
        let mut mirror = Mirror::open(platter.source(), public_key(), copy.folder()).unwrap();
        let mirrored = mirror.update(&mut |_, _| calls += 1).await.unwrap();
        assert_eq!(mirrored.size, size as u64);
        let log = open(&copy).await;
        assert_eq!(log.note(), open(&platter).await.note());
    }
    assert!(calls >= 4);
    assert_eq!(read_all(&copy).await.unwrap(), 700);
    for path in [
        "receipts/000",
        "receipts/002.p/188",
        "tile/0/001",
        "signatures/001",
        "log.json",
    ] {
        let read = |from: &Platter| crate::LogFolder::read(from, path).unwrap();
        assert_eq!(read(&copy), read(&platter), "{path}");
    }
    // The proxy shows another history of the same or of a greater length.
    let mut others = receipts(702);
    others.remove(5);
    for size in [700, 701] {
        let forked = Platter::default();
        publish(&forked, &others[..size]);
        let mut mirror = Mirror::open(forked.source(), public_key(), copy.folder()).unwrap();
        assert!(matches!(
            mirror.update(&mut |_, _| ()).await,
            Err(TlogError::Fork { known: 700, .. })
        ));
    }
    let shorter = Platter::default();
    publish(&shorter, &all[..600]);
    let mut mirror = Mirror::open(shorter.source(), public_key(), copy.folder()).unwrap();
    assert!(matches!(
        mirror.update(&mut |_, _| ()).await,
        Err(TlogError::Shorter { .. })
    ));
    assert_eq!(read_all(&copy).await.unwrap(), 700);
}

#[tokio::test]
async fn a_mirror_gets_signatures_that_came_later() {
    let (platter, all) = (Platter::default(), receipts(300));
    let without: Vec<_> = all.iter().map(super::samples::bare).collect();
    publish(&platter, &without);
    let folder = tempfile::tempdir().unwrap();
    let mirror = || Mirror::open(platter.source(), public_key(), DiskFolder::shared(folder.path())).unwrap();
    mirror().update(&mut |_, _| ()).await.unwrap();
    let mut publisher = crate::Publisher::open(platter.folder(), key()).unwrap();
    for receipt in &all {
        publisher
            .add_signature(&receipt.id(), receipt.worker_signature.unwrap())
            .unwrap();
    }
    publisher.publish(None).unwrap();
    let mirrored = mirror().update(&mut |_, _| ()).await.unwrap();
    assert_eq!(mirrored.signatures, 300);
    let source = std::sync::Arc::new(FolderSource::new(folder.path()));
    let log = PublishedLog::open(source, public_key()).await.unwrap();
    assert_eq!(log.batch(0).await.unwrap().decode().unwrap(), all[..256]);
    assert_eq!(log.batch(1).await.unwrap().decode().unwrap(), all[256..]);
}
