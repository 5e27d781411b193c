//! A copy of a log that is itself a log: every byte was checked, and it only ever grows.

use std::collections::BTreeSet;

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::SignedReceipt;
use cocoon_receipt::log::{Checkpoint, TILE_WIDTH};
use futures_util::StreamExt as _;

use crate::error::TlogError;
use crate::folder::SharedFolder;
use crate::limits::BUNDLES_LOOKED_AT_AGAIN;
use crate::paths::DESCRIPTION;
use crate::published::{Batch, PublishedLog, evidence};
use crate::source::SharedSource;
use crate::writer::LogWriter;

/// What one look at a log brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mirrored {
    /// Entries before.
    pub before: u64,
    /// Entries now.
    pub size: u64,
    /// Workers' signatures that were added to receipts of before.
    pub signatures: u64,
    /// Certificates that are new.
    pub evidence: u64,
    /// Certificates that receipts name and the source does not have.
    pub missing_evidence: u64,
}

/// Copies a log into a folder that belongs to this mirror.
#[derive(Debug)]
pub struct Mirror {
    source: SharedSource,
    key: PublicKey,
    writer: LogWriter,
    /// Certificates that were looked for.
    looked_for: BTreeSet<HashBytes>,
}

impl Mirror {
    /// Takes up a mirror in a folder, or begins one, of the log that signs with `key`.
    pub fn open(source: SharedSource, key: PublicKey, folder: SharedFolder) -> Result<Self, TlogError> {
        Ok(Self {
            source,
            key,
            writer: LogWriter::open(folder, key)?,
            looked_for: BTreeSet::new(),
        })
    }

    /// The checkpoint of the copy.
    pub fn note(&self) -> Option<&str> {
        self.writer.note()
    }

    /// Brings the copy to the source's newest checkpoint. A source that does not continue the copy is refused, and the copy stays
    /// as it is. `told` is called with the entries that were copied.
    pub async fn update(&mut self, told: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Mirrored, TlogError> {
        let log = PublishedLog::open(self.source.clone(), self.key).await?;
        let before = self.writer.size();
        let known = Checkpoint {
            origin: log.checkpoint().origin.clone(),
            size: before,
            root: self.writer.root(),
        };
        log.must_continue(&known).await?;
        let mut mirrored = Mirrored {
            before,
            ..Mirrored::default()
        };
        self.looked_for.clear();
        mirrored.signatures = self.add_signatures(&log, before).await?;
        let mut batches = std::pin::pin!(log.raw(before / TILE_WIDTH));
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let receipts = batch.decode()?;
            self.take(&batch, &receipts, &mut mirrored).await?;
            told(self.writer.size(), log.size());
        }
        if let Some(description) = self.source.read(DESCRIPTION).await? {
            self.writer.describe(&description)?;
        }
        // The root is compared once more, with the one that the copy has now.
        self.writer.seal(log.note(), None)?;
        mirrored.size = self.writer.size();
        Ok(mirrored)
    }

    /// Adds what is new of a batch.
    async fn take(
        &mut self,
        batch: &Batch,
        receipts: &[SignedReceipt],
        mirrored: &mut Mirrored,
    ) -> Result<(), TlogError> {
        let skipped = usize::try_from(self.writer.size().saturating_sub(batch.first)).unwrap_or(usize::MAX);
        let items = batch
            .ids
            .iter()
            .zip(&batch.receipts)
            .zip(&batch.signatures)
            .zip(receipts);
        for (((id, bytes), signature), receipt) in items.skip(skipped) {
            self.writer.push(*id, bytes.to_vec(), *signature)?;
            for hash in [
                receipt.receipt.proxy_evidence,
                receipt.receipt.statement.worker_evidence,
            ] {
                self.take_evidence(hash, mirrored).await?;
            }
        }
        Ok(())
    }

    async fn take_evidence(&mut self, hash: HashBytes, mirrored: &mut Mirrored) -> Result<(), TlogError> {
        if !self.looked_for.insert(hash) || self.writer.has_evidence(&hash)? {
            return Ok(());
        }
        match evidence(&self.source, &hash).await? {
            Some(certificate) => {
                self.writer.put_evidence(&certificate)?;
                mirrored.evidence += 1;
            }
            None => mirrored.missing_evidence += 1,
        }
        Ok(())
    }

    /// Signatures that came after the copy was made.
    async fn add_signatures(&mut self, log: &PublishedLog, before: u64) -> Result<u64, TlogError> {
        let mut added = 0;
        let mut batch: Option<Batch> = None;
        for (index, _) in self.writer.unsigned(BUNDLES_LOOKED_AT_AGAIN)? {
            let number = index / TILE_WIDTH;
            if batch.as_ref().is_none_or(|batch| batch.first != number * TILE_WIDTH) {
                batch = Some(log.batch(number).await?);
            }
            let place = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
            let signature = batch.as_ref().and_then(|batch| batch.signatures.get(place).copied());
            if let Some(Some(signature)) = signature
                && index < before
                && self.writer.sign(index, signature)?
            {
                added += 1;
            }
        }
        Ok(added)
    }
}
