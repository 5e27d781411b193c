//! The proxy's store and its evidence.

use std::fs;

use super::*;

#[test]
fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let receipts = filled(folder.path(), &[5, 6, 7]);
    let (store, recovered) = ProxyStore::open(folder.path()).unwrap();
    assert_eq!((recovered.receipts, recovered.replayed), (3, 0));
    let account = &recovered.ledger.client(&address(1)).unwrap().account;
    assert_eq!((account.max().get(), account.db().get()), (18, 18));
    assert_eq!(account.tail(), (3, receipts[2].id().0));
    assert_eq!(store.log().records(), 3);
}

#[test]
fn a_voucher_is_backed_only_where_a_receipt_ends() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), &[5, 6]);
    let (store, _) = ProxyStore::open(folder.path()).unwrap();
    let backed = |tag, tokens| {
        store
            .reader()
            .check_backed(&address(tag), TokenCount::new(tokens))
            .is_ok()
    };
    for tag in [1, 2] {
        assert!(backed(tag, 0) && backed(tag, 5) && backed(tag, 11));
        assert!(!backed(tag, 6) && !backed(tag, 12));
    }
    assert!(!backed(3, 5));
}

#[test]
fn a_store_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _store = ProxyStore::open(folder.path()).unwrap();
    assert!(matches!(ProxyStore::open(folder.path()), Err(StoreError::InUse { .. })));
}

#[test]
fn a_later_worker_signature_is_found_with_its_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut ledger) = opened(folder.path());
    let write = charge(&mut ledger, 5);
    store.write(&[write]).unwrap();
    let path = folder.path().join(files::RECEIPTS);
    let receipt = read_receipts(&path).unwrap().remove(0);
    assert_eq!(receipt.worker_signature, None);
    let signature = receipt.receipt.statement.sign(&SigningKey::from_bytes(&[2; 32]));
    let records = vec![NewRecord::WorkerSignature(receipt.id(), signature)];
    store
        .write(&[ProxyWrite {
            records,
            ..Default::default()
        }])
        .unwrap();
    assert_eq!(read_receipts(&path).unwrap()[0].worker_signature, Some(signature));
    drop(store);
    assert_eq!(ProxyStore::open(folder.path()).unwrap().1.receipts, 1);
}

#[test]
fn the_highest_statement_that_a_worker_signed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _ledger) = opened(folder.path());
    let statement = |tokens: u64| SignedStatement {
        tokens,
        hash: HashBytes([tokens as u8; 32]),
    };
    let signed = |tokens: &[u64]| ProxyWrite {
        signed: tokens.iter().map(|tokens| (address(2), statement(*tokens))).collect(),
        ..Default::default()
    };
    assert_eq!(store.reader().last_signed(&address(2)).unwrap(), None);
    store.write(&[signed(&[5, 9]), signed(&[7])]).unwrap();
    store.write(&[signed(&[8])]).unwrap();
    drop(store);
    let (store, _) = ProxyStore::open(folder.path()).unwrap();
    assert_eq!(store.reader().last_signed(&address(2)).unwrap(), Some(statement(9)));
    assert_eq!(store.reader().last_signed(&address(3)).unwrap(), None);
}

#[test]
fn evidence_comes_back_by_its_hash_and_a_changed_file_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = EvidenceFolder::open(folder.path()).unwrap();
    let hash = evidence.put(b"certificate").unwrap();
    assert_eq!(evidence.put(b"certificate").unwrap(), hash);
    assert_eq!(evidence.get(&hash).unwrap().as_deref(), Some(&b"certificate"[..]));
    fs::write(folder.path().join(format!("{hash}.der")), b"other").unwrap();
    assert_eq!(evidence.get(&hash).unwrap(), None);
    assert_eq!(evidence.get(&HashBytes::ZERO).unwrap(), None);
}
