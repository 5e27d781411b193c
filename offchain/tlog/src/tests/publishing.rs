//! What a publisher writes, and what it refuses to write.

use cocoon_receipt::log::{Checkpoint, TileId, TileKind};

use super::platter::Platter;
use super::samples::{bare, certificate, certificate_hash, key, public_key, receipts, root_of};
use crate::{Description, LogWriter, Mark, PublishedLog, Publisher, TlogError};

/// Publishes all of these receipts at once.
pub(super) fn publish(platter: &Platter, receipts: &[cocoon_receipt::SignedReceipt]) {
    let mut publisher = Publisher::open(platter.folder(), key()).unwrap();
    for receipt in &receipts[publisher.size() as usize..] {
        publisher.add(receipt).unwrap();
    }
    if !publisher.has_evidence(&certificate_hash()).unwrap() {
        publisher.put_evidence(&certificate()).unwrap();
    }
    publisher.describe("0:root".into(), "0:proxy".into()).unwrap();
    publisher.publish(None).unwrap();
}

#[tokio::test]
async fn a_log_grows_from_nothing_over_full_bundles_and_is_always_whole() {
    let (platter, all) = (Platter::default(), receipts(800));
    for size in [0, 1, 255, 256, 257, 511, 513, 800] {
        publish(&platter, &all[..size]);
        let log = PublishedLog::open(platter.source(), public_key()).await.unwrap();
        assert_eq!(
            (log.size(), log.checkpoint().root),
            (size as u64, root_of(&all, size as u64))
        );
        for number in 0..log.batches() {
            let batch = log.batch(number).await.unwrap();
            let first = batch.first as usize;
            assert_eq!(batch.decode().unwrap(), all[first..(first + 256).min(size)]);
        }
    }
    let names = platter.names();
    let partial: Vec<_> = names.iter().filter(|name| name.contains(".p/")).collect();
    assert!(
        partial
            .iter()
            .all(|name| !name.contains("/000.p/") || name.starts_with("tile/1/")),
        "{partial:?}"
    );
    assert!(names.iter().all(|name| !name.ends_with(".new")), "{names:?}");
    let description = Description::read(&platter).await.unwrap();
    assert_eq!(description.public_key().unwrap(), public_key());
}

#[tokio::test]
async fn late_signatures_come_into_full_bundles_and_open_ones() {
    let (platter, all) = (Platter::default(), receipts(300));
    let without: Vec<_> = all.iter().map(bare).collect();
    publish(&platter, &without);
    let mut publisher = Publisher::open(platter.folder(), key()).unwrap();
    assert!(!publisher.has_changes());
    for index in [3, 255, 280] {
        let signature = all[index].worker_signature.unwrap();
        publisher.add_signature(&all[index].id(), signature).unwrap();
        publisher.add_signature(&all[index].id(), signature).unwrap();
    }
    assert!(publisher.has_changes());
    let root = publisher.root();
    publisher.publish(None).unwrap();
    let log = PublishedLog::open(platter.source(), public_key()).await.unwrap();
    assert_eq!(log.checkpoint().root, root, "signatures lie outside of the tree");
    let mut read = log.batch(0).await.unwrap().decode().unwrap();
    read.extend(log.batch(1).await.unwrap().decode().unwrap());
    for (index, (read, signed)) in read.iter().zip(&all).enumerate() {
        assert_eq!(read.worker_signature.is_some(), [3, 255, 280].contains(&index));
        assert_eq!(bare(read), bare(signed));
    }
    let again = Publisher::open(platter.folder(), key()).unwrap();
    assert_eq!(again.size(), 300);
}

#[test]
fn a_checkpoint_over_something_else_is_not_put_in_place() {
    let (platter, all) = (Platter::default(), receipts(5));
    let mut writer = LogWriter::open(platter.folder(), public_key()).unwrap();
    for receipt in &all {
        writer.push(receipt.id(), bare(receipt).to_boc(), None).unwrap();
    }
    let checkpoint = |size, root| Checkpoint {
        origin: Checkpoint::origin_of(&public_key()),
        size,
        root,
    };
    let signed = |size, root, tag: u8| {
        let key = ed25519_dalek::SigningKey::from_bytes(&[tag; 32]);
        checkpoint(size, root).sign(&key).unwrap()
    };
    let root = root_of(&all, 5);
    assert!(matches!(
        writer.seal(&signed(4, root, 1), None),
        Err(TlogError::Size { .. })
    ));
    let other = root_of(&all, 4);
    assert!(matches!(
        writer.seal(&signed(5, other, 1), None),
        Err(TlogError::Root { .. })
    ));
    assert!(matches!(
        writer.seal(&signed(5, root, 2), None),
        Err(TlogError::Checkpoint(_))
    ));
    assert_eq!(writer.note(), None);
    let mark = Mark {
        size: 5,
        offset: 9,
        record: 5,
        last_offset: 7,
    };
    writer.seal(&signed(5, root, 1), Some(mark)).unwrap();
    assert!(matches!(
        writer.reseal(&signed(5, other, 1)),
        Err(TlogError::Fork { .. })
    ));
    let again = LogWriter::open(platter.folder(), public_key()).unwrap();
    assert_eq!((again.size(), again.mark()), (5, Some(mark)));
    assert_eq!(again.last().unwrap(), Some(all[4].id()));
    assert!(
        writer.push(all[0].id(), Vec::new(), None).is_err(),
        "nothing is no receipt"
    );
    let stranger = cocoon_bindings::units::PublicKey::new([9; 32]);
    assert!(LogWriter::open(platter.folder(), stranger).is_err());
}

#[test]
fn a_damaged_edge_is_named_when_the_log_is_taken_up() {
    let all = receipts(300);
    let whole = Platter::default();
    publish(&whole, &all);
    for kind in [TileKind::Hashes(0), TileKind::Hashes(1), TileKind::Entries] {
        let (index, width) = if kind == TileKind::Hashes(1) { (0, 1) } else { (1, 44) };
        let path = TileId { kind, index, width }.to_string();
        let platter = whole.copy();
        platter.tamper(&path, |bytes| bytes[5] ^= 1);
        assert!(LogWriter::open(platter.folder(), public_key()).is_err(), "{path}");
        platter.tamper(&path, Vec::clear);
        let error = LogWriter::open(platter.folder(), public_key()).unwrap_err();
        assert_eq!(error.to_string(), format!("the log has no {path}"));
    }
}
