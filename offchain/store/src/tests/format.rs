//! Stores of the first versions: no journal, and a database in the format before.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableTable};

use super::platter::{Leaves, Platter};
use super::*;
use crate::table::TABLES;

/// Where the old database says its format: first bytes, flags, and the first byte of the slot that counts.
fn format(database: &[u8]) -> u8 {
    assert_eq!(&database[..4], b"redb");
    database[[64, 192][usize::from(database[9] & 1)]]
}

/// Database and log of a proxy with three receipts, as an early version left them; after a crash, or after an orderly end.
fn early(after_a_crash: bool) -> [Vec<u8>; 2] {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), &[5, 6, 7]);
    let (store, _) = ProxyStore::open(folder.path()).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let new = Database::open(folder.path().join(files::DATABASE)).unwrap();
    let path = folder.path().join("old");
    let old = Database::create(&path).unwrap();
    let (from, to) = (new.begin_read().unwrap(), old.begin_write().unwrap());
    for table in TABLES {
        let Ok(rows) = from.open_table(table.definition()) else {
            continue;
        };
        let mut open = to.open_table(table.definition()).unwrap();
        for row in rows.iter().unwrap() {
            let (key, value) = row.unwrap();
            open.insert(key.value(), value.value()).unwrap();
        }
    }
    to.commit().unwrap();
    let crashed = fs::read(&path).unwrap();
    drop(old);
    let database = if after_a_crash {
        crashed
    } else {
        fs::read(&path).unwrap()
    };
    assert_eq!(format(&database), 2);
    [database, fs::read(folder.path().join(files::RECEIPTS)).unwrap()]
}

/// Puts an early store into a folder, or onto a disk where it is durable.
fn put(disk: &dyn Disk, folder: &Path, [database, log]: &[Vec<u8>; 2]) {
    for (name, bytes) in [(files::DATABASE, database), (files::RECEIPTS, log)] {
        let file = disk.write(&folder.join(name)).unwrap();
        file.write_at(0, bytes).unwrap();
        file.sync().unwrap();
    }
    disk.sync_folder(folder).unwrap();
}

#[track_caller]
fn assert_whole(opened: Result<(ProxyStore, Recovered), StoreError>, context: &str) -> (ProxyStore, Ledger) {
    let (store, recovered) = opened.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!((recovered.receipts, recovered.replayed), (3, 0), "{context}");
    let account = &recovered.ledger.client(&address(1)).unwrap().account;
    assert_eq!(account.max().get(), 18, "{context}");
    (store, recovered.ledger)
}

#[test]
fn a_database_of_the_format_before_is_moved_to_the_present_one() {
    for after_a_crash in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        put(&RealDisk, folder.path(), &early(after_a_crash));
        let (mut store, mut ledger) = assert_whole(ProxyStore::open(folder.path()), "opened");
        let write = charge(&mut ledger, 8);
        store.write(&[write]).unwrap();
        assert!(matches!(ProxyStore::open(folder.path()), Err(StoreError::InUse { .. })));
        drop(store);
        let database = fs::read(folder.path().join(files::DATABASE)).unwrap();
        assert_eq!((database[64], database[192]), (3, 3));
        assert!(!folder.path().join("state.upgrade").exists());
        let (_, recovered) = ProxyStore::open(folder.path()).unwrap();
        assert_eq!(recovered.receipts, 4);
    }
}

#[test]
fn whoever_opened_the_name_before_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    put(&RealDisk, folder.path(), &early(false));
    let late = RealDisk.write(&folder.path().join(files::DATABASE)).unwrap();
    let (_store, _) = assert_whole(ProxyStore::open(folder.path()), "opened");
    assert!(!late.try_lock().unwrap());
}

/// A disk on which somebody else moves the store and ends, between the moments when this one opens the database and locks it.
#[derive(Debug)]
struct Overtaken {
    folder: PathBuf,
    is_done: AtomicBool,
}

impl Disk for Overtaken {
    fn create_folder(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn read(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        RealDisk.read(path)
    }

    fn write(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.write(path)?;
        if path.ends_with(files::DATABASE) && !self.is_done.swap(true, Ordering::Relaxed) {
            let (mut store, mut ledger) = assert_whole(ProxyStore::open(&self.folder), "overtaking");
            let write = charge(&mut ledger, 8);
            store.write(&[write]).unwrap();
        }
        Ok(file)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.sync_folder(path)
    }
}

#[test]
fn whoever_locks_the_file_of_before_after_the_move_does_not_move_it_again() {
    let folder = tempfile::tempdir().unwrap();
    put(&RealDisk, folder.path(), &early(false));
    let disk = Arc::new(Overtaken {
        folder: folder.path().to_owned(),
        is_done: AtomicBool::new(false),
    });
    let late = ProxyStore::open_on(disk, folder.path()).map(drop);
    assert!(matches!(late, Err(StoreError::InUse { .. })), "{late:?}");
    let (_, recovered) = ProxyStore::open(folder.path()).unwrap();
    assert_eq!(recovered.receipts, 4);
}

#[test]
fn a_crash_at_any_act_of_the_move_leaves_a_store_that_opens() {
    let (early, folder) = (early(true), PathBuf::from("/store"));
    let placed = || {
        let platter = Platter::default();
        put(&platter, &folder, &early);
        platter
    };
    let whole = placed();
    let before = whole.acts();
    drop(assert_whole(ProxyStore::open_on(whole.disk(), &folder), "whole"));
    assert!(whole.acts() > before + 10);
    for act in before..whole.acts() {
        for leaves in [Leaves::Nothing, Leaves::All, Leaves::Some(act * 5_000_077 + 11)] {
            let platter = placed();
            platter.stop_at(act);
            let _ = ProxyStore::open_on(platter.disk(), &folder);
            platter.crash(leaves);
            let context = format!("act {act}, {leaves:?}");
            drop(assert_whole(ProxyStore::open_on(platter.disk(), &folder), &context));
            // And it stays so.
            drop(assert_whole(ProxyStore::open_on(platter.disk(), &folder), &context));
        }
    }
}

#[test]
fn something_else_under_the_name_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::DATABASE);
    let [mut database, _] = early(false);
    // The format of another time.
    database[64] = 1;
    database[192] = 1;
    fs::write(&path, &database).unwrap();
    let fault = ProxyStore::open(folder.path()).map(drop).unwrap_err();
    assert!(matches!(fault, StoreError::Database { .. }), "{fault}");
    assert_eq!(fs::read(&path).unwrap(), database);
}
