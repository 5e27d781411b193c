//! A proxy's side of its published log: receipts go in as they become durable, a signed checkpoint comes out.

use std::collections::{BTreeMap, HashMap};

use cocoon_bindings::checkpoint::SignedCheckpoint;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::limits::MAX_CELLS;
use cocoon_receipt::log::{Checkpoint, TileWriter};
use cocoon_receipt::{BuiltReceipt, ReceiptId, Signature, SignedReceipt};
use ed25519_dalek::SigningKey;

use crate::description::Description;
use crate::error::TlogError;
use crate::folder::SharedFolder;
use crate::limits::{BUNDLES_LOOKED_AT_AGAIN, MAX_AWAITED};
use crate::writer::{LogWriter, Mark};

/// Publishes the receipts of one proxy, signed with the key of its contracts.
///
/// The same receipts must come in the same order in every life: what was signed once is never signed otherwise. Whoever has
/// another account of them compares it before each [`Publisher::publish`].
pub struct Publisher {
    writer: LogWriter,
    key: SigningKey,
    /// Places of receipts whose workers have not signed yet.
    awaited: HashMap<ReceiptId, u64>,
    /// The same, the oldest first.
    awaited_order: BTreeMap<u64, ReceiptId>,
    /// What the proxy contract punishes; comes under the checkpoints.
    cells: Vec<SignedCheckpoint>,
    has_changes: bool,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// Takes up the log in a folder at its last checkpoint, or begins one.
    pub fn open(folder: SharedFolder, key: SigningKey) -> Result<Self, TlogError> {
        let writer = LogWriter::open(folder, PublicKey::from(&key))?;
        let cells = match writer.note() {
            Some(note) => Checkpoint::cells(note, &PublicKey::from(&key))?,
            None => Vec::new(),
        };
        let mut publisher = Self {
            writer,
            cells,
            key,
            awaited: HashMap::new(),
            awaited_order: BTreeMap::new(),
            has_changes: false,
        };
        for (index, id) in publisher.writer.unsigned(BUNDLES_LOOKED_AT_AGAIN)? {
            publisher.await_signature(index, id);
        }
        publisher.has_changes = publisher.writer.note().is_none();
        Ok(publisher)
    }

    /// Entries, those behind the last checkpoint included.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Root of the tree over them.
    pub fn root(&self) -> HashBytes {
        self.writer.root()
    }

    /// The right edge of the tree over them.
    pub fn tiles(&self) -> &TileWriter {
        self.writer.tiles()
    }

    /// The last entry.
    pub fn last(&self) -> Result<Option<ReceiptId>, TlogError> {
        self.writer.last()
    }

    /// How far the proxy's own log was read at the last checkpoint.
    pub fn mark(&self) -> Option<Mark> {
        self.writer.mark()
    }

    /// The last checkpoint.
    pub fn note(&self) -> Option<&str> {
        self.writer.note()
    }

    /// Whether something was added since the last checkpoint.
    pub fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// Adds the next receipt.
    pub fn add(&mut self, receipt: &SignedReceipt) -> Result<(), TlogError> {
        self.add_built(&receipt.clone().into())
    }

    /// Adds the next receipt, whose cells are at hand.
    pub fn add_built(&mut self, receipt: &BuiltReceipt) -> Result<(), TlogError> {
        let (index, id) = (self.size(), receipt.id());
        let worker_signature = receipt.signed().worker_signature;
        self.has_changes = true;
        self.writer.push(id, receipt.to_boc_with(None), worker_signature)?;
        if worker_signature.is_none() {
            self.await_signature(index, id);
        }
        Ok(())
    }

    /// Adds a worker's signature to a receipt further up. One for a receipt that has it, or is too far up, changes nothing.
    pub fn add_signature(&mut self, id: &ReceiptId, signature: Signature) -> Result<(), TlogError> {
        if let Some(index) = self.awaited.remove(id) {
            self.awaited_order.remove(&index);
            self.has_changes |= self.writer.sign(index, signature)?;
        }
        Ok(())
    }

    fn await_signature(&mut self, index: u64, id: ReceiptId) {
        if self.awaited.len() >= MAX_AWAITED
            && let Some((_, oldest)) = self.awaited_order.pop_first()
        {
            self.awaited.remove(&oldest);
        }
        self.awaited.insert(id, index);
        self.awaited_order.insert(index, id);
    }

    /// Whether the certificate with this hash is published.
    pub fn has_evidence(&self, hash: &HashBytes) -> Result<bool, TlogError> {
        self.writer.has_evidence(hash)
    }

    /// Publishes a certificate with the next checkpoint.
    pub fn put_evidence(&mut self, certificate: &[u8]) -> Result<(), TlogError> {
        self.writer.put_evidence(certificate)
    }

    /// Says which log this is.
    pub fn describe(&mut self, root: String, proxy: String) -> Result<(), TlogError> {
        let description = Description::new(&PublicKey::from(&self.key), root, proxy);
        self.writer.describe(&description.to_bytes())
    }

    /// Names the signed checkpoints for proxy contracts that come under the checkpoints from now on, those of a longer log later. They must
    /// be of this log: whoever signs them knows.
    pub fn cover(&mut self, cells: Vec<SignedCheckpoint>) {
        self.cells = cells;
    }

    /// Puts the last checkpoint with what it covers in its place, if that has changed; says whether it did. The signatures of witnesses stay.
    pub fn renew(&mut self) -> Result<bool, TlogError> {
        let Some(note) = self.writer.note().filter(|_| !self.has_changes) else {
            return Ok(false);
        };
        let key = PublicKey::from(&self.key);
        let cells = self.covered();
        if Checkpoint::cells(note, &key)? == cells {
            return Ok(false);
        }
        let note = Checkpoint::with_cells(note, &cells, &key)?;
        self.writer.reseal(&note)?;
        Ok(true)
    }

    fn covered(&self) -> Vec<SignedCheckpoint> {
        let size = self.size();
        let covered = self.cells.iter().filter(|cell| cell.checkpoint.size <= size);
        covered.take(MAX_CELLS).cloned().collect()
    }

    /// Signs a checkpoint over everything that was added and puts it in its place. Returns it as a note.
    pub fn publish(&mut self, mark: Option<Mark>) -> Result<String, TlogError> {
        let checkpoint = Checkpoint {
            origin: Checkpoint::origin_of(&PublicKey::from(&self.key)),
            size: self.size(),
            root: self.root(),
        };
        let key = PublicKey::from(&self.key);
        let note = Checkpoint::with_cells(&checkpoint.sign(&self.key)?, &self.covered(), &key)?;
        self.writer.seal(&note, mark)?;
        self.has_changes = false;
        Ok(note)
    }

    /// Adds records of challenges. Those that stand among the last ones already, because the proxy died before it could note that, are left
    /// out; what the folder has or lacks before them does not matter.
    pub fn add_challenges(&mut self, records: &[Vec<u8>]) -> Result<(), TlogError> {
        if records.is_empty() {
            return Ok(());
        }
        let known = self.writer.last_challenges()?;
        let new: Vec<_> = records
            .iter()
            .filter(|record| !known.contains(*record))
            .cloned()
            .collect();
        self.writer.push_challenges(&new)
    }

    /// Puts the last checkpoint with the signatures of witnesses in its place.
    pub fn witnessed(&mut self, note: &str) -> Result<(), TlogError> {
        self.writer.reseal(note)
    }
}
