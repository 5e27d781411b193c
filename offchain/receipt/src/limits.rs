//! Bounds of this crate, each with its reason.

/// Largest BoC of a statement or a receipt that is decoded, in bytes. A signed receipt takes about 900; the rest is room
/// for later fields. Checked before any parsing.
pub const MAX_RECEIPT_BYTES: usize = 4096;

/// Version written into statements and receipts. A reader refuses any other: unknown fields would go unchecked.
pub const FORMAT_VERSION: u8 = 1;

/// Version of a disclosed exchange.
pub const DISCLOSURE_VERSION: u32 = 1;

/// Deepest inclusion or consistency proof that is checked: a tree of 2^64 leaves.
pub const MAX_PROOF_NODES: usize = 64;

/// Longest signed note that is read, in bytes: a checkpoint is about 300, and each cosignature 150.
pub const MAX_NOTE_BYTES: usize = 16 * 1024;

/// Most lines of a note that the proxy contract punishes: a log names one contract, and several only while terms change.
pub const MAX_CELLS: usize = 8;

/// Most entries of a log, 2^62: no log has as many, and sums of sizes and indexes stay within 64 bits.
pub const MAX_LOG_SIZE: u64 = 1 << 62;

/// Most witnesses that are looked for in one note; no more signatures fit one anyway.
pub const MAX_COSIGNATURES: usize = 64;

/// Days before a day whose receipts count for a worker's reputation on it (`docs/reputation.md`): long enough to tell workers
/// apart that are asked seldom, and what is older has an eighth of its weight anyway.
pub const REPUTATION_WINDOW_DAYS: u64 = 56;

/// Days after which a receipt weighs half as much in a reputation: a worker that was mended is believed within weeks.
pub const REPUTATION_HALF_DAYS: u64 = 14;
