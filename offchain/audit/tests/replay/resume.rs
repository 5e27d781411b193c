//! Audits that are interrupted and go on.

use crate::published::{block_on, settled};
use crate::stage::{Stage, person};
use async_trait::async_trait;
use cocoon_audit::{
    AuditError, Difference, Entry, EvidenceSource, Head, Log, LogKind, Options, Piece, PublishedReceipts,
    ReceiptSource, Role, StoreLog, Verdict, run_resumable,
};
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::PublicKey;
use cocoon_tlog::FolderSource;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log whose server goes away after some receipts.
struct Failing<'a>(&'a StoreLog, usize);

struct FailingSource {
    source: Box<dyn ReceiptSource>,
    entries: Vec<Entry>,
    left: usize,
}

#[async_trait]
impl Log for Failing<'_> {
    async fn open(&self, key: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError> {
        Ok(Ok(Box::new(FailingSource {
            source: self.0.open(key).await?.unwrap(),
            entries: Vec::new(),
            left: self.1,
        })))
    }

    fn kind(&self) -> LogKind {
        self.0.kind()
    }

    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        self.0.evidence()
    }
}

#[async_trait]
impl ReceiptSource for FailingSource {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        if self.entries.is_empty()
            && let Piece::Entries(entries) = self.source.next().await?
        {
            self.entries = entries;
        }
        let some = self.left.min(40);
        self.left -= some;
        match some {
            0 => Err(AuditError::CutOff {
                reason: "the server went away".into(),
            }),
            _ => Ok(Piece::Entries(self.entries.drain(..some).collect())),
        }
    }

    async fn skip(&mut self, entries: u64) -> Result<(), AuditError> {
        self.source.skip(entries).await
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }

    fn head(&self) -> Option<Head> {
        None
    }
}

#[test]
fn an_interrupted_audit_goes_on_with_the_chain_that_it_began_with() {
    let mut stage = settled();
    let folder = stage.write();
    let state = folder.path().join("audit.state");
    let log = StoreLog::new(folder.path());
    let run = |log: &dyn Log, stage: &Stage, proxy: &Address| {
        block_on(run_resumable(log, &stage.chain, proxy, &state, Options::default()))
    };
    let whole = run(&log, &stage, &stage.proxy).unwrap();
    assert_eq!(whole.report.verdict, Verdict::Equal, "{}", whole.report.sentence());
    assert!(!state.exists(), "there is a verdict");
    assert!(run(&Failing(&log, 100), &stage, &stage.proxy).is_err());
    let kept = std::fs::read_to_string(&state).unwrap();
    assert!(kept.contains("\"entries\":100,"), "{}", &kept[kept.len() - 300..]);
    // The chain goes on meanwhile.
    stage.serve(9);
    stage.charge(45_159);
    assert!(matches!(
        run(&log, &stage, &person(9)),
        Err(AuditError::OtherState { .. })
    ));
    assert!(run(&Failing(&log, 50), &stage, &stage.proxy).is_err());
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"entries\":150,"));
    assert_eq!(run(&log, &stage, &stage.proxy).unwrap().report, whole.report);
    assert!(!state.exists());
}

/// An audit of the 300 receipts of [`settled`] that is interrupted after a hundred.
fn interrupted(stage: &Stage, folder: &Path) -> PathBuf {
    let state = folder.join("audit.state");
    let log = StoreLog::new(folder);
    let failing = Failing(&log, 100);
    let run = run_resumable(&failing, &stage.chain, &stage.proxy, &state, Options::default());
    assert!(block_on(run).is_err());
    state
}

#[test]
fn receipts_newer_than_the_chain_that_an_audit_began_with_are_no_difference() {
    let mut stage = settled();
    let (folder, proxy) = (stage.write(), stage.proxy.clone());
    let state = interrupted(&stage, folder.path());
    stage.change_prices(30);
    stage.serve(4);
    stage.charge(4);
    stage.pay(4);
    let later = stage.write();
    let log = StoreLog::new(later.path());
    let run = run_resumable(&log, &stage.chain, &proxy, &state, Options::default());
    let report = block_on(run).unwrap().report;
    assert_eq!(report.verdict, Verdict::Equal, "{}", report.sentence());
    assert_eq!((report.totals.receipts, report.proxies.len()), (301, 2));
}

#[test]
fn contracts_that_were_named_before_an_interruption_are_asked_for_after_it() {
    let mut stage = settled();
    let folder = stage.write();
    let state = interrupted(&stage, folder.path());
    stage.another_client(6);
    stage.serve(5);
    stage.charge(5);
    stage.pay(45_155);
    let later = stage.write();
    let log = StoreLog::new(later.path());
    let run = |log: &dyn Log| {
        block_on(run_resumable(
            log,
            &stage.chain,
            &stage.proxy,
            &state,
            Options::default(),
        ))
    };
    assert!(run(&Failing(&log, 201)).is_err());
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"entries\":301,"));
    // The worker is as it was when the audit began, the new client as it is now.
    let report = run(&log).unwrap().report;
    assert_eq!(report.verdict, Verdict::Open, "{}", report.sentence());
    let open: Vec<(Role, u64)> = report
        .channels
        .iter()
        .filter(|channel| channel.open.get() > 0)
        .map(|channel| (channel.role, channel.open.get()))
        .collect();
    assert_eq!(open, [(Role::Worker, 5)]);
}

#[test]
fn an_audit_does_not_go_on_with_another_kind_of_log() {
    let stage = settled();
    let (folder, published) = (stage.write(), stage.publish());
    let state = interrupted(&stage, folder.path());
    let log = PublishedReceipts::new(Arc::new(FolderSource::new(published.path())));
    let run = run_resumable(&log, &stage.chain, &stage.proxy, &state, Options::default());
    assert!(matches!(block_on(run), Err(AuditError::OtherState { .. })));
}

#[test]
fn the_state_of_another_version_is_said_to_be_that() {
    let stage = settled();
    let (folder, kept) = (stage.write(), tempfile::tempdir().unwrap());
    let state = kept.path().join("state.json");
    std::fs::write(&state, r#"{"log":"store","state":{}}"#).unwrap();
    let log = StoreLog::new(folder.path());
    let run = run_resumable(&log, &stage.chain, &stage.proxy, &state, Options::default());
    let refused = block_on(run).unwrap_err();
    assert!(refused.to_string().contains("another version"), "{refused}");
    std::fs::write(&state, "{").unwrap();
    let run = run_resumable(&log, &stage.chain, &stage.proxy, &state, Options::default());
    assert!(matches!(block_on(run), Err(AuditError::Damaged { .. })));
}
