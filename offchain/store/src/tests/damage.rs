//! Logs that a crash left, and logs that somebody changed.

use std::fs;
use std::io::Write;

use proptest::prelude::*;

use super::*;

#[test]
fn a_receipt_that_only_reached_the_log_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::RECEIPTS);
    let (mut store, mut ledger) = opened(folder.path());
    store.write(&[charge(&mut ledger, 5)]).unwrap();
    store.checkpoint().unwrap();
    let length = store.log().length();
    drop(store);
    // The crash of a version without a journal came between the log and the database.
    let records = charge(&mut ledger, 6).records;
    ReceiptLog::open(&path, length, |_| Ok(()))
        .unwrap()
        .append(&records)
        .unwrap();
    let (store, recovered) = ProxyStore::open(folder.path()).unwrap();
    assert_eq!((recovered.receipts, recovered.replayed), (2, 1));
    assert_eq!(recovered.ledger.client(&address(1)).unwrap().account.max().get(), 11);
    assert!(store.reader().check_backed(&address(2), TokenCount::new(11)).is_ok());
    drop(store);
    let (_, again) = ProxyStore::open(folder.path()).unwrap();
    assert_eq!(again.replayed, 0);
    assert_eq!(read_receipts(&path).unwrap().len(), 2);
}

#[test]
fn a_torn_tail_is_cut_off_and_writing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::RECEIPTS);
    filled(folder.path(), &[5, 6]);
    let whole = fs::read(&path).unwrap();
    let (_, one_end) = {
        let mut reader = LogReader::open(&path).unwrap();
        reader.next().unwrap().unwrap();
        (reader.records(), reader.offset() as usize)
    };
    for torn in [1, 44, 45, 100] {
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&whole[one_end..one_end + torn]).unwrap();
        drop(file);
        assert_eq!(
            read_receipts(&path).unwrap().len(),
            2,
            "a reader stops before the torn record"
        );
        drop(ProxyStore::open(folder.path()).unwrap());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open(folder.path()).unwrap();
    store.write(&[charge(&mut ledger, 7)]).unwrap();
    assert_eq!(read_receipts(&path).unwrap().len(), 3);
}

#[test]
fn a_log_shorter_than_acknowledged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::RECEIPTS);
    filled(folder.path(), &[5, 6]);
    let whole = fs::read(&path).unwrap();
    for kept in [0, 8, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..kept]).unwrap();
        assert!(
            matches!(ProxyStore::open(folder.path()), Err(StoreError::LogCut { .. })),
            "{kept}"
        );
    }
}

#[test]
fn a_rolled_back_database_under_a_foreign_log_is_refused() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(first.path(), &[5, 6]);
    filled(second.path(), &[6, 5]);
    fs::copy(first.path().join(files::RECEIPTS), second.path().join(files::RECEIPTS)).unwrap();
    assert!(matches!(
        ProxyStore::open(second.path()),
        Err(StoreError::Inconsistent { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_byte_names_the_record_and_its_receipt(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(files::RECEIPTS);
        let receipts = filled(folder.path(), &[5, 6, 7]);
        let ends: Vec<u64> = LogReader::open(&path).unwrap().map(|entry| entry.unwrap().end).collect();
        let mut bytes = fs::read(&path).unwrap();
        let at = 8 + at.index(bytes.len() - 8);
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();
        let record = ends.iter().position(|end| (at as u64) < *end).unwrap();
        let start = if record == 0 { 8 } else { ends[record - 1] as usize };
        let fault = read_receipts(&path).unwrap_err();
        let StoreError::Damaged { index, receipt, .. } = &fault else { panic!("{fault}") };
        prop_assert_eq!(*index, record as u64);
        // The id itself is in bytes 5..37 of a record: when that is what was hit, only the number is certain.
        if !(start + 5..start + 37).contains(&at) {
            prop_assert_eq!(receipt, &receipts[record].id().to_string());
        }
        let is_refused = matches!(ProxyStore::open(folder.path()), Err(StoreError::Damaged { .. }));
        prop_assert!(is_refused);
    }

    #[test]
    fn a_reader_of_garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garbage");
        let mut log = b"coclog1\n".to_vec();
        log.extend_from_slice(&bytes);
        fs::write(&path, log).unwrap();
        let _ = read_receipts(&path);
        fs::write(&path, bytes).unwrap();
        let _ = read_receipts(&path);
    }
}
