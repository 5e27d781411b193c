//! Audits of a small network on the emulated chain: an honest one, and one for each way to cheat.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here is a test"
)]

mod export;
mod hidden;
mod history;
mod published;
mod resume;
mod stage;
mod trace;

use cocoon_audit::{DifferenceKind, Verdict};
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Coefficient, ParamsVersion, TokenCount};
use cocoon_receipt::SignedReceipt;
use cocoon_store::LogRecord;
use stage::{FEE, PRICE, Stage};

#[test]
fn an_honest_network_is_equal_to_the_last_token() {
    let mut stage = Stage::new();
    for tokens in [120, 0, 45, 1000] {
        stage.serve(tokens);
    }
    stage.charge(1165);
    stage.pay(1165);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    assert_eq!(
        (
            report.exit_code(),
            report.totals.receipts,
            report.totals.signed_by_worker
        ),
        (0, 4, 4)
    );
    let amounts: Vec<u128> = report.channels.iter().map(|channel| channel.amount.get()).collect();
    assert_eq!(amounts, [1165 * PRICE, 1165 * FEE]);
    assert!(report.test_network && report.sentence().contains("to the last token"));
}

#[test]
fn charges_in_several_steps_and_a_refund_are_equal() {
    let mut stage = Stage::new();
    stage.serve(100);
    stage.charge(100);
    stage.serve(50);
    stage.pay(150);
    stage.charge(150);
    stage.withdraw();
    stage.serve(7);
    stage.charge(157);
    stage.pay(157);
    stage.withdraw_earnings();
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    let settlements: Vec<u64> = report.channels.iter().map(|channel| channel.settlements).collect();
    assert_eq!(settlements, [3, 2]);
}

#[test]
fn what_is_not_settled_is_stated_and_is_not_equality() {
    let mut stage = Stage::new();
    stage.serve(100);
    stage.charge(100);
    stage.serve(30);
    let report = stage.audit();
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Open, 1));
    let open: Vec<TokenCount> = report.channels.iter().map(|channel| channel.open).collect();
    assert_eq!(open, [TokenCount::new(30), TokenCount::new(130)]);
    assert!(
        report.sentence().contains("30 tokens of client"),
        "{}",
        report.sentence()
    );
}

#[test]
fn a_worker_that_gets_nothing_for_a_token_is_owed_nothing() {
    let mut stage = Stage::new();
    stage.change_terms(PRICE, 0);
    stage.serve(100);
    stage.charge(100);
    let report = stage.audit();
    assert_eq!(
        (report.verdict, report.exit_code()),
        (Verdict::Equal, 0),
        "{}",
        report.sentence()
    );
    stage.serve(30);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Open, "the client owes: {}", report.sentence());
}

#[test]
fn a_charge_beyond_the_receipts_is_found() {
    let mut stage = Stage::new();
    let last = stage.serve(100);
    stage.charge(101);
    let report = stage.audit();
    let difference = report.difference.as_ref().unwrap();
    assert_eq!((difference.kind, report.exit_code()), (DifferenceKind::Settlement, 1));
    assert!(
        difference
            .sentence
            .contains("101 tokens were charged, the receipts sum to 100")
    );
    assert_eq!(difference.receipt, Some(last.to_string()));
}

#[test]
fn a_payout_that_ends_within_a_receipt_is_found() {
    let mut stage = Stage::new();
    stage.serve(100);
    let second = stage.serve(50);
    stage.pay(120);
    let report = stage.audit();
    let difference = report.difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Settlement, Some(second.to_string()))
    );
    assert_eq!(difference.contract, Some(stage.worker.to_string()));
}

#[test]
fn a_removed_receipt_is_a_gap_that_names_the_next_one() {
    let mut stage = Stage::new();
    stage.serve(10);
    stage.serve(20);
    let third = stage.serve(30);
    stage.records.remove(1);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Channel, Some(third.to_string()))
    );
    assert!(
        difference.sentence.contains("receipt 2 is missing"),
        "{}",
        difference.sentence
    );
}

/// Changes the last of three receipts, signs it again with the proxy's key, and says what the audit finds.
fn forged(change: impl FnOnce(&mut cocoon_receipt::Receipt)) -> DifferenceKind {
    let mut stage = Stage::new();
    stage.serve(10);
    stage.serve(20);
    stage.serve(30);
    let Some(LogRecord::Receipt(signed)) = stage.records.pop() else {
        panic!("a receipt was served")
    };
    let mut receipt = signed.receipt;
    change(&mut receipt);
    let forged = SignedReceipt::sign(receipt, &stage.key);
    let id = forged.id().to_string();
    stage.records.push(LogRecord::Receipt(forged));
    let difference = stage.audit().difference.expect("a forged receipt is found");
    assert_eq!(difference.receipt, Some(id));
    difference.kind
}

#[test]
fn a_receipt_that_says_something_else_than_it_should_is_found() {
    let dearer = |receipt: &mut cocoon_receipt::Receipt| receipt.statement.coefficient = Coefficient::new(500);
    assert_eq!(forged(dearer), DifferenceKind::Price);
    let counts = TokenCounts {
        completion: 29,
        ..TokenCounts::default()
    };
    assert_eq!(
        forged(|receipt| receipt.statement.counts = Some(counts)),
        DifferenceKind::Price
    );
    assert_eq!(
        forged(|receipt| receipt.statement.params_version = ParamsVersion::new(9)),
        DifferenceKind::Terms
    );
    let other = stage::person(77);
    assert_eq!(
        forged(|receipt| receipt.statement.root = other.clone()),
        DifferenceKind::Terms
    );
    assert_eq!(
        forged(|receipt| receipt.statement.proxy = other.clone()),
        DifferenceKind::Terms
    );
    assert_eq!(
        forged(|receipt| receipt.channel.previous = HashBytes([1; 32])),
        DifferenceKind::Channel
    );
    assert_eq!(
        forged(|receipt| receipt.statement.channel.seqno = 9),
        DifferenceKind::Channel
    );
    assert_eq!(
        forged(|receipt| receipt.client = other.clone()),
        DifferenceKind::Channel
    );
    assert_eq!(
        forged(|receipt| receipt.proxy_evidence = HashBytes([1; 32])),
        DifferenceKind::Evidence
    );
    assert_eq!(
        forged(|receipt| receipt.statement.worker_evidence = HashBytes([1; 32])),
        DifferenceKind::Evidence
    );
}

#[test]
fn a_signature_of_another_key_is_found() {
    let mut stage = Stage::new();
    stage.serve(10);
    let LogRecord::Receipt(signed) = &mut stage.records[0] else {
        panic!("a receipt was served")
    };
    signed.worker_signature = Some(signed.receipt.statement.sign(&stage.key));
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Signature);
    let LogRecord::Receipt(signed) = &mut stage.records[0] else {
        panic!("a receipt was served")
    };
    signed.proxy_signature.0[5] ^= 1;
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Signature);
}

#[test]
fn an_image_that_was_never_listed_is_found_and_one_that_was_removed_is_not() {
    let mut stage = Stage::new();
    stage.serve(10);
    stage.charge(10);
    stage.pay(10);
    stage.delist_worker_image();
    assert_eq!(stage.audit().verdict, Verdict::Equal);
    let mut stage = Stage::with_worker_image("something else");
    stage.serve(10);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(difference.kind, DifferenceKind::Evidence);
    assert!(difference.sentence.contains("never listed"), "{}", difference.sentence);
}

#[test]
fn a_flipped_byte_in_the_log_is_found_and_names_the_receipt() {
    let mut stage = Stage::new();
    stage.serve(10);
    let second = stage.serve(20);
    let folder = stage.write();
    let log = folder.path().join(cocoon_store::files::RECEIPTS);
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let difference = stage.audit_folder(folder.path()).difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Log, Some(second.to_string()))
    );
}

#[test]
fn a_charge_without_any_receipt_is_found() {
    let mut stage = Stage::new();
    stage.charge(5);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.contract),
        (DifferenceKind::Settlement, Some(stage.client.to_string()))
    );
}

#[test]
fn a_payout_that_the_proxy_could_not_cover_leaves_its_tokens_open() {
    let mut stage = Stage::new();
    stage.serve(400_000_000);
    stage.pay(400_000_000);
    let report = stage.audit();
    assert_eq!(report.verdict, Verdict::Open, "{}", report.sentence());
    let settled: Vec<TokenCount> = report.channels.iter().map(|channel| channel.settled).collect();
    assert_eq!(settled, [TokenCount::ZERO, TokenCount::ZERO]);
}

#[test]
fn a_charge_that_the_client_could_not_cover_is_found() {
    let mut stage = Stage::new();
    let only = stage.serve(400_000_000);
    stage.charge(400_000_000);
    let difference = stage.audit().difference.unwrap();
    assert_eq!(
        (difference.kind, difference.receipt),
        (DifferenceKind::Amount, Some(only.to_string()))
    );
}

#[test]
fn the_report_is_json_with_the_verdict_first() {
    let mut stage = Stage::new();
    stage.serve(10);
    let json = serde_json::to_string(&stage.audit()).unwrap();
    assert!(json.starts_with("{\"verdict\":\"open\""), "{json}");
}

#[test]
fn a_receipt_of_a_contract_that_the_key_does_not_have_is_found() {
    let mut stage = Stage::new();
    stage.serve(10);
    let Some(LogRecord::Receipt(signed)) = stage.records.first().cloned() else {
        panic!("a receipt was served")
    };
    let mut receipt = signed.receipt;
    receipt.statement.proxy = stage::person(77);
    receipt.statement.params_version = ParamsVersion::new(9);
    receipt.client = stage::person(78);
    receipt.statement.worker = stage::person(79);
    let other = SignedReceipt::sign(receipt, &stage.key);
    stage.records.insert(0, LogRecord::Receipt(other));
    assert_eq!(stage.audit().difference.unwrap().kind, DifferenceKind::Terms);
}
