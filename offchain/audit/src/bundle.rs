//! A bundle: a published log and what the chain says about it, for an audit without a network (docs/audit.md).

use crate::error::AuditError;
use crate::facts::Facts;
use crate::history::{ChainHistory, Named};
use crate::limits::MAX_CHAIN_FILE_BYTES;
use crate::log::PublishedReceipts;
use crate::recording::{ChainFile, RecordedChain, load, save};
use crate::run::{Audited, Options, run_recorded, run_with};
use crate::verdict::{Difference, DifferenceKind, Verdict};
use cocoon_bindings::ton::Address;
use cocoon_chain::{ChainClient, TransactionId};
use cocoon_tlog::{DiskFolder, FolderSource, Mirror, SharedSource};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of the log in a bundle.
pub const LOG_FOLDER: &str = "log";
/// Description of the chain in a bundle.
pub const CHAIN_FILE: &str = "chain.json";

/// Writes a bundle of a published log into a folder: reads the chain, copies the log, audits the copy. The bundle is written
/// whatever the verdict is, for it may be what is to be shown; the verdict comes with it.
pub async fn write_bundle(
    out: &Path,
    log: SharedSource,
    chain: &dyn ChainClient,
    proxy: &Address,
    options: Options<'_>,
) -> Result<Audited, AuditError> {
    let failed = |source| AuditError::File {
        path: out.to_owned(),
        source,
    };
    std::fs::create_dir_all(out.join(LOG_FOLDER)).map_err(failed)?;
    let recorded = Arc::new(RecordedChain::new(chain));
    // The chain comes first: what is published later has all that it has.
    let history = ChainHistory::fetch_with(recorded.as_ref(), proxy, &Named::default()).await?;
    let copy = out.join(LOG_FOLDER);
    let mut mirror = Mirror::open(log, *history.key(), DiskFolder::shared(&copy))?;
    let mut none = |_: u64, _: u64| {};
    mirror.update(&mut none).await?;
    let receipts = PublishedReceipts::new(Arc::new(FolderSource::new(&copy)));
    let audited = run_recorded(&receipts, Arc::clone(&recorded), proxy, options).await?;
    let facts = plain(&audited)?;
    let file = ChainFile::new(&recorded.recorded(), &audited.history, facts);
    save(&file, &out.join(CHAIN_FILE))?;
    Ok(audited)
}

/// A bundle in a folder.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: ChainFile,
    chain: RecordedChain<'static>,
}

impl Bundle {
    /// Opens a bundle. What it says is not believed before [`Bundle::audit`].
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let chain_file = path.join(CHAIN_FILE);
        let file: ChainFile = load(&chain_file, MAX_CHAIN_FILE_BYTES)?;
        let recording = file.recording().map_err(|reason| AuditError::Damaged {
            path: chain_file,
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            chain: RecordedChain::with(None, recording),
        })
    }

    /// The proxy contract that it is about.
    pub fn proxy(&self) -> &Address {
        &self.file.proxy
    }

    /// What it says of the chain; it knows the contracts of its proxy and nothing else.
    pub fn chain(&self) -> &dyn ChainClient {
        &self.chain
    }

    /// The last transaction that it has of a contract: found on a chain, everything before it is that chain's.
    pub fn last(&self, contract: &Address) -> Option<TransactionId> {
        let recorded = self.chain.recorded();
        let transactions = recorded.transactions.get(contract)?;
        transactions.last().map(TransactionId::from)
    }

    /// The published log in it.
    pub fn log(&self) -> SharedSource {
        Arc::new(FolderSource::new(self.path.join(LOG_FOLDER)))
    }

    /// Audits it. That its chain is the real one is for the reader to compare: the root contract, and the last transaction of
    /// each contract, from which everything before follows.
    pub async fn audit(&self, options: Options<'_>) -> Result<Audited, AuditError> {
        let log = PublishedReceipts::new(self.log());
        let audited = run_with(&log, &self.chain, &self.file.proxy, options).await;
        // There is no chain to ask: what cannot be read of it is not in the file.
        let mut audited = audited.map_err(|error| match error {
            AuditError::Chain(error) => AuditError::Damaged {
                path: self.path.join(CHAIN_FILE),
                reason: error.to_string(),
            },
            error => error,
        })?;
        if audited.report.difference.is_none()
            && let Some(difference) = self.differs(&audited)?
        {
            audited.report.difference = Some(difference);
            audited.report.verdict = Verdict::Different;
        }
        Ok(audited)
    }

    /// What is said in plain must be what follows.
    fn differs(&self, audited: &Audited) -> Result<Option<Difference>, AuditError> {
        let (file, history) = (&self.file, &audited.history);
        let facts = plain(audited)?;
        let names = [
            ("root", file.root == history.root.address),
            ("key", file.key == *history.key()),
            ("time", file.time == history.time()),
        ];
        let wrong = names
            .iter()
            .find(|(_, is_same)| !is_same)
            .map(|(name, _)| (*name).to_owned());
        let wrong = wrong.or_else(|| first_other("facts", &facts, &file.facts));
        Ok(wrong.map(|what| Difference {
            kind: DifferenceKind::Bundle,
            receipt: None,
            contract: None,
            transaction: None,
            sentence: format!("The bundle: {what} in {CHAIN_FILE} is not what follows from its transactions."),
        }))
    }
}

fn plain(audited: &Audited) -> Result<Value, AuditError> {
    let facts = Facts::of(&audited.history, &audited.certificates);
    serde_json::to_value(facts).map_err(|error| AuditError::CutOff {
        reason: error.to_string(),
    })
}

/// The place of the first difference between two values.
fn first_other(place: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) if expected.len() == found.len() => {
            let differ = |(name, value): (&String, &Value)| {
                let place = format!("{place}.{name}");
                match found.get(name) {
                    Some(other) => first_other(&place, value, other),
                    None => Some(place),
                }
            };
            expected.iter().find_map(differ)
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            let mut differ = pairs.map(|(at, (value, other))| first_other(&format!("{place}[{at}]"), value, other));
            differ.find_map(|place| place)
        }
        _ => (expected != found).then(|| place.to_owned()),
    }
}
