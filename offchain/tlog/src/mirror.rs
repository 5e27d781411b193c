//! A copy of a log that is itself a log: every byte was checked, and it only ever grows.

use std::collections::BTreeMap;

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_ratls::ParsedCertificate;
use cocoon_receipt::log::{Checkpoint, TILE_WIDTH};
use cocoon_receipt::{Signature, SignedReceipt};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use crate::challenges;
use crate::error::TlogError;
use crate::folder::SharedFolder;
use crate::limits::{BUNDLES_LOOKED_AT_AGAIN, MAX_CHALLENGE_FILES, MAX_REMEMBERED_CERTIFICATES};
use crate::paths::{self, DESCRIPTION};
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
    /// Keys of certificates that were looked for; `None` of those that are not there, or none.
    looked_for: BTreeMap<HashBytes, Option<PublicKey>>,
}

impl Mirror {
    /// Takes up a mirror in a folder, or begins one, of the log that signs with `key`.
    pub fn open(source: SharedSource, key: PublicKey, folder: SharedFolder) -> Result<Self, TlogError> {
        Ok(Self {
            source,
            key,
            writer: LogWriter::open(folder, key)?,
            looked_for: BTreeMap::new(),
        })
    }

    /// The checkpoint of the copy.
    pub fn note(&self) -> Option<&str> {
        self.writer.note()
    }

    /// Brings the copy to the source's newest checkpoint. A source that does not continue the copy, or a checkpoint that was seen
    /// before and not copied to its end, is refused, and the copy stays as it is: both checkpoints are kept. `told` is called with the entries that were copied.
    pub fn update<'a>(
        &'a mut self,
        told: &'a mut (dyn FnMut(u64, u64) + Send),
    ) -> BoxFuture<'a, Result<Mirrored, TlogError>> {
        Box::pin(self.update_here(told))
    }

    async fn update_here(&mut self, told: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Mirrored, TlogError> {
        let log = PublishedLog::open(self.source.clone(), self.key).await?;
        let before = self.writer.size();
        let known = Checkpoint {
            origin: log.checkpoint().origin.clone(),
            size: before,
            root: self.writer.root(),
        };
        self.compare(&log, &known).await?;
        log.cells().await?;
        let mut mirrored = Mirrored {
            before,
            ..Mirrored::default()
        };
        self.looked_for.clear();
        self.add_signatures(&log, before, &mut mirrored).await?;
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
        self.take_challenges().await?;
        // The root is compared once more, with the one that the copy has now.
        self.writer.seal(log.note(), None)?;
        mirrored.size = self.writer.size();
        Ok(mirrored)
    }

    /// The log must continue what the copy has, and what this mirror has seen in the life before; then its checkpoint is remembered.
    async fn compare(&mut self, log: &PublishedLog, copied: &Checkpoint) -> Result<(), TlogError> {
        let seen = self.writer.pending()?;
        for known in [Some(copied), seen.as_ref()].into_iter().flatten() {
            match log.must_continue(known).await {
                Ok(()) => {}
                Err(error @ TlogError::Fork { .. }) => {
                    self.writer.accuse(log.note())?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        self.writer.hold(log.note())
    }

    /// Copies the records of challenges that are new. One that is not signed is refused; those that were copied stay.
    async fn take_challenges(&mut self) -> Result<(), TlogError> {
        let known = self.writer.challenges()?;
        for number in known / TILE_WIDTH..MAX_CHALLENGE_FILES {
            let Some(bytes) = self.source.read(&paths::challenges(number)).await? else {
                return Ok(());
            };
            let records = challenges::open(number, &bytes, &self.key)?;
            let is_last = (records.len() as u64) < TILE_WIDTH;
            let skipped = usize::try_from(known.saturating_sub(number * TILE_WIDTH)).unwrap_or(usize::MAX);
            let new: Vec<_> = records
                .iter()
                .skip(skipped)
                .map(|record| record.to_bytes().to_vec())
                .collect();
            if !new.is_empty() {
                self.writer.push_challenges(&new)?;
            }
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Adds what is new of a batch. A receipt is written as this program writes it, and only with signatures that were checked.
    async fn take(
        &mut self,
        batch: &Batch,
        receipts: &[SignedReceipt],
        mirrored: &mut Mirrored,
    ) -> Result<(), TlogError> {
        let skipped = usize::try_from(self.writer.size().saturating_sub(batch.first)).unwrap_or(usize::MAX);
        let items = (batch.first..).zip(batch.ids.iter().zip(receipts));
        for (index, (id, receipt)) in items.skip(skipped) {
            let checked = receipt.verify_proxy(&self.key);
            checked.map_err(|source| TlogError::Receipt { index, source })?;
            // What may fail comes first: a receipt that is written is not looked at again.
            self.take_evidence(receipt.receipt.proxy_evidence, mirrored).await?;
            let signature = self.checked_signature(receipt, mirrored).await?;
            let bare = SignedReceipt {
                worker_signature: None,
                ..receipt.clone()
            };
            self.writer.push(*id, bare.to_boc(), signature)?;
        }
        Ok(())
    }

    /// The worker's signature, if the certificate that the receipt names is there and its key made it. Another one is left out: the
    /// right one may come later.
    async fn checked_signature(
        &mut self,
        receipt: &SignedReceipt,
        mirrored: &mut Mirrored,
    ) -> Result<Option<Signature>, TlogError> {
        let hash = receipt.receipt.statement.worker_evidence;
        let Some(key) = self.take_evidence(hash, mirrored).await? else {
            return Ok(None);
        };
        let is_good = receipt.verify_worker(&key).unwrap_or(false);
        Ok(receipt.worker_signature.filter(|_| is_good))
    }

    /// Copies a certificate, if it is new; returns its key.
    async fn take_evidence(
        &mut self,
        hash: HashBytes,
        mirrored: &mut Mirrored,
    ) -> Result<Option<PublicKey>, TlogError> {
        if let Some(key) = self.looked_for.get(&hash) {
            return Ok(*key);
        }
        let certificate = match self.writer.evidence(&hash)? {
            Some(certificate) => Some(certificate),
            None => match evidence(&self.source, &hash).await? {
                Some(certificate) => {
                    self.writer.put_evidence(&certificate)?;
                    mirrored.evidence += 1;
                    Some(certificate.to_vec())
                }
                None => {
                    mirrored.missing_evidence += 1;
                    None
                }
            },
        };
        let parsed = certificate.and_then(|certificate| ParsedCertificate::parse(&certificate).ok());
        let key = parsed.map(|parsed| parsed.leaf_key);
        if self.looked_for.len() >= MAX_REMEMBERED_CERTIFICATES {
            self.looked_for.clear();
        }
        self.looked_for.insert(hash, key);
        Ok(key)
    }

    /// Signatures that came after the copy was made.
    async fn add_signatures(
        &mut self,
        log: &PublishedLog,
        before: u64,
        mirrored: &mut Mirrored,
    ) -> Result<(), TlogError> {
        let mut batch: Option<(u64, Vec<SignedReceipt>)> = None;
        for (index, _) in self.writer.unsigned(BUNDLES_LOOKED_AT_AGAIN)? {
            let number = index / TILE_WIDTH;
            if batch.as_ref().is_none_or(|(read, _)| *read != number) {
                batch = Some((number, log.batch(number).await?.decode()?));
            }
            let place = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
            let receipt = batch.as_ref().and_then(|(_, receipts)| receipts.get(place));
            let Some(receipt) = receipt.filter(|receipt| receipt.worker_signature.is_some() && index < before) else {
                continue;
            };
            if let Some(signature) = self.checked_signature(receipt, mirrored).await?
                && self.writer.sign(index, signature)?
            {
                mirrored.signatures += 1;
            }
        }
        Ok(())
    }
}
