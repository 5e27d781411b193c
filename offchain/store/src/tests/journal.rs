//! Journals that do not belong to their database, or of which something is gone.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::*;
use crate::disk::RealDisk;
use crate::journal::{Journal, Place};

fn journal(folder: &Path, number: u8) -> PathBuf {
    folder.join(format!("journal-{number}"))
}

/// A store that ended without a checkpoint: four settings in its journal, the last one written by itself.
fn abandoned(folder: &Path) {
    let (store, _) = ProxyStore::open(folder).unwrap();
    for number in 0..4 {
        store.put_state("setting", &number).unwrap();
    }
}

fn setting(folder: &Path) -> Result<Option<u64>, StoreError> {
    ProxyStore::open(folder)?.0.state("setting")
}

/// Changes a byte of the batch with this number; each batch of these tests is one piece of the file.
fn flip(folder: &Path, batch: usize) {
    // A new store writes its first generation itself.
    let path = journal(folder, 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 * (batch + 1) + 50] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn what_only_the_journal_holds_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    abandoned(folder.path());
    assert_eq!(setting(folder.path()).unwrap(), Some(3));
    assert_eq!(setting(folder.path()).unwrap(), Some(3));
}

#[test]
fn a_batch_that_was_being_written_is_as_if_it_had_never_been() {
    let folder = tempfile::tempdir().unwrap();
    abandoned(folder.path());
    flip(folder.path(), 3);
    assert_eq!(setting(folder.path()).unwrap(), Some(2));
    let (store, _) = ProxyStore::open(folder.path()).unwrap();
    store.put_state("setting", &9).unwrap();
    drop(store);
    assert_eq!(setting(folder.path()).unwrap(), Some(9));
}

#[test]
fn a_batch_that_is_gone_while_a_later_one_is_there_keeps_the_store_closed() {
    for batch in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        abandoned(folder.path());
        flip(folder.path(), batch);
        let fault = setting(folder.path()).unwrap_err();
        assert!(matches!(fault, StoreError::Journal { .. }), "{fault}");
        assert!(fault.hint().contains("newest copy"));
    }
}

#[test]
fn a_database_without_its_journal_is_refused() {
    for number in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        abandoned(folder.path());
        fs::remove_file(journal(folder.path(), number)).unwrap();
        let fault = setting(folder.path()).unwrap_err();
        assert!(matches!(fault, StoreError::NoJournal { .. }), "{fault}");
        fs::write(journal(folder.path(), number), b"something else").unwrap();
        assert!(matches!(setting(folder.path()), Err(StoreError::NoJournal { .. })));
    }
}

#[test]
fn a_journal_that_is_newer_than_the_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    abandoned(folder.path());
    let database = folder.path().join(files::DATABASE);
    let old = fs::read(&database).unwrap();
    for _ in 0..3 {
        abandoned(folder.path());
    }
    fs::write(&database, old).unwrap();
    let fault = setting(folder.path()).unwrap_err();
    assert!(matches!(fault, StoreError::Journal { .. }), "{fault}");
    // Without any database the journal is newer too.
    fs::remove_file(&database).unwrap();
    assert!(matches!(setting(folder.path()), Err(StoreError::Journal { .. })));
}

#[test]
fn a_log_that_lost_what_was_not_synced_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::RECEIPTS);
    let (mut store, mut ledger) = opened(folder.path());
    store.write(&[charge(&mut ledger, 5)]).unwrap();
    store.checkpoint().unwrap();
    let synced = store.log().length() as usize;
    store.write(&[charge(&mut ledger, 6)]).unwrap();
    store.write(&[charge(&mut ledger, 7)]).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut zeros = whole.clone();
    zeros[synced + 100..].fill(0);
    for left in [&whole[..synced], &whole[..synced + 50], &zeros, &whole] {
        let copy = tempfile::tempdir().unwrap();
        for file in [files::DATABASE, "journal-0", "journal-1"] {
            fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        fs::write(copy.path().join(files::RECEIPTS), left).unwrap();
        let (store, recovered) = ProxyStore::open(copy.path()).unwrap();
        assert_eq!((recovered.receipts, store.log().records()), (3, 3));
        drop(store);
        assert_eq!(fs::read(copy.path().join(files::RECEIPTS)).unwrap(), whole);
    }
    // What was synced is not in the journal any more.
    fs::write(&path, &whole[..synced - 1]).unwrap();
    assert!(matches!(
        ProxyStore::open(folder.path()),
        Err(StoreError::LogCut { .. })
    ));
}

/// The header of an empty batch far ahead, in a file with this salt.
fn header(salt: &[u8]) -> Vec<u8> {
    let check = |parts: &[&[u8]]| Sha256::digest(parts.concat())[..8].to_vec();
    let numbers = [(1_u64 << 60).to_le_bytes(), 0_u64.to_le_bytes()].concat();
    let mut bytes = [b"cjb1".as_slice(), &[0; 4], &numbers, &[0; 8], &check(&[salt])].concat();
    let own = check(&[salt, &bytes[..24], &bytes[32..]]);
    bytes[24..32].copy_from_slice(&own);
    bytes
}

/// Peers have a say in what records hold.
#[test]
fn a_part_of_a_batch_passes_for_a_batch_only_with_the_salt_of_its_file() {
    for knows_salt in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::shared();
        let mut written = Journal::create(disk.as_ref(), folder.path()).unwrap();
        let file = fs::read(journal(folder.path(), 0)).unwrap();
        let salt = if knows_salt { file[8..24].to_vec() } else { vec![0; 16] };
        // On the next page: before the records stand the batch's header and their place in the log.
        let log = [vec![0; 4096 - 40 - 12], header(&salt)].concat();
        written.append(0, &log, &[]).unwrap();
        drop(written);
        // The database has this batch since long.
        let from = Place {
            generation: 3,
            sequence: 1,
        };
        let opened = Journal::open(disk.as_ref(), folder.path(), from, |_| Ok(()));
        assert_eq!(opened.is_err(), knows_salt);
    }
}
