//! Bounds of this crate, each with its reason.

/// Seconds for which a receipt may still name what the root contract has taken off its lists. A proxy that cannot read the
/// chain serves for up to half an hour (`[outage]` in docs/recovery.md), what runs then is finished, and clocks differ.
pub const LISTING_GRACE_SECONDS: u64 = 3600;

/// Seconds by which a proxy's clock may be behind the chain's: what was listed a moment ago may be used at once.
pub const CLOCK_SKEW_SECONDS: u64 = 300;

/// How often the chain is asked again because receipts name contracts that it was not asked about.
pub const MAX_ROUNDS: usize = 5;

/// Contracts that receipts name and that never wrote to a contract of the proxy: workers that were not paid yet. A receipt can name
/// any address, and each takes memory and a question to the chain; no proxy serves that many.
pub const MAX_UNKNOWN: usize = 10_000;

/// Transactions of one contract: a payout every ten minutes for four years, in less than a gigabyte.
pub const MAX_HISTORY: usize = 200_000;

/// Receipts that are checked as one piece of work: enough for the signatures of a piece to be cheap together, few enough
/// that the pieces under way fit in a few megabytes for each core.
pub const BATCH: usize = 2048;

/// Receipts of a store's log that wait for their worker's signature, which is written behind them. A worker answers
/// within seconds.
pub const LATE_WINDOW: usize = 8192;

/// Signatures that came later than that, looked up in a second reading of the log.
pub const MAX_LATE: usize = 65_536;

/// Signatures from which on checking them together costs less than one by one.
pub const MIN_TOGETHER: usize = 96;

/// Groups of eight random sums in which points of small order are looked for when signatures are checked together. One that
/// only the strict check refuses gets through with a chance of one in 2^32, which nobody can try out beforehand.
pub const TORSION_GROUPS: usize = 4;

/// Bytes of a bundle's description of the chain: a hundred thousand transactions.
pub const MAX_CHAIN_FILE_BYTES: u64 = 1 << 30;

/// Bytes of the state of an interrupted audit.
pub const MAX_STATE_FILE_BYTES: u64 = 1 << 30;

/// Rows that are written as one group of a Parquet file: they are held in memory, about 2 KiB each with the dictionaries, so some
/// 60 MiB. Groups carry no statistics: readers read all of them.
pub const ROWS_OF_A_GROUP: usize = 32_768;

/// Rows of one file of an export: what a file says of its groups at its end is held in memory too, and readers take one file each.
pub const ROWS_OF_A_FILE: u64 = 1 << 20;

/// Amounts of an export are below it: the largest decimal of Parquet's readers has 38 digits.
pub const AMOUNT_LIMIT: u128 = 10_u128.pow(38);

/// Largest whole number of an export, that of a signed column.
pub const MAX_NUMBER: u64 = i64::MAX as u64;

/// Latest time of an export, Unix milliseconds: the end of the year 9999, the last that readers print.
pub const MAX_TIME_MS: u64 = 253_402_300_799_999;

/// Groups (worker, payer, day) that reputations are made from, about 100 bytes each: a thousand clients of twenty workers on 50 days.
/// Beyond it a report has no reputations and says so.
pub const MAX_REPUTATION_GROUPS: usize = 1_000_000;
