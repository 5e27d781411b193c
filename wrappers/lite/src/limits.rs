//! Bounds of what is read from lite servers, each with its reason.

/// Bytes of one frame of the transport, as the protocol has it. A proof from one key block to another has some 700 KB.
pub const MAX_FRAME_BYTES: usize = 1 << 24;

/// Bytes of the smallest frame: nonce and checksum.
pub const MIN_FRAME_BYTES: usize = 64;

/// Steps of one proof from block to block. Servers send 16 at most, and the caller asks again.
pub const MAX_STEPS: usize = 64;

/// Signatures of one block: the masterchain has at most 100 validators of 400.
pub const MAX_SIGNATURES: usize = 1024;

/// Transactions in one answer: servers give 16.
pub const MAX_TRANSACTIONS: usize = 100;

/// Blocks that an answer about transactions may name, one for each.
pub const MAX_BLOCK_IDS: usize = MAX_TRANSACTIONS;

/// How deep shards split: as deep as their identifiers reach.
pub const MAX_SPLIT_DEPTH: u32 = 60;

/// Bytes of a server's error text that are kept.
pub const MAX_ERROR_BYTES: usize = 4096;

/// Bytes of a block candidate that signatures may refer to.
pub const MAX_CANDIDATE_BYTES: usize = 4096;
