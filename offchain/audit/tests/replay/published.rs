//! Audits of a published log and of a bundle; statements.

use crate::stage::{FEE, PRICE, Stage};
use cocoon_audit::{
    AuditError, Audited, Bundle, ChallengeTotals, DifferenceKind, Options, PublishedReceipts, Role, Scope, StoreLog,
    Verdict, run_with, to_csv, write_bundle,
};
use cocoon_receipt::{ChallengeRecord, ChallengeResult, ReceiptId, SignedReceipt};
use cocoon_store::LogRecord;
use cocoon_tlog::FolderSource;
use serde_json::Value;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

pub(crate) fn settled() -> Stage {
    let mut stage = Stage::new();
    for tokens in 1..=300 {
        stage.serve(tokens);
    }
    stage.charge(45_150);
    stage.pay(45_150);
    stage.anchor(1, 200, stage.root_of(200));
    stage
}

fn audit_published(stage: &Stage, folder: &Path) -> Audited {
    let log = PublishedReceipts::new(Arc::new(FolderSource::new(folder)));
    block_on(run_with(&log, &stage.chain, &stage.proxy, Options::default())).unwrap()
}

pub(crate) fn bundle(stage: &Stage) -> (tempfile::TempDir, Audited) {
    let (published, out) = (stage.publish(), tempfile::tempdir().unwrap());
    let log = Arc::new(FolderSource::new(published.path()));
    let options = Options::default();
    let audited = block_on(write_bundle(out.path(), log, &stage.chain, &stage.proxy, options)).unwrap();
    (out, audited)
}

pub(crate) fn audit_bundle(folder: &Path) -> Result<Audited, AuditError> {
    let bundle = Bundle::open(folder)?;
    block_on(bundle.audit(Options::default()))
}

/// What an audit of a bundle finds.
fn found(folder: &Path) -> DifferenceKind {
    audit_bundle(folder).unwrap().report.difference.unwrap().kind
}

#[test]
fn a_published_log_is_audited_as_the_store_is() {
    let stage = settled();
    let published = audit_published(&stage, stage.publish().path()).report;
    assert_eq!(published.verdict, Verdict::Equal, "{}", published.sentence());
    assert_eq!(published, stage.audit());
}

/// The log with one record of a challenge, of these receipts.
fn challenged(stage: &Stage, first: ReceiptId, second: ReceiptId) -> tempfile::TempDir {
    let folder = stage.publish();
    let record = ChallengeRecord {
        result: ChallengeResult::Equal,
        time_ms: 1,
        first,
        second,
    };
    let signed = record.sign(&stage.key.clone().into()).to_bytes();
    std::fs::create_dir(folder.path().join("challenges")).unwrap();
    std::fs::write(folder.path().join("challenges/000"), signed).unwrap();
    folder
}

#[test]
fn records_of_challenges_must_be_signed_and_those_that_say_nothing_are_only_counted() {
    let stage = settled();
    let id = |at: usize| match &stage.records[at] {
        LogRecord::Receipt(receipt) => receipt.id(),
        LogRecord::WorkerSignature(id, _) => *id,
    };
    let (first, unknown) = (id(0), ReceiptId([9; 32].into()));
    let second = (1..).map(id).find(|id| *id != first).unwrap();
    // What is not in the log yet says nothing.
    let report = audit_published(&stage, challenged(&stage, first, unknown).path()).report;
    let left_out = ChallengeTotals {
        left_out: 1,
        ..ChallengeTotals::default()
    };
    assert_eq!(
        (report.verdict, report.challenges),
        (Verdict::Equal, Some(left_out.clone()))
    );
    // One worker answered both: a record that compares nothing, and that a worker which comes back in between can bring about.
    let alone = audit_published(&stage, challenged(&stage, first, second).path()).report;
    assert_eq!((alone.verdict, alone.challenges), (Verdict::Equal, Some(left_out)));
    let folder = challenged(&stage, first, unknown);
    let path = folder.path().join("challenges/000");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let changed = audit_published(&stage, folder.path()).report;
    assert_eq!(changed.difference.unwrap().kind, DifferenceKind::Log);
}

#[test]
fn every_copy_of_a_log_gives_its_workers_the_same_reputation() {
    let mut stage = Stage::new();
    for day in 0..3 {
        for tokens in 1..=4 {
            stage.serve(tokens * (day + 1));
        }
        stage.wait(86_400);
    }
    // A signature that was late.
    let LogRecord::Receipt(late) = &mut stage.records[1] else {
        panic!("a receipt was served")
    };
    let (id, signature) = (late.id(), late.worker_signature.take().unwrap());
    stage.records.push(LogRecord::WorkerSignature(id, signature));
    stage.change_prices(30);
    stage.serve(9);
    let store = stage.audit().reputations;
    let numbers: Vec<u16> = store.workers.iter().map(|worker| worker.reputation).collect();
    // Three days on which one payer asked four times: 2 of weight each, all of it good; and one that nobody knows yet.
    let known = u16::try_from((6 + 2) * 10_000_u32 / (6 + 4)).unwrap();
    assert!(numbers == [known, 5000] || numbers == [5000, known], "{numbers:?}");
    assert_eq!(store.day, "2026-05-31");
    assert_eq!(
        audit_published(&stage, stage.publish().path()).report.reputations,
        store
    );
    let (folder, with_chain) = bundle(&stage);
    assert_eq!(with_chain.report.reputations, store);
    assert_eq!(audit_bundle(folder.path()).unwrap().report.reputations, store);
    // Without that signature it is less.
    stage.records.retain(|record| matches!(record, LogRecord::Receipt(_)));
    let less = stage.audit().reputations;
    assert_ne!(less, store);
    assert_eq!(audit_published(&stage, stage.publish().path()).report.reputations, less);
}

#[test]
fn made_up_names_of_payers_give_a_worker_no_other_reputation() {
    let reputations = |is_made_up: bool| {
        let mut stage = Stage::new();
        for number in 0..9 {
            let mut receipt = stage.receipt(5);
            if is_made_up {
                receipt.statement.client.0 = [number; 32];
            }
            stage.relink(&receipt);
            let statement = receipt.statement.hash();
            let mut signed = SignedReceipt::sign(receipt, &stage.key);
            signed.worker_signature = Some(stage.sign_as_worker(&statement));
            stage.records.push(LogRecord::Receipt(signed));
        }
        stage.wait(86_400);
        let report = stage.audit();
        assert!(report.difference.is_none(), "{}", report.sentence());
        report.reputations
    };
    let honest = reputations(false);
    // One payer who asked nine times weighs 3.
    assert_eq!(u32::from(honest.workers[0].reputation), (3 + 2) * 10_000 / (3 + 4));
    assert_eq!(reputations(true), honest);
}

#[test]
fn a_log_that_is_behind_the_chain_may_change() {
    let mut stage = Stage::new();
    stage.serve(5);
    let early = stage.publish();
    stage.serve(6);
    stage.charge(11);
    let report = audit_published(&stage, early.path()).report;
    assert!(report.may_change());
    assert_eq!(report.difference.unwrap().kind, DifferenceKind::Settlement);
}

#[test]
fn a_bundle_says_the_same_without_a_chain() {
    let mut stage = settled();
    stage.change_prices(30);
    stage.serve(4);
    let (folder, with_chain) = bundle(&stage);
    let without = audit_bundle(folder.path()).unwrap();
    assert_eq!(without.report, with_chain.report);
    assert_eq!(without.report.verdict, Verdict::Open, "{}", without.report.sentence());
    assert_eq!(without.report.totals.receipts, 301);
}

#[test]
fn facts_that_do_not_follow_are_found_and_named() {
    let stage = settled();
    let (folder, _) = bundle(&stage);
    let path = folder.path().join(cocoon_audit::CHAIN_FILE);
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let places = [
        ("/facts/clients/0/tokens", Value::from(1)),
        ("/facts/params/0/price_per_token", Value::from("21")),
        ("/facts/listings/0/from", Value::from(1)),
        ("/facts/proxies/0/anchors/0/size", Value::from(199)),
        ("/facts/grace", Value::from(1_000_000)),
        ("/time", Value::from(5)),
    ];
    for (place, value) in places {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).unwrap() = value;
        std::fs::write(&path, serde_json::to_vec(&changed).unwrap()).unwrap();
        assert_eq!(found(folder.path()), DifferenceKind::Bundle, "{place}");
    }
    let mut more = whole.clone();
    more["facts"]["more"] = Value::from(1);
    std::fs::write(&path, serde_json::to_vec(&more).unwrap()).unwrap();
    assert_eq!(found(folder.path()), DifferenceKind::Bundle);
    std::fs::write(&path, serde_json::to_vec(&whole).unwrap()).unwrap();
    assert_eq!(audit_bundle(folder.path()).unwrap().report.difference, None);
}

#[test]
fn a_history_with_a_transaction_left_out_is_damaged() {
    let stage = settled();
    let (folder, _) = bundle(&stage);
    let path = folder.path().join(cocoon_audit::CHAIN_FILE);
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let transactions = whole["transactions"][stage.client.to_string()]
        .as_array()
        .unwrap()
        .len();
    assert!(transactions > 1);
    for at in 0..transactions {
        let mut changed = whole.clone();
        let of_client = &mut changed["transactions"][stage.client.to_string()];
        of_client.as_array_mut().unwrap().remove(at);
        std::fs::write(&path, serde_json::to_vec(&changed).unwrap()).unwrap();
        assert!(matches!(Bundle::open(folder.path()), Err(AuditError::Damaged { .. })));
    }
}

/// Every file of the log, with a byte changed in turn: nothing is taken for equal.
#[test]
fn a_changed_byte_anywhere_in_the_log_of_a_bundle_is_found() {
    let stage = settled();
    let (folder, _) = bundle(&stage);
    let mut files = Vec::new();
    let mut folders = vec![folder.path().join(cocoon_audit::LOG_FOLDER)];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    let mut refused = 0;
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Nothing is trusted by these; the last two are the copy's own, and no files of a log.
        if name.ends_with(".json") || ["lock", "pending"].contains(&name.as_str()) {
            continue;
        }
        let whole = std::fs::read(&path).unwrap();
        for place in [whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let verdict = audit_bundle(folder.path()).map(|audited| audited.report.verdict);
            assert!(
                matches!(verdict, Ok(Verdict::Different)),
                "{}: {verdict:?}",
                path.display()
            );
            refused += 1;
        }
        std::fs::remove_file(&path).unwrap();
        let verdict = audit_bundle(folder.path()).map(|audited| audited.report.verdict);
        assert!(
            matches!(verdict, Ok(Verdict::Different)),
            "{}: {verdict:?}",
            path.display()
        );
        std::fs::write(&path, whole).unwrap();
    }
    assert!(refused > 20);
    assert_eq!(audit_bundle(folder.path()).unwrap().report.verdict, Verdict::Equal);
}

#[test]
fn a_log_of_another_key_is_found() {
    let mut stage = settled();
    let honest = stage.key.clone();
    stage.key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let published = stage.publish();
    stage.key = honest;
    let difference = audit_published(&stage, published.path()).report.difference.unwrap();
    assert_eq!(difference.kind, DifferenceKind::Log);
}

#[test]
fn receipts_out_of_order_are_found_although_the_proxy_signs_their_log() {
    let mut stage = settled();
    stage.records.swap(7, 8);
    let report = audit_published(&stage, stage.publish().path()).report;
    assert_eq!(report.difference.unwrap().kind, DifferenceKind::Channel);
}

#[test]
fn a_statement_sums_up_what_was_charged_by_day_and_model() {
    let mut stage = Stage::new();
    stage.serve(100);
    stage.serve(50);
    stage.wait(86_400);
    stage.serve(7);
    stage.change_prices(30);
    stage.serve(1);
    let log = StoreLog::new(&stage.write().keep());
    let lines = |role, address| {
        let options = Options {
            statement: Some(Scope { role, address }),
            ..Options::default()
        };
        block_on(run_with(&log, &stage.chain, &stage.proxy, options))
            .unwrap()
            .statement
    };
    let of_clients = lines(Role::Client, None);
    let amounts: Vec<(u64, u128)> = of_clients
        .iter()
        .map(|line| (line.sums.receipts, line.sums.amount.get()))
        .collect();
    assert!(amounts.contains(&(2, 150 * PRICE)) && amounts.contains(&(1, 7 * PRICE)) && amounts.contains(&(1, 30)));
    assert_eq!(of_clients[0].day, "2026-05-28");
    assert_eq!(of_clients[1].day, "2026-05-29");
    let of_worker = lines(Role::Worker, Some(stage.worker.clone()));
    assert_eq!(of_worker.len(), 1);
    assert_eq!(of_worker[0].sums.amount.get(), FEE);
    let kept: u128 = lines(Role::Proxy, None).iter().map(|line| line.sums.amount.get()).sum();
    assert_eq!(kept, 157 * (PRICE - FEE) + 30 - FEE);
    let csv = to_csv(&of_worker);
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.lines().nth(1).unwrap().ends_with(",1,0,0,1,0,1,19"), "{csv}");
}

#[test]
fn a_receipt_that_is_none_is_found() {
    let mut stage = Stage::new();
    stage.serve(1);
    let receipt = stage.receipt(3);
    let mut signed = SignedReceipt::sign(receipt, &stage.key);
    signed.proxy_signature.0[9] ^= 1;
    stage.records.push(LogRecord::Receipt(signed));
    let difference = audit_published(&stage, stage.publish().path())
        .report
        .difference
        .unwrap();
    assert_eq!(difference.kind, DifferenceKind::Signature);
}

#[test]
fn sums_of_what_was_used_do_not_end_at_a_limit() {
    let mut stage = Stage::new();
    for _ in 0..2 {
        let mut receipt = stage.receipt(0);
        // Nothing was reserved: it charges nothing of it.
        receipt.statement.counts = None;
        receipt.statement.used.completion = u64::MAX;
        receipt.statement.used.total = u64::MAX;
        stage.relink(&receipt);
        let signed = SignedReceipt::sign(receipt, &stage.key);
        stage.records.push(LogRecord::Receipt(signed));
    }
    let log = StoreLog::new(&stage.write().keep());
    let options = Options {
        statement: Some(Scope {
            role: Role::Proxy,
            address: None,
        }),
        ..Options::default()
    };
    let audited = block_on(run_with(&log, &stage.chain, &stage.proxy, options)).unwrap();
    assert_eq!(audited.report.difference, None);
    let totals = audited.report.totals;
    assert_eq!((totals.without_counts, totals.capped), (2, 2));
    assert_eq!(audited.statement[0].sums.completion, 2 * u128::from(u64::MAX));
}
