//! A published log: a folder, a mirror, a URL.

use super::{Log, LogKind};
use crate::challenges::ChallengeTotals;
use crate::error::AuditError;
use crate::evidence::EvidenceSource;
use crate::limits::BATCH;
use crate::source::{Entry, Head, Piece, ReceiptSource};
use crate::verdict::Difference;
use async_trait::async_trait;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::TILE_WIDTH;
use cocoon_tlog::{PublishedLog, SharedSource, TlogError, Who};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Batches of the log that are asked for at once.
const BATCHES_AT_ONCE: usize = BATCH / TILE_WIDTH as usize;

/// The receipts of a published log, each proven to be in the tree of its checkpoint.
#[derive(Debug, Clone)]
pub struct PublishedReceipts {
    source: SharedSource,
}

impl PublishedReceipts {
    /// Of a log's files.
    pub fn new(source: SharedSource) -> Self {
        Self { source }
    }
}

#[async_trait]
impl Log for PublishedReceipts {
    async fn open(&self, key: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError> {
        let opened = async {
            let log = PublishedLog::open(Arc::clone(&self.source), *key).await?;
            log.cells().await?;
            // All entries are read once more for it, if there is any.
            let compared = log.compared().await?;
            Ok::<_, TlogError>((log, ChallengeTotals::of(&compared)))
        };
        match opened.await {
            Ok((log, challenges)) => Ok(Ok(Box::new(Reading {
                log,
                challenges,
                batch: 0,
                skip: 0,
            }))),
            Err(error) => finding(error).map(Err),
        }
    }

    fn kind(&self) -> LogKind {
        LogKind::Published
    }

    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        let runtime = Handle::try_current().map_err(|error| AuditError::CutOff {
            reason: error.to_string(),
        })?;
        Ok(Arc::new(PublishedEvidence {
            source: Arc::clone(&self.source),
            runtime,
        }))
    }
}

/// What the log did wrong is a finding; what keeps it from being read is not.
fn finding(error: TlogError) -> Result<Difference, AuditError> {
    match error.who() {
        Who::Log => Ok(Difference::of_log(error)),
        _ => Err(AuditError::Tlog(error)),
    }
}

struct Reading {
    log: PublishedLog,
    challenges: ChallengeTotals,
    /// The next batch.
    batch: u64,
    /// Entries of it that are left out.
    skip: usize,
}

#[async_trait]
impl ReceiptSource for Reading {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        let end = self
            .log
            .batches()
            .min(self.batch.saturating_add(BATCHES_AT_ONCE as u64));
        if self.batch >= end {
            return Ok(Piece::End);
        }
        let batches = stream::iter(self.batch..end).map(|number| self.log.batch(number));
        let batches: Vec<_> = match batches.buffered(BATCHES_AT_ONCE).try_collect().await {
            Ok(batches) => batches,
            Err(error) => {
                // Those before the one that is wrong are left out with it: the log is different in any case.
                self.batch = self.log.batches();
                return finding(error).map(Piece::Difference);
            }
        };
        self.batch = end;
        let entries = batches.into_iter().flat_map(|batch| {
            let items = batch.ids.into_iter().zip(batch.receipts).zip(batch.signatures);
            items.map(|((id, boc), signature)| Entry::Boc { id, boc, signature })
        });
        let skip = std::mem::take(&mut self.skip);
        Ok(Piece::Entries(entries.skip(skip).collect()))
    }

    async fn skip(&mut self, entries: u64) -> Result<(), AuditError> {
        self.batch = entries / TILE_WIDTH;
        self.skip = usize::try_from(entries % TILE_WIDTH).unwrap_or(0);
        Ok(())
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.log.size())
    }

    fn challenges(&self) -> Option<ChallengeTotals> {
        Some(self.challenges.clone()).filter(|totals| *totals != ChallengeTotals::default())
    }

    fn head(&self) -> Option<Head> {
        let checkpoint = self.log.checkpoint();
        Some(Head {
            size: checkpoint.size,
            root: checkpoint.root,
        })
    }
}

/// Certificates of a published log, fetched by threads that may wait.
struct PublishedEvidence {
    source: SharedSource,
    runtime: Handle,
}

impl EvidenceSource for PublishedEvidence {
    fn certificate(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, AuditError> {
        let path = format!("evidence/{}", hex::encode(hash.0));
        match self.runtime.block_on(self.source.read(&path)) {
            // One that has another hash is as good as none.
            Ok(bytes) => {
                let bytes = bytes.filter(|bytes| Sha256::digest(bytes).as_slice() == hash.as_slice());
                Ok(bytes.map(|bytes| bytes.to_vec()))
            }
            Err(error) if error.who() == Who::Log => Ok(None),
            Err(error) => Err(AuditError::Tlog(error)),
        }
    }
}
