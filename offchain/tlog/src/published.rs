//! Reading a published log: nothing leaves here that was not proven against the checkpoint's root.

mod batch;
mod near;
mod tiles;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use cocoon_bindings::checkpoint::SignedCheckpoint;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::{Checkpoint, Cosignature, TILE_WIDTH, TileKind, WitnessKey};
use cocoon_receipt::tree::verify_consistency;
use cocoon_receipt::{ReceiptId, SignedChallenge, SignedReceipt};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::bundle;
use crate::challenges::{self, Answerer, Compared};
use crate::error::TlogError;
use crate::limits::BATCHES_AHEAD;
use crate::paths::{self, CHECKPOINT};
use crate::proof::InclusionProof;
use crate::source::SharedSource;
use tiles::VerifiedTiles;

pub use batch::Batch;

/// A log at one checkpoint.
#[derive(Debug)]
pub struct PublishedLog {
    source: SharedSource,
    key: PublicKey,
    note: String,
    checkpoint: Checkpoint,
    tiles: VerifiedTiles,
}

impl PublishedLog {
    /// Opens the log that signs with `key` at its newest checkpoint.
    pub fn open(source: SharedSource, key: PublicKey) -> BoxFuture<'static, Result<Self, TlogError>> {
        Box::pin(Self::open_newest(source, key))
    }

    async fn open_newest(source: SharedSource, key: PublicKey) -> Result<Self, TlogError> {
        let missing = || TlogError::Missing {
            path: CHECKPOINT.to_owned(),
        };
        let bytes = source.read(CHECKPOINT).await?.ok_or_else(missing)?;
        let note = String::from_utf8_lossy(&bytes).into_owned();
        Self::open_at(source, key, note).await
    }

    /// Opens it at a checkpoint that is at hand, whatever the source says now. The files for its size must still be there.
    pub async fn open_at(source: SharedSource, key: PublicKey, note: String) -> Result<Self, TlogError> {
        let checkpoint = Checkpoint::open(&note, &Checkpoint::origin_of(&key), &key)?;
        let tiles = VerifiedTiles::open(Arc::clone(&source), checkpoint.size, checkpoint.root).await?;
        Ok(Self {
            source,
            key,
            note,
            checkpoint,
            tiles,
        })
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint as it is signed.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Which of these witnesses have signed the checkpoint.
    pub fn cosignatures(&self, witnesses: &[WitnessKey]) -> Result<Vec<Cosignature>, TlogError> {
        Ok(Checkpoint::cosignatures(&self.note, witnesses)?)
    }

    /// What stands under the checkpoint for proxy contracts, each signed and of this log. Two such from two logs cost the proxy a share of
    /// its stake.
    pub async fn cells(&self) -> Result<Vec<SignedCheckpoint>, TlogError> {
        let cells = Checkpoint::cells(&self.note, &self.key)?;
        for cell in &cells {
            let (size, root) = (cell.checkpoint.size, &cell.checkpoint.root_hash);
            if !self.continues(size, root).await? {
                return Err(TlogError::Cell {
                    contract: cell.checkpoint.proxy.clone(),
                    size,
                });
            }
        }
        Ok(cells)
    }

    /// What the proxy says of requests that two workers answered, each record signed. Whether the receipts that they name are in the log is not
    /// looked at.
    pub async fn challenges(&self) -> Result<Vec<SignedChallenge>, TlogError> {
        challenges::read(&self.source, &self.key).await
    }

    /// The same with whoever answered. Reads all entries, when there are records. A record of one worker or of two models is an error; one
    /// whose receipts are not under this checkpoint is left out.
    pub async fn compared(&self) -> Result<Vec<Compared>, TlogError> {
        let records = self.challenges().await?;
        let named = records
            .iter()
            .flat_map(|signed| [signed.record.first.0, signed.record.second.0]);
        let named: HashSet<HashBytes> = named.collect();
        let mut found = HashMap::new();
        for number in 0..self.batches() {
            if found.len() == named.len() {
                break;
            }
            if !self.entries(number).await?.iter().any(|id| named.contains(&id.0)) {
                continue;
            }
            for receipt in self.batch(number).await?.decode()? {
                let id = receipt.id().0;
                if named.contains(&id) {
                    found.insert(id, Answerer::of(&receipt));
                }
            }
        }
        challenges::join(records, &found)
    }

    /// Receipts.
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Batches of 256 receipts, the last of them with fewer.
    pub fn batches(&self) -> u64 {
        self.size().div_ceil(TILE_WIDTH)
    }

    /// The receipts from `256 × number` on, proven to be those of the tree, not decoded yet.
    pub fn batch<'a>(&'a self, number: u64) -> BoxFuture<'a, Result<Batch, TlogError>> {
        Box::pin(self.read_batch(number))
    }

    async fn read_batch(&self, number: u64) -> Result<Batch, TlogError> {
        let ids = self.entries(number);
        let receipts = tiles::read(&self.source, TileKind::Receipts, number, self.size());
        let signatures = tiles::read(&self.source, TileKind::Signatures, number, self.size());
        let (ids, receipts, signatures) = futures_util::try_join!(ids, receipts, signatures)?;
        Ok(Batch {
            first: number * TILE_WIDTH,
            ids,
            receipts: receipts.items(bundle::receipts)?,
            signatures: signatures.items(bundle::signatures)?,
        })
    }

    /// Batches in their order, some fetched ahead. Ends with the first error.
    pub fn raw(&self, from: u64) -> impl Stream<Item = Result<Batch, TlogError>> + '_ {
        let batches = stream::iter(from..self.batches()).map(|number| self.batch(number));
        let mut has_failed = false;
        batches.buffered(BATCHES_AHEAD).take_while(move |batch| {
            let goes_on = !has_failed;
            has_failed = batch.is_err();
            std::future::ready(goes_on)
        })
    }

    /// Receipts in their order from batch `from` on: the index of the first one, and up to 256 of them, each proven to be in the
    /// tree. Their own signatures, channels and prices are not checked.
    pub fn receipts(&self, from: u64) -> impl Stream<Item = Result<(u64, Vec<SignedReceipt>), TlogError>> + '_ {
        let decoded = |batch: Result<Batch, TlogError>| batch.and_then(|batch| Ok((batch.first, batch.decode()?)));
        self.raw(from).map(decoded)
    }

    /// The certificate with this hash, if the log has it.
    pub async fn evidence(&self, hash: &HashBytes) -> Result<Option<Bytes>, TlogError> {
        evidence(&self.source, hash).await
    }

    /// Root of the tree over the first `size` entries.
    pub async fn prefix_root(&self, size: u64) -> Result<HashBytes, TlogError> {
        self.tiles.root(size).await
    }

    /// Whether the log was once the one of `size` entries with this root: an anchor on chain, or a checkpoint seen before.
    /// `false` too when it is shorter.
    pub async fn continues(&self, size: u64, root: &HashBytes) -> Result<bool, TlogError> {
        Ok(size <= self.size() && self.prefix_root(size).await? == *root)
    }

    /// The nodes that prove that the log of `old` entries is the beginning of this one.
    pub async fn consistency_proof(&self, old: u64) -> Result<Vec<HashBytes>, TlogError> {
        self.tiles.consistency_proof(old).await
    }

    /// Refuses a log that is not a continuation of a checkpoint that was seen before, by a proof that anybody can check.
    pub async fn must_continue(&self, known: &Checkpoint) -> Result<(), TlogError> {
        if self.size() < known.size {
            return Err(TlogError::Shorter {
                found: self.size(),
                known: known.size,
            });
        }
        let proof = self.consistency_proof(known.size).await?;
        let own = &self.checkpoint;
        if verify_consistency(known.size, &known.root, own.size, &own.root, &proof) {
            Ok(())
        } else {
            Err(TlogError::Fork {
                known: known.size,
                root: known.root,
            })
        }
    }

    /// The place of a receipt: entries are looked through from the newest on, so this takes long for old ones.
    pub fn find<'a>(&'a self, id: &'a ReceiptId) -> BoxFuture<'a, Result<Option<u64>, TlogError>> {
        Box::pin(self.find_entry(id))
    }

    async fn find_entry(&self, id: &ReceiptId) -> Result<Option<u64>, TlogError> {
        let numbers = stream::iter((0..self.batches()).rev());
        let searched = numbers.map(|number| async move { Ok::<_, TlogError>((number, self.entries(number).await?)) });
        let mut searched = std::pin::pin!(searched.buffered(BATCHES_AHEAD));
        while let Some(found) = searched.next().await {
            let (number, ids) = found?;
            if let Some(place) = ids.iter().position(|found| found == id) {
                return Ok(Some(number * TILE_WIDTH + place as u64));
            }
        }
        Ok(None)
    }

    /// The proof for the receipt at `index`, which brings the receipt.
    pub fn prove<'a>(&'a self, index: u64) -> BoxFuture<'a, Result<InclusionProof, TlogError>> {
        Box::pin(self.prove_entry(index))
    }

    async fn prove_entry(&self, index: u64) -> Result<InclusionProof, TlogError> {
        let path = self.tiles.inclusion_proof(index).await?;
        let mut receipts = self.batch(index / TILE_WIDTH).await?.decode()?;
        let place = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        let size = TlogError::Size {
            size: self.size(),
            asked: index,
        };
        if place >= receipts.len() {
            return Err(size);
        }
        Ok(InclusionProof {
            receipt: Some(receipts.swap_remove(place).to_boc()),
            index,
            path,
            note: self.note.clone(),
        })
    }

    /// The key that signs.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The ids of a batch, proven.
    async fn entries(&self, number: u64) -> Result<Vec<ReceiptId>, TlogError> {
        let read = tiles::read(&self.source, TileKind::Entries, number, self.size());
        let (read, tile) = futures_util::try_join!(read, self.tiles.lowest(number))?;
        let ids = read.items(bundle::entries)?;
        batch::check_entries(number * TILE_WIDTH, &ids, &tile)?;
        Ok(ids)
    }
}

/// A certificate that has the hash that names it.
pub(crate) async fn evidence(source: &SharedSource, hash: &HashBytes) -> Result<Option<Bytes>, TlogError> {
    let Some(bytes) = source.read(&paths::evidence(hash)).await? else {
        return Ok(None);
    };
    if Sha256::digest(&bytes).as_slice() != hash.as_slice() {
        return Err(TlogError::Evidence { hash: *hash });
    }
    Ok(Some(bytes))
}
