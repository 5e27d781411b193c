//! Bounds of this crate, each with its reason.

/// Largest payload of one log record: a signed receipt with room to grow ([`cocoon_receipt::limits::MAX_RECEIPT_BYTES`]).
/// A longer length field is damage, not a record.
pub const MAX_RECORD_BYTES: u32 = 8192;

/// Largest certificate that is kept as evidence: the certificate of an attested peer is below 40 KiB.
pub const MAX_EVIDENCE_BYTES: usize = 65_536;

/// Most receipts written by one durable transaction: keeps the wait of the first of them short.
pub const MAX_BATCH: usize = 256;

/// Journal bytes from which on a checkpoint is due: read in a tenth of a second by whoever opens the store after a crash.
pub const CHECKPOINT_JOURNAL_BYTES: u64 = 16 << 20;

/// Rows in memory from which on a checkpoint is due: about two MiB.
pub const CHECKPOINT_ROWS: usize = 16_384;

/// Most journal bytes of one generation: when checkpoints do not keep up, whoever writes makes one. So the two files of a
/// journal are bounded.
pub const MAX_WAITING_JOURNAL_BYTES: u64 = 2 * CHECKPOINT_JOURNAL_BYTES;

/// Most rows in memory of one generation, for the same reason.
pub const MAX_WAITING_ROWS: usize = 2 * CHECKPOINT_ROWS;

/// Most bytes of one batch in the journal: the rows of more channels than one proxy has. A longer length is no batch.
pub const MAX_JOURNAL_BATCH_BYTES: u32 = 256 << 20;

/// By how much a journal file grows at once: its size is then made durable once in some twenty batches.
pub const JOURNAL_GROWTH_BYTES: usize = 65_536;

/// What a journal file keeps of its size when it is written over: what one generation has at most, but for its last batch.
pub const JOURNAL_KEPT_BYTES: u64 = MAX_WAITING_JOURNAL_BYTES;

/// Memory for pages of the database: the inner nodes of large tables and what checkpoints touch again and again. The rest comes
/// from the cache of the operating system, and the processor time does not show the difference.
pub const DATABASE_CACHE_BYTES: usize = 2 << 20;
