//! Writing the files of a log. Full tiles and bundles come first, then those at the right edge, then the checkpoint.
//!
//! A writer that dies anywhere is opened again at the last checkpoint, whose files are durable before it is. What was written behind
//! it is written again: receipts do not change, so the bytes are the same.

mod open;

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::limits::MAX_RECEIPT_BYTES;
use cocoon_receipt::log::{Checkpoint, TILE_WIDTH, TileId, TileKind, TileWriter};
use cocoon_receipt::tree::leaf_hash;
use cocoon_receipt::{CHALLENGE_BYTES, ReceiptError, ReceiptId, Signature};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bundle;
use crate::error::{TlogError, disk};
use crate::folder::{Files, SharedFolder};
use crate::limits::{MAX_CHALLENGE_FILES, MAX_CHALLENGES_BYTES, MAX_EVIDENCE_BYTES, MAX_LATE_BUNDLES};
use crate::paths::{self, CHECKPOINT, DESCRIPTION};

/// Where a writer notes how far it has read what it writes from. Not a file of the log.
const MARK: &str = "mark.json";

/// The newest checkpoint of its source that a copy has seen. Not a file of the log.
const PENDING: &str = "pending";

/// A checkpoint that contradicts it. Not a file of the log.
const CONTRADICTION: &str = "contradiction";

/// How far a proxy's own log was read when the checkpoint of `size` was made. A hint, so that a start need not read it from its
/// beginning; what it says is compared before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Entries of the checkpoint.
    pub size: u64,
    /// Where the next record begins, in bytes.
    pub offset: u64,
    /// Number of that record.
    pub record: u64,
    /// Where the record of the last entry begins, in bytes.
    pub last_offset: u64,
}

/// The bundle that is not full.
#[derive(Debug, Default)]
struct Open {
    ids: Vec<ReceiptId>,
    receipts: Vec<Vec<u8>>,
    signatures: Vec<Option<Signature>>,
}

/// The writer of a log. One at a time for a folder: whoever owns it sees to that.
#[derive(Debug)]
pub struct LogWriter {
    files: Files,
    key: PublicKey,
    tiles: TileWriter,
    open: Open,
    /// Full bundles with signatures that came later.
    late: BTreeMap<u64, Vec<Option<Signature>>>,
    /// Tiles and bundles that were filled since the last checkpoint: their partial forms go.
    filled: BTreeSet<(TileKind, u64)>,
    sealed: Option<String>,
    /// The newest checkpoint that was seen, perhaps before all under it was copied.
    pending: Option<String>,
    mark: Option<Mark>,
    is_broken: bool,
}

impl LogWriter {
    /// Opens the log that signs with `key` in a folder at its last checkpoint, or begins one.
    pub fn open(folder: SharedFolder, key: PublicKey) -> Result<Self, TlogError> {
        open::open(Files::take(folder)?, key)
    }

    /// Entries, those behind the last checkpoint included.
    pub fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// Root of the tree over them.
    pub fn root(&self) -> HashBytes {
        self.tiles.root()
    }

    /// The right edge of the tree over them.
    pub fn tiles(&self) -> &TileWriter {
        &self.tiles
    }

    /// The last checkpoint as it was signed; `None` when there is none yet.
    pub fn note(&self) -> Option<&str> {
        self.sealed.as_deref()
    }

    /// The newest checkpoint that was held, if it still needs to be compared.
    pub fn pending(&self) -> Result<Option<Checkpoint>, TlogError> {
        let origin = Checkpoint::origin_of(&self.key);
        let note = self.pending.as_deref();
        Ok(note
            .map(|note| Checkpoint::open(note, &origin, &self.key))
            .transpose()?)
    }

    /// Remembers a checkpoint before anything under it is copied: durable when this returns.
    pub fn hold(&mut self, note: &str) -> Result<(), TlogError> {
        self.check()?;
        if self.pending.as_deref() == Some(note) || self.sealed.as_deref() == Some(note) {
            return Ok(());
        }
        self.put(PENDING, note.as_bytes())?;
        self.sync()?;
        self.pending = Some(note.to_owned());
        Ok(())
    }

    /// Keeps a checkpoint that contradicts what was seen before, beside that: together they are a proof.
    pub fn accuse(&mut self, note: &str) -> Result<(), TlogError> {
        self.put(CONTRADICTION, note.as_bytes())?;
        self.sync()
    }

    /// The mark of the last checkpoint, when it was written.
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// The last entry that was added.
    pub fn last(&self) -> Result<Option<ReceiptId>, TlogError> {
        if let Some(id) = self.open.ids.last() {
            return Ok(Some(*id));
        }
        match self.full_bundles().checked_sub(1) {
            None => Ok(None),
            Some(number) => Ok(self.read_bundle(TileKind::Entries, number, bundle::entries)?.pop()),
        }
    }

    fn full_bundles(&self) -> u64 {
        self.size() / TILE_WIDTH
    }

    /// Adds an entry: its receipt's bag of cells without the worker's signature, and that.
    pub fn push(&mut self, id: ReceiptId, receipt: Vec<u8>, signature: Option<Signature>) -> Result<(), TlogError> {
        self.check()?;
        if !(1..=MAX_RECEIPT_BYTES).contains(&receipt.len()) {
            return Err(TlogError::Receipt {
                index: self.size(),
                source: ReceiptError::TooLarge {
                    bytes: receipt.len(),
                    limit: MAX_RECEIPT_BYTES,
                },
            });
        }
        let number = self.full_bundles();
        self.open.ids.push(id);
        self.open.receipts.push(receipt);
        self.open.signatures.push(signature);
        for (tile, hashes) in self.tiles.push(leaf_hash(id.0.as_slice())) {
            self.put(&tile.to_string(), &bundle::encode_hashes(&hashes))?;
            self.filled.insert((tile.kind, tile.index));
        }
        if self.open.ids.len() as u64 == TILE_WIDTH {
            self.put_open(number)?;
            self.open = Open::default();
            self.filled.extend(TileKind::BUNDLES.map(|kind| (kind, number)));
        }
        Ok(())
    }

    /// Adds the worker's signature of an entry that had none. Says whether there was a place for it.
    pub fn sign(&mut self, index: u64, signature: Signature) -> Result<bool, TlogError> {
        self.check()?;
        let (number, place) = (
            index / TILE_WIDTH,
            usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX),
        );
        let signatures = if number == self.full_bundles() {
            &mut self.open.signatures
        } else if number < self.full_bundles() {
            if !self.late.contains_key(&number) {
                if self.late.len() >= MAX_LATE_BUNDLES {
                    self.put_late()?;
                }
                let read = self.read_bundle(TileKind::Signatures, number, bundle::signatures)?;
                self.late.insert(number, read);
            }
            self.late.entry(number).or_default()
        } else {
            return Ok(false);
        };
        match signatures.get_mut(place) {
            Some(gap) if gap.is_none() => {
                *gap = Some(signature);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Entries without a signature among those of the last `bundles` full bundles and the open one, by index.
    pub fn unsigned(&self, bundles: u64) -> Result<Vec<(u64, ReceiptId)>, TlogError> {
        let mut unsigned = Vec::new();
        let full = self.full_bundles();
        let mut take = |number: u64, ids: &[ReceiptId], signatures: &[Option<Signature>]| {
            let items = (number * TILE_WIDTH..).zip(ids.iter().zip(signatures));
            let gaps = items.filter(|(_, (_, signature))| signature.is_none());
            unsigned.extend(gaps.map(|(index, (id, _))| (index, *id)));
        };
        for number in full.saturating_sub(bundles)..full {
            let ids = self.read_bundle(TileKind::Entries, number, bundle::entries)?;
            let signatures = self.read_bundle(TileKind::Signatures, number, bundle::signatures)?;
            take(number, &ids, &signatures);
        }
        take(full, &self.open.ids, &self.open.signatures);
        Ok(unsigned)
    }

    /// Whether the certificate with this hash is there.
    pub fn has_evidence(&self, hash: &HashBytes) -> Result<bool, TlogError> {
        Ok(self.evidence(hash)?.is_some())
    }

    /// The certificate with this hash, if it is there.
    pub fn evidence(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, TlogError> {
        let path = paths::evidence(hash);
        let found = self.files.read(&path).map_err(disk("read", &path))?;
        Ok(found.filter(|bytes| Sha256::digest(bytes).as_slice() == hash.as_slice()))
    }

    /// Adds a certificate under its hash.
    pub fn put_evidence(&mut self, certificate: &[u8]) -> Result<(), TlogError> {
        let hash = HashBytes(Sha256::digest(certificate).into());
        let path = paths::evidence(&hash);
        if certificate.len() > MAX_EVIDENCE_BYTES {
            let limit = MAX_EVIDENCE_BYTES;
            return Err(TlogError::TooLarge { path, limit });
        }
        self.put(&path, certificate)
    }

    /// How many records of challenges there are.
    pub fn challenges(&self) -> Result<u64, TlogError> {
        let mut count = 0;
        for number in 0..MAX_CHALLENGE_FILES {
            let path = paths::challenges(number);
            let Some(bytes) = self.files.read(&path).map_err(disk("read", &path))? else {
                break;
            };
            let found = (bytes.len() / CHALLENGE_BYTES) as u64;
            count += found;
            if found < TILE_WIDTH {
                break;
            }
        }
        Ok(count)
    }

    /// Adds records of challenges behind those that are there, durable when this returns. They must be signed by the log's key.
    pub fn push_challenges(&mut self, records: &[Vec<u8>]) -> Result<(), TlogError> {
        self.check()?;
        let count = self.challenges()?;
        let mut number = count / TILE_WIDTH;
        let mut rest = records;
        while !rest.is_empty() && number < MAX_CHALLENGE_FILES {
            let path = paths::challenges(number);
            let mut bytes = self.files.read(&path).map_err(disk("read", &path))?.unwrap_or_default();
            // What is behind the last whole record was never told.
            bytes.truncate(bytes.len() / CHALLENGE_BYTES * CHALLENGE_BYTES);
            let room = (MAX_CHALLENGES_BYTES - bytes.len().min(MAX_CHALLENGES_BYTES)) / CHALLENGE_BYTES;
            let (now, later) = rest.split_at(room.min(rest.len()));
            now.iter().for_each(|record| bytes.extend_from_slice(record));
            self.put(&path, &bytes)?;
            (rest, number) = (later, number + 1);
        }
        self.sync()
    }

    /// Writes `log.json`, if it says something else.
    pub fn describe(&mut self, description: &[u8]) -> Result<(), TlogError> {
        let read = self.files.read(DESCRIPTION).map_err(disk("read", DESCRIPTION))?;
        if read.as_deref() == Some(description) {
            return Ok(());
        }
        self.put(DESCRIPTION, description)?;
        self.sync()
    }

    /// Makes all that was added durable and puts the checkpoint over it in its place. `note` must be signed by the log's key and
    /// have exactly this size and root.
    pub fn seal(&mut self, note: &str, mark: Option<Mark>) -> Result<(), TlogError> {
        self.check()?;
        let (size, signed) = (self.size(), self.root());
        let checkpoint = Checkpoint::open(note, &Checkpoint::origin_of(&self.key), &self.key)?;
        if checkpoint.size != size {
            return Err(TlogError::Size {
                size,
                asked: checkpoint.size,
            });
        }
        if checkpoint.root != signed {
            let found = checkpoint.root;
            return Err(TlogError::Root { size, found, signed });
        }
        self.put_late()?;
        for (tile, hashes) in self.tiles.partial() {
            self.put(&tile.to_string(), &bundle::encode_hashes(&hashes))?;
        }
        if !self.open.ids.is_empty() {
            self.put_open(self.full_bundles())?;
        }
        self.sync()?;
        self.put(CHECKPOINT, note.as_bytes())?;
        self.sync()?;
        self.sealed = Some(note.to_owned());
        if let Some(mark) = mark.filter(|mark| self.mark != Some(*mark)) {
            self.put(MARK, serde_json::json!(mark).to_string().as_bytes())?;
            self.sync()?;
            self.mark = Some(mark);
        }
        self.clean()
    }

    /// Puts another form of the last checkpoint in its place: with the signatures of witnesses.
    pub fn reseal(&mut self, note: &str) -> Result<(), TlogError> {
        self.check()?;
        let last = self.sealed.as_deref().unwrap_or_default();
        let origin = Checkpoint::origin_of(&self.key);
        let (last, next) = (
            Checkpoint::open(last, &origin, &self.key)?,
            Checkpoint::open(note, &origin, &self.key)?,
        );
        if last != next {
            return Err(TlogError::Fork {
                known: last.size,
                root: last.root,
            });
        }
        self.put(CHECKPOINT, note.as_bytes())?;
        self.sync()?;
        self.sealed = Some(note.to_owned());
        Ok(())
    }

    /// Partial forms of what is full now: readers take the full one.
    fn clean(&mut self) -> Result<(), TlogError> {
        for (kind, index) in std::mem::take(&mut self.filled) {
            let folder = paths::partial_folder(kind, index);
            self.files.remove_folder(&folder).map_err(disk("remove", &folder))?;
        }
        Ok(())
    }

    /// The bundles of the entries that are not in a full one, or have just filled it.
    fn put_open(&mut self, index: u64) -> Result<(), TlogError> {
        let width = self.open.ids.len() as u64;
        let receipts = bundle::encode(self.open.receipts.iter().map(Vec::as_slice)).unwrap_or_default();
        let bundles = [
            (TileKind::Entries, bundle::encode_entries(&self.open.ids)),
            (TileKind::Receipts, receipts),
            (TileKind::Signatures, bundle::encode_signatures(&self.open.signatures)),
        ];
        for (kind, bytes) in bundles {
            self.put(&TileId { kind, index, width }.to_string(), &bytes)?;
        }
        Ok(())
    }

    fn put_late(&mut self) -> Result<(), TlogError> {
        for (index, signatures) in std::mem::take(&mut self.late) {
            let bundle = full(TileKind::Signatures, index);
            self.put(&bundle.to_string(), &bundle::encode_signatures(&signatures))?;
        }
        Ok(())
    }

    /// Items of a full bundle.
    fn read_bundle<T>(
        &self,
        kind: TileKind,
        index: u64,
        decode: impl FnOnce(&bytes::Bytes, u64, u64) -> Result<Vec<T>, bundle::BundleError>,
    ) -> Result<Vec<T>, TlogError> {
        open::read_items(&self.files, full(kind, index), decode)
    }

    fn check(&self) -> Result<(), TlogError> {
        if self.is_broken {
            return Err(TlogError::Broken);
        }
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), TlogError> {
        let put = self.files.put(path, bytes).map_err(disk("write", path));
        self.is_broken |= put.is_err();
        put
    }

    fn sync(&mut self) -> Result<(), TlogError> {
        let synced = self.files.sync().map_err(disk("sync", "the folders"));
        self.is_broken |= synced.is_err();
        synced
    }
}

fn full(kind: TileKind, index: u64) -> TileId {
    let width = TILE_WIDTH;
    TileId { kind, index, width }
}
