//! What a bundle leaves out or says otherwise, and what receipts name that is something else.

use crate::published::{audit_bundle, bundle, settled};
use crate::stage::{Stage, person};
use cocoon_audit::{AuditError, DifferenceKind, Verdict};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::{Receipt, SignedReceipt};
use cocoon_store::LogRecord;
use serde_json::{Value, json};
use std::path::Path;

/// A bundle whose chain is changed.
fn changed(stage: &Stage, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let (folder, audited) = bundle(stage);
    assert_eq!(audited.report.difference, None);
    let path = folder.path().join(cocoon_audit::CHAIN_FILE);
    let mut chain: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut chain);
    std::fs::write(&path, serde_json::to_vec(&chain).unwrap()).unwrap();
    folder
}

fn is_damaged(folder: &Path) -> bool {
    matches!(audit_bundle(folder), Err(AuditError::Damaged { .. }))
}

/// Without its receipts a hidden client would be none, though all last hashes are those of the chain.
#[test]
fn a_contract_that_a_bundle_says_is_not_there_is_missed_by_its_history() {
    let mut stage = settled();
    let client = stage.client.to_string();
    stage.another_client(6);
    stage.charge(3);
    let hidden = stage.client.to_string();
    assert_ne!(client, hidden);
    let (folder, audited) = bundle(&stage);
    assert_eq!(
        audited.report.verdict,
        Verdict::Different,
        "it charged without receipts"
    );
    let path = folder.path().join(cocoon_audit::CHAIN_FILE);
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let write = |chain: &Value| std::fs::write(&path, serde_json::to_vec(chain).unwrap()).unwrap();
    for (field, value) in [
        ("data", Value::Null),
        ("code", Value::Null),
        ("status", json!("none")),
        ("status", json!("uninit")),
        ("status", json!("frozen")),
    ] {
        let mut chain = whole.clone();
        chain["accounts"][&hidden][field] = value;
        write(&chain);
        assert!(is_damaged(folder.path()), "{field}");
    }
    // Its history is left out too.
    let mut chain = whole.clone();
    chain["accounts"][&hidden]["status"] = json!("none");
    chain["transactions"].as_object_mut().unwrap().remove(&hidden);
    write(&chain);
    let difference = audit_bundle(folder.path()).unwrap().report.difference.unwrap();
    assert_eq!(
        (difference.kind, difference.contract),
        (DifferenceKind::Contract, Some(hidden))
    );
}

#[test]
fn a_contract_of_older_terms_cannot_be_hidden() {
    let mut stage = settled();
    let old = stage.proxy.to_string();
    stage.change_prices(30);
    let hide = |chain: &mut Value| chain["accounts"][&old]["status"] = json!("none");
    assert!(is_damaged(changed(&stage, hide).path()));
    let folder = changed(&stage, |chain| {
        hide(chain);
        chain["transactions"].as_object_mut().unwrap().remove(&old);
    });
    let audited = audit_bundle(folder.path());
    assert!(!matches!(audited, Ok(audited) if audited.report.difference.is_none()));
}

/// Owner and key are what receipts, checkpoints and addresses are checked with.
#[test]
fn a_proxy_contract_whose_data_is_not_that_of_its_address_is_found() {
    let mut stage = Stage::new();
    stage.serve(1);
    let elsewhere = stage.proxy_data(&person(77));
    let proxy = stage.proxy.to_string();
    // Nobody wrote to this proxy contract but its owner: only the address tells.
    let folder = changed(&stage, |chain| chain["accounts"][&proxy]["data"] = json!(elsewhere));
    let audited = audit_bundle(folder.path()).unwrap();
    assert_eq!(audited.report.difference.unwrap().kind, DifferenceKind::Contract);
}

/// Adds a receipt that charges nothing and names others.
fn free(stage: &mut Stage, change: impl FnOnce(&mut Receipt)) {
    let mut receipt = stage.receipt(0);
    change(&mut receipt);
    let signed = SignedReceipt::sign(receipt, &stage.key);
    stage.records.push(LogRecord::Receipt(signed));
}

fn first_of_client(receipt: &mut Receipt, client: Address) {
    receipt.client = client;
    receipt.channel.seqno = 1;
    receipt.channel.previous = HashBytes::ZERO;
    (receipt.channel.before, receipt.channel.after) = (0, 0);
}

#[test]
fn a_receipt_that_names_a_contract_of_another_kind_is_a_finding_and_no_failure() {
    let stage = Stage::new();
    let (worker, proxy) = (stage.worker.clone(), stage.proxy.clone());
    for other in [worker, proxy] {
        let mut stage = Stage::new();
        free(&mut stage, |receipt| first_of_client(receipt, other.clone()));
        let difference = stage.audit().difference.unwrap();
        assert_eq!(
            (difference.kind, difference.contract),
            (DifferenceKind::Contract, Some(other.to_string()))
        );
    }
}

#[test]
fn receipts_cannot_name_any_number_of_contracts() {
    let mut stage = Stage::new();
    for number in 0..=cocoon_audit::limits::MAX_UNKNOWN {
        let mut nobody = [0xee; 32];
        nobody[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let nobody = Address::new(0, HashBytes(nobody));
        free(&mut stage, |receipt| first_of_client(receipt, nobody));
    }
    let report = stage.audit();
    let difference = report.difference.unwrap();
    assert_eq!(difference.kind, DifferenceKind::Contract);
    assert!(
        difference.sentence.contains("names more than"),
        "{}",
        difference.sentence
    );
}
