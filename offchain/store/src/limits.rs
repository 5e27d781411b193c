//! Bounds of this crate, each with its reason.

/// Largest payload of one log record: a signed receipt with room to grow ([`cocoon_receipt::limits::MAX_RECEIPT_BYTES`]).
/// A longer length field is damage, not a record.
pub const MAX_RECORD_BYTES: u32 = 8192;

/// Largest certificate that is kept as evidence: the certificate of an attested peer is below 40 KiB.
pub const MAX_EVIDENCE_BYTES: usize = 65_536;

/// Most receipts written by one durable transaction: keeps the wait of the first of them short.
pub const MAX_BATCH: usize = 256;
