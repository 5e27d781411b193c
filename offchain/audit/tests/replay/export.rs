//! Receipts as rows: the same from every copy, as many as were audited.

use crate::published::{audit_bundle, block_on, bundle, settled};
use crate::stage::{FEE, PRICE, Stage};
use cocoon_audit::{
    AuditError, Audited, Bundle, Export, ExportFormat, Exported, Log, Options, PublishedReceipts, StoreLog, run_with,
};
use cocoon_bindings::units::ModelHash;
use cocoon_receipt::SignedReceipt;
use cocoon_store::LogRecord;
use cocoon_tlog::FolderSource;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

fn audited(stage: &Stage, log: &dyn Log) -> Audited {
    block_on(run_with(log, &stage.chain, &stage.proxy, Options::default())).unwrap()
}

fn written(log: &dyn Log, audited: &Audited, out: &Path, format: ExportFormat) -> Exported {
    let mut last = (0, 0);
    let mut progress = |done, all| last = (done, all);
    let export = Export::new(out, format).unwrap();
    let exported = block_on(export.write(log, audited, &mut progress)).unwrap();
    assert_eq!(last, (exported.receipts, audited.report.log.size));
    exported
}

#[test]
fn every_audited_receipt_is_a_row_whatever_copy_it_comes_from() {
    let stage = settled();
    let (store, published, (folder, _)) = (stage.write(), stage.publish(), bundle(&stage));
    let store = StoreLog::new(store.path());
    let published = PublishedReceipts::new(Arc::new(FolderSource::new(published.path())));
    let bundled = PublishedReceipts::new(Bundle::open(folder.path()).unwrap().log());
    let of_bundle = audit_bundle(folder.path()).unwrap();
    let copies: [(&dyn Log, Audited); 3] = [
        (&store, audited(&stage, &store)),
        (&published, audited(&stage, &published)),
        (&bundled, of_bundle),
    ];
    let mut files = Vec::new();
    for (log, audited) in &copies {
        for (format, name) in [
            (ExportFormat::Parquet, "receipts-00000.parquet"),
            (ExportFormat::JsonLines, "receipts-00000.jsonl"),
        ] {
            let out = tempfile::tempdir().unwrap();
            let exported = written(*log, audited, out.path(), format);
            assert_eq!((exported.receipts, &exported.files[..]), (300, &[name.to_owned()][..]));
            files.push(std::fs::read(out.path().join(name)).unwrap());
        }
    }
    assert!(
        files[0] == files[2] && files[2] == files[4],
        "every copy gives the same file"
    );
    assert!(files[1] == files[3] && files[3] == files[5]);
    let rows: Vec<Value> = files[1]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let row = &rows[41];
    assert_eq!(
        (&row["index"], &row["charged"], &row["raw_completion"]),
        (&41.into(), &42.into(), &42.into())
    );
    assert_eq!(
        (row["price"].as_str(), row["earned"].as_str()),
        (
            Some((42 * PRICE).to_string().as_str()),
            Some((42 * FEE).to_string().as_str()),
        )
    );
    assert_eq!((&row["finish"], &row["worker_signed"]), (&"stop".into(), &true.into()));
}

#[test]
fn what_comes_behind_a_difference_is_not_exported_and_nothing_is_written_over() {
    let mut stage = settled();
    stage.records.swap(7, 8);
    let store = stage.write();
    let log = StoreLog::new(store.path());
    let out = tempfile::tempdir().unwrap();
    let exported = written(&log, &audited(&stage, &log), out.path(), ExportFormat::Parquet);
    assert_eq!(exported.receipts, 7);
    let again = Export::new(out.path(), ExportFormat::Parquet);
    assert!(matches!(again, Err(AuditError::File { .. })));
    let nothing = Stage::new();
    let store = nothing.write();
    let log = StoreLog::new(store.path());
    let out = tempfile::tempdir().unwrap();
    let export = Export::new(out.path(), ExportFormat::Parquet).unwrap();
    let exported = block_on(export.write(&log, &audited(&nothing, &log), &mut |_, _| {})).unwrap();
    assert_eq!((exported.receipts, exported.files.len()), (0, 0));
}

/// What comes of an export from a folder that is not the one that was audited; nothing may be left of it.
fn from_another(audited: &Audited, folder: &Path) -> String {
    let (log, out) = (
        PublishedReceipts::new(Arc::new(FolderSource::new(folder))),
        tempfile::tempdir().unwrap(),
    );
    let export = Export::new(out.path(), ExportFormat::JsonLines).unwrap();
    let refused = block_on(export.write(&log, audited, &mut |_, _| {})).unwrap_err();
    assert!(matches!(refused, AuditError::OtherLog { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    refused.to_string()
}

#[test]
fn only_what_was_audited_is_exported_whatever_a_mirror_shows_the_second_time() {
    let mut stage = settled();
    let honest = stage.publish();
    let log = PublishedReceipts::new(Arc::new(FolderSource::new(honest.path())));
    let audited = audited(&stage, &log);
    assert_eq!(audited.report.log.size, 300);
    // The same ids, and another receipt beside one of them.
    let LogRecord::Receipt(genuine) = stage.records[3].clone() else {
        panic!("only receipts are served")
    };
    let mut changed = genuine.receipt.clone();
    changed.statement.model = ModelHash::new([77; 32]);
    stage.records[3] = LogRecord::Receipt(SignedReceipt::sign(changed, &stage.key));
    let false_one = stage.publish();
    std::fs::copy(
        false_one.path().join("receipts/000"),
        honest.path().join("receipts/000"),
    )
    .unwrap();
    let says = from_another(&audited, honest.path());
    assert!(says.contains("holds receipt"), "{says}");
    // Another history under the same key.
    let says = from_another(&audited, false_one.path());
    assert!(says.contains("its root over 300 receipts"), "{says}");
    stage.records[3] = LogRecord::Receipt(genuine);
    stage.records.truncate(260);
    let says = from_another(&audited, stage.publish().path());
    assert!(says.contains("it ends after 260 of 300"), "{says}");
}

#[test]
fn a_receipt_of_a_far_future_keeps_no_other_from_being_exported() {
    let mut stage = Stage::new();
    stage.serve(5);
    let mut far = stage.receipt(6);
    far.statement.timing.finished_ms = u64::MAX;
    stage.relink(&far);
    let statement = far.statement.hash();
    let mut signed = SignedReceipt::sign(far, &stage.key);
    signed.worker_signature = Some(stage.sign_as_worker(&statement));
    stage.records.push(LogRecord::Receipt(signed));
    let store = stage.write();
    let log = StoreLog::new(store.path());
    let audited = audited(&stage, &log);
    assert_eq!(audited.report.log.size, 2);
    for format in [ExportFormat::Parquet, ExportFormat::JsonLines] {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(written(&log, &audited, out.path(), format).receipts, 2);
    }
}
