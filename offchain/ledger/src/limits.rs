//! Bounds of this crate, each with its reason.

/// Most adjusted tokens of one class in one request: four of them and any total stay far from the end of u64, whatever a
/// peer claims.
pub const MAX_CLASS_TOKENS: u64 = 1 << 60;

/// Largest `max_tokens` that a request may ask for. No model comes near; it keeps the arithmetic of reservations exact.
pub const MAX_REQUEST_TOKENS: u64 = 1 << 40;

/// Tokens that a price of zero pays for, as the deployed network takes it.
pub const FREE_TOKENS: u64 = 1_000_000_000_000;

/// State commits that may be on their way to the chain at once. One is sent at a time; the others are left over from
/// sessions that ended before theirs was seen.
pub const MAX_PENDING_COMMITS: usize = 64;

/// How often the pause before a voucher is submitted again doubles: from one minute to 17 hours.
pub const MAX_RESUBMIT_DOUBLINGS: u32 = 10;

/// Open reservations of one client: more than any worker pool serves, fewer than would hurt.
pub const MAX_RESERVATIONS_PER_CLIENT: usize = 4096;
