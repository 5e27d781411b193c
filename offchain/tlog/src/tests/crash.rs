//! A machine that stops at any write of the publisher: the log that is found then is the one that was signed last, or the next one,
//! and goes on as if nothing had been.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{SignedReceipt, tree};

use super::platter::{Leaves, Platter};
use super::publishing::publish;
use super::samples::{bare, certificate, certificate_hash, key, leaves, public_key, receipts};
use crate::{Mark, PublishedLog, Publisher, TlogError};

const BEFORE: usize = 200;

fn mark(size: u64) -> Mark {
    Mark {
        size,
        offset: size * 1000,
        record: size,
        last_offset: size * 1000 - 1000,
    }
}

/// Publishes up to all receipts in steps until the disk stops. `told` gets each checkpoint that was put in its place.
fn live(platter: &Platter, all: &[SignedReceipt], told: &mut Vec<u64>) -> Result<(), TlogError> {
    let mut publisher = Publisher::open(platter.folder(), key())?;
    for size in [230, 256, 257, 300] {
        if publisher.size() >= size {
            continue;
        }
        while publisher.size() < size {
            let index = publisher.size() as usize;
            // Every other signature comes late: those of the first bundle after it is full.
            let receipt = &all[index];
            publisher.add(&if index.is_multiple_of(2) {
                bare(receipt)
            } else {
                receipt.clone()
            })?;
        }
        if !publisher.has_evidence(&certificate_hash())? {
            publisher.put_evidence(&certificate())?;
        }
        for receipt in all[..size as usize].iter().rev().skip(30) {
            publisher.add_signature(&receipt.id(), receipt.worker_signature.unwrap())?;
        }
        publisher.publish(Some(mark(size)))?;
        told.push(size);
    }
    Ok(())
}

async fn check(platter: &Platter, all: &[SignedReceipt], leaves: &[HashBytes], told: &[u64], context: &str) -> u64 {
    let log = PublishedLog::open(platter.source(), public_key()).await;
    let log = log.unwrap_or_else(|error| panic!("{context}: {error}"));
    let size = log.size();
    assert!(
        size >= told.last().copied().unwrap_or(BEFORE as u64),
        "{context}: {size} after {told:?}"
    );
    assert_eq!(
        log.checkpoint().root,
        tree::root(&leaves[..size as usize]),
        "{context}: a fork"
    );
    let mut index = 0;
    for number in 0..log.batches() {
        let batch = log
            .batch(number)
            .await
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        for read in batch.decode().unwrap() {
            assert_eq!(bare(&read), bare(&all[index]), "{context}");
            assert!(read.worker_signature.is_none() || read == all[index], "{context}");
            // What was late and in place at the last checkpoint stays.
            let is_told = told.last().is_some_and(|size| index + 30 < *size as usize);
            assert!(
                !is_told || read.worker_signature.is_some(),
                "{context}: signature of {index}"
            );
            index += 1;
        }
    }
    if !told.is_empty() {
        assert!(log.evidence(&certificate_hash()).await.unwrap().is_some(), "{context}");
    }
    size
}

#[tokio::test]
async fn a_crash_at_any_act_leaves_the_last_checkpoint_or_the_next_and_never_a_fork() {
    let all = receipts(300);
    let all_leaves = leaves(&all);
    let begun = Platter::default();
    publish(&begun, &all[..BEFORE].iter().map(bare).collect::<Vec<_>>());
    begun.crash(Leaves::All);
    let whole = begun.copy();
    live(&whole, &all, &mut Vec::new()).unwrap();
    let (first, last) = (begun.acts(), whole.acts());
    assert!(last - first > 90, "{}", last - first);
    let published = PublishedLog::open(whole.source(), public_key()).await.unwrap();
    for act in first..last {
        for leaves in [
            Leaves::Nothing,
            Leaves::All,
            Leaves::Some(act * 5_000_077 + 11),
            Leaves::Some(act * 77 + 5),
        ] {
            let (platter, mut told) = (begun.copy(), Vec::new());
            platter.stop_at(act);
            let _ = live(&platter, &all, &mut told);
            platter.crash(leaves);
            let context = format!("act {act}, {leaves:?}");
            let size = check(&platter, &all, &all_leaves, &told, &context).await;
            // The mark, if there is one, is of this checkpoint.
            let publisher = Publisher::open(platter.folder(), key()).unwrap();
            assert!(publisher.mark().is_none_or(|found| found == mark(size)), "{context}");
            assert_eq!(publisher.size(), size, "{context}");
            // The next life ends with the same log, byte for byte.
            let mut second = Vec::new();
            live(&platter, &all, &mut second).unwrap_or_else(|error| panic!("{context}: {error}"));
            platter.crash(Leaves::Nothing);
            let log = PublishedLog::open(platter.source(), public_key()).await.unwrap();
            assert_eq!(log.note(), published.note(), "{context}");
            for path in ["tile/0/000", "tile/entries/000", "receipts/000", "receipts/001.p/44"] {
                let read = |platter: &Platter| crate::LogFolder::read(platter, path).unwrap();
                assert_eq!(read(&platter), read(&whole), "{context}: {path}");
            }
        }
    }
}

#[test]
fn after_a_failed_write_nothing_is_signed_until_the_log_is_opened_again() {
    let (platter, all) = (Platter::default(), receipts(10));
    let mut publisher = Publisher::open(platter.folder(), key()).unwrap();
    publisher.add(&all[0]).unwrap();
    platter.stop_at(platter.acts() + 3);
    assert!(matches!(publisher.publish(None), Err(TlogError::Disk { .. })));
    platter.stop_at(u64::MAX);
    assert!(matches!(publisher.publish(None), Err(TlogError::Broken)));
    assert!(matches!(publisher.add(&all[1]), Err(TlogError::Broken)));
    let mut again = Publisher::open(platter.folder(), key()).unwrap();
    again.add(&all[0]).unwrap();
    again.publish(None).unwrap();
}
