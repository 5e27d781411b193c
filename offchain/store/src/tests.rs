//! Claims about the store.

use std::fs;
use std::io::Write;
use std::path::Path;

use cocoon_bindings::tokens::TokensUsed;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, Nanoton, ParamsVersion, TokenCount};
use cocoon_ledger::{ClientOnChain, ContractState, Ledger, Position};
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, SignedReceipt, Timing, WorkStatement};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use crate::*;

fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

fn link(position: &Position) -> ChannelLink {
    ChannelLink {
        seqno: position.seqno,
        previous: position.previous,
        before: position.before.get(),
        after: position.after.get(),
    }
}

/// Opens a store with one client and one worker in its ledger.
fn opened(folder: &Path) -> (ProxyStore, Ledger) {
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open(folder).unwrap();
    let funded = ClientOnChain {
        state: ContractState::Normal,
        balance: Nanoton::new(1_000_000),
        stake: Nanoton::new(1_000_000),
        tokens_used: TokenCount::ZERO,
        price: Nanoton::new(1),
        secret_hash: HashBytes::ZERO,
    };
    let mut changes = ledger.open_worker(&address(2), &address(12));
    ledger.open_client(&address(1), &address(11));
    changes.clients = ledger.see_client(&address(1), funded).unwrap().clients;
    store
        .write(&[ProxyWrite {
            changes,
            ..Default::default()
        }])
        .unwrap();
    (store, ledger)
}

/// Charges `tokens` and returns what has to be written for it.
fn charge(ledger: &mut Ledger, tokens: u64) -> ProxyWrite {
    let used = TokenCount::new(tokens);
    let reservation = ledger.reserve(&address(1), 0, used).unwrap();
    let charge = ledger.prepare(reservation, &address(2), used).unwrap();
    let statement = WorkStatement {
        root: address(9),
        params_version: ParamsVersion::new(1),
        proxy: address(8),
        worker: address(2),
        client: HashBytes([3; 32]),
        request_id: HashBytes([4; 32]),
        channel: link(&charge.worker_position),
        request_hash: HashBytes([5; 32]),
        response_hash: HashBytes([6; 32]),
        sampling_hash: HashBytes::ZERO,
        seed: 0,
        model: ModelHash::new([7; 32]),
        worker_evidence: HashBytes([8; 32]),
        counts: None,
        used: TokensUsed {
            completion: tokens,
            total: tokens,
            ..Default::default()
        },
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
        client: address(1),
        request_id: HashBytes([tokens as u8; 32]),
        channel: link(&charge.client_position),
        proxy_evidence: HashBytes([9; 32]),
    };
    let changes = ledger.apply(&charge, receipt.id().0, receipt.statement.hash()).unwrap();
    ledger.persisted(&changes);
    let signed = SignedReceipt::sign(receipt, &SigningKey::from_bytes(&[1; 32]));
    ProxyWrite {
        changes,
        records: vec![LogRecord::Receipt(signed)],
        ..Default::default()
    }
}

fn filled(folder: &Path, charges: &[u64]) -> Vec<SignedReceipt> {
    let (mut store, mut ledger) = opened(folder);
    for tokens in charges {
        store.write(&[charge(&mut ledger, *tokens)]).unwrap();
    }
    read_receipts(&folder.join(files::RECEIPTS)).unwrap()
}

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
fn a_receipt_that_only_reached_the_log_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::RECEIPTS);
    let (mut store, mut ledger) = opened(folder.path());
    store.write(&[charge(&mut ledger, 5)]).unwrap();
    let database = fs::read(folder.path().join(files::DATABASE)).unwrap();
    store.write(&[charge(&mut ledger, 6)]).unwrap();
    drop(store);
    // The crash came between the log and the database.
    fs::write(folder.path().join(files::DATABASE), database).unwrap();
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
    let records = vec![LogRecord::WorkerSignature(receipt.id(), signature)];
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

#[test]
fn a_client_finds_its_receipt_by_id_and_by_request() {
    let (proxy, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receipt = filled(proxy.path(), &[5]).remove(0);
    let head = cocoon_receipt::ChannelHead {
        seqno: 1,
        hash: receipt.id().0,
        total: 5,
    };
    let stored = StoredReceipt {
        receipt: receipt.clone(),
        request_salt: [1; 32],
        response_salt: [2; 32],
        verified_at: 3,
        fault: None,
    };
    let mut store = ClientStore::open(folder.path()).unwrap();
    let channel = (&address(8), &address(1), &head);
    store.put_receipts(&[stored.clone(), stored.clone()], channel).unwrap();
    store.put_receipts(std::slice::from_ref(&stored), channel).unwrap();
    drop(store);
    let store = ClientStore::open(folder.path()).unwrap();
    assert_eq!(store.receipt(&receipt.id()).unwrap(), Some(stored.clone()));
    assert_eq!(store.latest_receipts().unwrap(), vec![stored.clone()]);
    assert_eq!(store.by_request(&receipt.receipt.request_id).unwrap(), Some(stored));
    assert_eq!(store.head(&address(8), &address(1)).unwrap(), head);
    assert_eq!(store.log().records(), 1);
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
    let signed = [(statement.clone(), signature)];
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
        let signed = [(statement.clone(), signature)];
        store.put_proxy(proxy, worker, model, &memory, &signed).unwrap();
    }
    let claims = store.claims().unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].claim.tokens, 11);
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
