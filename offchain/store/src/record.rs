//! The bytes of the receipt log.
//!
//! ```text
//! file   = magic:8 record*
//! record = kind:1 length:4 id:32 check:8 payload:length check:8      (integers little-endian)
//! ```
//! The first check is over kind, length and id, the second over these and the payload; both are the first eight bytes of
//! SHA-256. So a flipped byte is found, and told from a record that was still being written.

use std::sync::Arc;

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{BuiltReceipt, ReceiptId, Signature, SignedReceipt};
use sha2::{Digest, Sha256};

use crate::limits::MAX_RECORD_BYTES;

/// First bytes of every log.
pub(crate) const MAGIC: &[u8; 8] = b"coclog1\n";
/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 45;
/// Bytes after the payload.
pub(crate) const CHECK_BYTES: usize = 8;

const KIND_RECEIPT: u8 = 1;
const KIND_WORKER_SIGNATURE: u8 = 2;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is the large one")]
pub enum LogRecord {
    /// A receipt, with the worker's signature if it was there in time.
    Receipt(SignedReceipt),
    /// The worker's signature over the statement of a receipt further up.
    WorkerSignature(ReceiptId, Signature),
}

impl LogRecord {
    /// The receipt that this is or belongs to.
    pub fn receipt_id(&self) -> ReceiptId {
        match self {
            Self::Receipt(receipt) => receipt.id(),
            Self::WorkerSignature(id, _) => *id,
        }
    }
}

/// A record with its cells: one that is to be written, or was read.
#[derive(Debug, Clone)]
pub enum NewRecord {
    /// A receipt, with the worker's signature if it was there in time.
    Receipt(Arc<BuiltReceipt>),
    /// The worker's signature over the statement of a receipt further up.
    WorkerSignature(ReceiptId, Signature),
}

impl NewRecord {
    /// Adds its bytes to those of the records before.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Receipt(receipt) => Self::encode_receipt(receipt, bytes),
            Self::WorkerSignature(id, signature) => encode(bytes, KIND_WORKER_SIGNATURE, *id, &signature.0),
        }
    }

    /// The same for a receipt.
    pub(crate) fn encode_receipt(receipt: &BuiltReceipt, bytes: &mut Vec<u8>) {
        encode(bytes, KIND_RECEIPT, receipt.id(), &receipt.to_boc());
    }
}

impl From<LogRecord> for NewRecord {
    fn from(record: LogRecord) -> Self {
        match record {
            LogRecord::Receipt(receipt) => Self::Receipt(Arc::new(receipt.into())),
            LogRecord::WorkerSignature(id, signature) => Self::WorkerSignature(id, signature),
        }
    }
}

impl From<NewRecord> for LogRecord {
    fn from(record: NewRecord) -> Self {
        match record {
            NewRecord::Receipt(receipt) => Self::Receipt(Arc::unwrap_or_clone(receipt).into()),
            NewRecord::WorkerSignature(id, signature) => Self::WorkerSignature(id, signature),
        }
    }
}

fn encode(bytes: &mut Vec<u8>, kind: u8, id: ReceiptId, payload: &[u8]) {
    let begin = bytes.len();
    bytes.reserve(HEADER_BYTES + payload.len() + CHECK_BYTES);
    bytes.push(kind);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&id.0.0);
    let header = checksum(&[&bytes[begin..]]);
    bytes.extend_from_slice(&header);
    let check = checksum(&[&bytes[begin..][..HEADER_BYTES - CHECK_BYTES], payload]);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&check);
}

/// The part of a record that says how long it is.
pub(crate) struct Header {
    kind: u8,
    pub(crate) length: usize,
    pub(crate) id: ReceiptId,
    is_intact: bool,
    checked: [u8; HEADER_BYTES - CHECK_BYTES],
}

impl Header {
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Self {
        let mut checked = [0; HEADER_BYTES - CHECK_BYTES];
        checked.copy_from_slice(&bytes[..HEADER_BYTES - CHECK_BYTES]);
        let length = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        let mut id = [0; 32];
        id.copy_from_slice(&bytes[5..37]);
        Self {
            kind: bytes[0],
            length: length.min(MAX_RECORD_BYTES) as usize,
            id: ReceiptId(HashBytes(id)),
            is_intact: length <= MAX_RECORD_BYTES && checksum(&[&checked]) == bytes[HEADER_BYTES - CHECK_BYTES..],
            checked,
        }
    }

    /// Whether the length can be believed.
    pub(crate) fn is_intact(&self) -> bool {
        self.is_intact
    }

    /// The record, from the payload with its check.
    pub(crate) fn record(&self, payload: &[u8], check: &[u8]) -> Result<LogRecord, String> {
        self.built(payload, check).map(LogRecord::from)
    }

    /// The same with its cells.
    pub(crate) fn built(&self, payload: &[u8], check: &[u8]) -> Result<NewRecord, String> {
        if checksum(&[&self.checked, payload]) != check {
            return Err("checksum differs".into());
        }
        match self.kind {
            KIND_RECEIPT => {
                let receipt = BuiltReceipt::from_boc(payload).map_err(|error| error.to_string())?;
                if receipt.id() == self.id {
                    Ok(NewRecord::Receipt(Arc::new(receipt)))
                } else {
                    Err(format!("holds receipt {}", receipt.id()))
                }
            }
            KIND_WORKER_SIGNATURE => {
                let signature = payload
                    .try_into()
                    .map_err(|_| "signature of a wrong length".to_owned())?;
                Ok(NewRecord::WorkerSignature(self.id, Signature(signature)))
            }
            other => Err(format!("unknown kind {other}")),
        }
    }
}

fn checksum(parts: &[&[u8]]) -> [u8; CHECK_BYTES] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let digest = hasher.finalize();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}
