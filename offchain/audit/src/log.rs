//! The logs that can be audited: a proxy's folder, and what it publishes.

mod published;

pub use published::PublishedReceipts;

use crate::error::AuditError;
use crate::evidence::EvidenceSource;
use crate::source::{ReceiptSource, StoreSource};
use crate::verdict::Difference;
use async_trait::async_trait;
use cocoon_bindings::units::PublicKey;
use cocoon_store::{EvidenceFolder, files};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a log is kept. Its entries are counted by this, so that an audit can only go on with a log of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A proxy's folder: signatures of workers may be entries of their own.
    Store,
    /// What a proxy publishes: each entry is a receipt.
    Published,
}

/// A log that is opened after the chain was read, so that it has all that the chain has, and more than once if need be.
#[async_trait]
pub trait Log: Send + Sync {
    /// The receipts from the beginning, of the log of a key. What is wrong with the log as a whole is a finding.
    async fn open(&self, key: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError>;

    /// How it is kept.
    fn kind(&self) -> LogKind;

    /// The certificates that its receipts name.
    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError>;
}

/// The log and the certificates in a proxy's folder.
#[derive(Debug, Clone)]
pub struct StoreLog {
    log: PathBuf,
    evidence: PathBuf,
}

impl StoreLog {
    /// Of the folder of a proxy's store.
    pub fn new(store: &Path) -> Self {
        Self {
            log: store.join(files::RECEIPTS),
            evidence: store.join(files::EVIDENCE),
        }
    }
}

#[async_trait]
impl Log for StoreLog {
    async fn open(&self, _: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError> {
        Ok(Ok(Box::new(StoreSource::open(&self.log)?)))
    }

    fn kind(&self) -> LogKind {
        LogKind::Store
    }

    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        Ok(Arc::new(EvidenceFolder::open(&self.evidence)?))
    }
}
