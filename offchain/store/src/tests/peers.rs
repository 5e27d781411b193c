//! The stores of clients and workers.

use super::*;

#[test]
fn a_client_finds_its_receipt_by_id_and_by_request() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receipt = filled(proxy.path(), &[5]).remove(0);
    let (head, stored) = (head(&receipt), stored(&receipt));
    let mut store = ClientStore::open(folder.path()).unwrap();
    let channel = (&address(8), &address(1), &head);
    let new = || NewReceipt::from(stored.clone());
    store.put_receipts(&[new(), new()], channel).unwrap();
    store.put_receipts(&[new()], channel).unwrap();
    drop(store);
    let store = ClientStore::open(folder.path()).unwrap();
    assert_eq!(store.receipt(&receipt.id()).unwrap(), Some(stored.clone()));
    assert_eq!(store.latest_receipts().unwrap(), vec![stored.clone()]);
    assert_eq!(store.by_request(&receipt.receipt.request_id).unwrap(), Some(stored));
    assert_eq!(store.head(&address(8), &address(1)).unwrap(), head);
    assert_eq!(store.log().records(), 1);
}

#[test]
fn a_receipt_that_came_again_otherwise_is_kept_as_it_came_last() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receipt = filled(proxy.path(), &[5]).remove(0);
    let (head, first) = (head(&receipt), stored(&receipt));
    let mut again = StoredReceipt {
        request_salt: [7; 32],
        fault: Some("the price".to_owned()),
        ..first.clone()
    };
    again.receipt.worker_signature = Some(receipt.receipt.statement.sign(&SigningKey::from_bytes(&[2; 32])));
    let mut store = ClientStore::open(folder.path()).unwrap();
    let channel = (&address(8), &address(1), &head);
    for stored in [first, again.clone()] {
        store.put_receipts(&[stored.into()], channel).unwrap();
    }
    drop(store);
    let store = ClientStore::open(folder.path()).unwrap();
    assert_eq!(store.receipt(&receipt.id()).unwrap(), Some(again));
    assert_eq!(store.log().records(), 1);
}

#[test]
fn a_receipt_whose_record_is_damaged_is_an_error() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receipt = filled(proxy.path(), &[5]).remove(0);
    let mut store = ClientStore::open(folder.path()).unwrap();
    let channel = (&address(8), &address(1), &head(&receipt));
    store.put_receipts(&[stored(&receipt).into()], channel).unwrap();
    let log = folder.path().join(files::RECEIPTS);
    let whole = std::fs::read(&log).unwrap();
    for at in [10, 50, 300, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&log, bytes).unwrap();
        assert!(
            matches!(store.receipt(&receipt.id()), Err(StoreError::Row { .. })),
            "{at}"
        );
    }
    std::fs::write(&log, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(store.receipt(&receipt.id()), Err(StoreError::Row { .. })));
    std::fs::write(&log, &whole).unwrap();
    assert_eq!(store.receipt(&receipt.id()).unwrap(), Some(stored(&receipt)));
}

#[test]
fn a_worker_remembers_what_it_signed() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let statement = filled(proxy.path(), &[5]).remove(0).receipt.statement;
    let signature = statement.sign(&SigningKey::from_bytes(&[2; 32]));
    let memory = ProxyMemory {
        tokens_max: 5,
        voucher: Some(vec![1, 2]),
        ..ProxyMemory::default()
    };
    let store = WorkerStore::open(folder.path()).unwrap();
    let (proxy, worker) = (address(8), address(2));
    let signed = [(statement.clone().into(), signature)];
    store
        .put_proxy(&proxy, &worker, &statement.model, &memory, &signed)
        .unwrap();
    drop(store);
    let store = WorkerStore::open(folder.path()).unwrap();
    assert_eq!(store.proxy(&proxy, &worker, &statement.model).unwrap(), memory);
    let other = ModelHash::new([0xEE; 32]);
    assert_eq!(store.proxy(&proxy, &worker, &other).unwrap(), ProxyMemory::default());
    assert_eq!(
        store.statement(&statement.hash()).unwrap(),
        Some((statement, signature))
    );
}

#[test]
fn of_the_claims_of_several_models_the_highest_stands() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = WorkerStore::open(folder.path()).unwrap();
    let statements = filled(proxy.path(), &[5, 6]);
    for (model, stored) in [9, 7].into_iter().zip(&statements) {
        let mut statement = stored.receipt.statement.clone();
        statement.model = ModelHash::new([model; 32]);
        let signature = statement.sign(&SigningKey::from_bytes(&[2; 32]));
        let claim = Claim {
            tokens: statement.channel.after,
            statement: statement.hash(),
            proxy_key: HashBytes::ZERO,
            signature: vec![0; 64],
        };
        let memory = ProxyMemory {
            claim: Some(claim),
            ..ProxyMemory::default()
        };
        let WorkStatement {
            proxy, worker, model, ..
        } = &statement;
        let signed = [(statement.clone().into(), signature)];
        store.put_proxy(proxy, worker, model, &memory, &signed).unwrap();
    }
    let claims = store.claims().unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].claim.tokens, 11);
}
