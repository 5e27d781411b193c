//! What changes in the life of a network: terms, lists, checkpoints.

use crate::stage::{FEE, PRICE, Stage, person};
use cocoon_audit::{DifferenceKind, Role, Verdict};
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::SignedReceipt;
use cocoon_store::LogRecord;

const HOUR: u32 = 3600;

#[test]
fn receipts_under_two_versions_of_the_terms_are_equal_each_at_its_own_price() {
    let mut stage = Stage::new();
    stage.serve(100);
    stage.charge(100);
    stage.pay(100);
    stage.change_prices(50);
    stage.serve(7);
    stage.serve(9);
    stage.charge(16);
    stage.pay(16);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    assert_eq!((report.totals.receipts, report.proxies.len()), (3, 2));
    let mut amounts: Vec<u128> = report.channels.iter().map(|channel| channel.amount.get()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [16 * FEE, 16 * 50, 100 * FEE, 100 * PRICE]);
}

#[test]
fn what_the_old_contract_charges_without_a_receipt_is_found_too() {
    let mut stage = Stage::new();
    stage.serve(100);
    let old = stage.client.clone();
    stage.charge(101);
    stage.change_prices(50);
    stage.serve(7);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.contract),
        (DifferenceKind::Settlement, Some(old.to_string()))
    );
}

#[test]
fn a_receipt_at_the_price_of_another_version_is_found() {
    let mut stage = Stage::new();
    stage.serve(100);
    let old = stage.proxy.clone();
    stage.change_prices(50);
    let mut receipt = stage.receipt(7);
    receipt.statement.proxy = old;
    stage
        .records
        .push(LogRecord::Receipt(SignedReceipt::sign(receipt, &stage.key)));
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Terms);
}

#[test]
fn a_channel_that_moves_to_another_proxy_contract_is_found() {
    let mut stage = Stage::new();
    let (client, worker) = (stage.client.clone(), stage.worker.clone());
    stage.serve(100);
    stage.change_prices(50);
    for (name_client, name_worker) in [(true, false), (false, true)] {
        let mut receipt = stage.receipt(7);
        if name_client {
            receipt.client = client.clone();
        }
        if name_worker {
            receipt.statement.worker = worker.clone();
        }
        stage
            .records
            .push(LogRecord::Receipt(SignedReceipt::sign(receipt, &stage.key)));
        assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Channel);
        stage.records.pop();
    }
}

#[test]
fn an_image_counts_until_the_grace_after_its_removal() {
    let mut stage = Stage::new();
    stage.serve(10);
    stage.delist_worker_image();
    stage.wait(HOUR);
    stage.serve(10);
    stage.charge(20);
    stage.pay(20);
    assert_eq!(stage.audit().verdict, Verdict::Equal);
    stage.wait(1);
    let late = stage.serve(5);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Evidence, Some(late.to_string()))
    );
    assert!(
        difference.sentence.contains("listed only from"),
        "{}",
        difference.sentence
    );
}

#[test]
fn a_model_must_be_listed_once_models_are() {
    let mut stage = Stage::new();
    stage.list_model([12; 32]);
    stage.serve(10);
    stage.charge(10);
    stage.pay(10);
    assert_eq!(stage.audit().verdict, Verdict::Equal);
    let mut stage = Stage::new();
    stage.list_model([13; 32]);
    stage.serve(10);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(difference.kind, DifferenceKind::Evidence);
    assert!(difference.sentence.contains("is of model"), "{}", difference.sentence);
}

#[test]
fn anchored_checkpoints_are_beginnings_of_the_log() {
    let mut stage = Stage::new();
    stage.anchor(1, 0, cocoon_receipt::tree::root(&[]));
    for tokens in [1, 2, 3] {
        stage.serve(tokens);
    }
    stage.anchor(2, 2, stage.root_of(2));
    stage.anchor(3, 3, stage.root_of(3));
    stage.charge(6);
    stage.pay(6);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    assert_eq!(report.proxies[0].anchors, 3);
    assert_eq!((report.log.size, report.log.root), (3, stage.root_of(3)));
}

#[test]
fn claims_that_were_settled_are_equal_like_vouchers() {
    let mut stage = Stage::new();
    stage.serve(40);
    stage.serve(2);
    stage.claim(1);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    let settlements: Vec<u64> = report.channels.iter().map(|channel| channel.settlements).collect();
    assert_eq!(settlements, [1, 1]);
    stage.records.pop();
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Settlement);
}

#[test]
fn an_empty_log_may_be_anchored() {
    let mut stage = Stage::new();
    stage.anchor(1, 0, cocoon_receipt::tree::root(&[]));
    assert_eq!(stage.audit().verdict, Verdict::Equal);
    stage.anchor(2, 1, HashBytes([7; 32]));
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Anchor);
}

#[test]
fn an_anchor_of_another_log_or_of_a_longer_one_is_found() {
    let mut stage = Stage::new();
    stage.serve(1);
    stage.serve(2);
    stage.anchor(1, 1, HashBytes([7; 32]));
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.contract),
        (DifferenceKind::Anchor, Some(stage.proxy.to_string()))
    );
    let mut stage = Stage::new();
    stage.serve(1);
    stage.anchor(1, 2, HashBytes([7; 32]));
    let report = stage.audit();
    assert!(report.may_change());
    assert_eq!(report.difference.unwrap().kind, DifferenceKind::Anchor);
}

#[test]
fn a_signature_far_behind_its_receipt_is_checked_all_the_same() {
    let far = cocoon_audit::limits::LATE_WINDOW + cocoon_audit::limits::BATCH + 10;
    let mut stage = Stage::new();
    let first = stage.serve(1);
    let Some(LogRecord::Receipt(signed)) = stage.records.first_mut() else {
        panic!("a receipt was served")
    };
    let signature = signed.worker_signature.take().unwrap();
    for _ in 0..far {
        let receipt = stage.receipt(0);
        stage
            .records
            .push(LogRecord::Receipt(SignedReceipt::sign(receipt, &stage.key)));
    }
    stage.records.push(LogRecord::WorkerSignature(first, signature));
    stage.charge(1);
    stage.pay(1);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    assert_eq!(report.totals.signed_by_worker, 1);
    let Some(LogRecord::WorkerSignature(_, signature)) = stage.records.last_mut() else {
        panic!("it was pushed")
    };
    signature.0[3] ^= 1;
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Signature, Some(first.to_string()))
    );
}

#[test]
fn somebody_elses_contract_that_receipts_charge_is_found() {
    let mut stage = Stage::new();
    stage.serve(1);
    let mut receipt = stage.receipt(5);
    receipt.client = person(60);
    receipt.channel.seqno = 1;
    receipt.channel.previous = HashBytes::ZERO;
    receipt.channel.before = 0;
    receipt.channel.after = 5;
    stage
        .records
        .push(LogRecord::Receipt(SignedReceipt::sign(receipt, &stage.key)));
    let report = stage.audit();
    let difference = report.difference.unwrap();
    assert_eq!(difference.kind, DifferenceKind::Contract);
    assert!(
        difference.sentence.contains("there is no contract"),
        "{}",
        difference.sentence
    );
    assert!(report.channels.iter().all(|channel| channel.role == Role::Client));
}
