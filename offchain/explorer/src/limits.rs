//! Bounds of this crate, each with its reason.

use std::time::Duration;

/// Pause between two looks at chain and logs unless another is asked for.
pub const POLL_EVERY: Duration = Duration::from_secs(5);

/// After a look the reader rests so many times as long as the chain's answers took: a public server answers one question after the
/// other in about 0.2 s each, and is then asked about once a second, which such servers allow to whoever has no key.
pub const REST_FACTOR: u32 = 4;

/// Longest rest that a slow or refusing chain server brings about: what is shown must not grow older than a person waits.
pub const MAX_REST: Duration = Duration::from_secs(120);

/// Longest time that clients and workers take of one look; the others wait for the next.
pub const CONTRACTS_TIME: Duration = Duration::from_secs(10);

/// After so long without a question a reader that is not to run always stops asking servers.
pub const IDLE_AFTER: Duration = Duration::from_secs(120);

/// How long the first question waits for the first look.
pub const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Longest time that one log may take of one look: another log must not wait for it.
pub const LOG_TIME: Duration = Duration::from_secs(30);

/// Contracts whose transactions are followed: each takes questions to the chain server.
pub const MAX_CONTRACTS: usize = 2_000;

/// Of them, those that only receipts name, all logs together: the others wrote to a proxy contract, which costs them fees.
pub const MAX_NAMED_CONTRACTS: usize = 1_500;

/// Contracts that nothing was heard of, looked at in each round, so that what they refused shows in time.
pub const CONTRACTS_IN_PASSING: usize = 2;

/// Contracts that were heard of, looked at in each round; the others wait for the next.
pub const CONTRACTS_OF_A_ROUND: usize = 64;

/// Transactions that are read of a contract when it is seen first, and at most between two looks.
pub const MAX_HISTORY: usize = 1_000;

/// Transactions that are kept for the feed, some KiB each.
pub const MAX_FEED: usize = 5_000;

/// Messages of one transaction that are kept. The chain lets a transaction send up to 255; our contracts send three.
pub const MAX_SENT: usize = 8;

/// How far the chain's time may be behind an answer that has just ended: blocks take seconds, and servers lag behind them.
pub const CHAIN_LAG: Duration = Duration::from_secs(60);

/// Receipts that are kept for searching, about 2 KiB each. Of several logs each has its share, and what others leave of theirs.
pub const MAX_RECEIPTS: usize = 20_000;

/// Batches of 256 receipts that are read of a log when it is seen first, from its end: the sums begin there.
pub const MAX_BACKLOG_BATCHES: u64 = 400;

/// Batches of one log that are read in one look.
pub const BATCHES_OF_A_ROUND: u64 = 32;

/// How far behind the newest receipt a worker's signature is still waited for.
pub const SIGNATURE_WINDOW: u64 = 512;

/// Proxy contracts of one key that receipts of a log may name: one for each version of the terms.
pub const MAX_PROXIES_OF_A_LOG: usize = 32;

/// Codes of proxy contracts that a root contract named over time. It changes them with a version of the contracts, a few times a year.
pub const MAX_CODES: usize = 256;

/// Anchors that are kept.
pub const MAX_ANCHORS: usize = 2_000;

/// Anchors that are compared with their log in one round: each reads some tiles.
pub const ANCHORS_OF_A_ROUND: usize = 32;

/// Workers, and models, of which sums are kept.
pub const MAX_SUMS: usize = 2_000;

/// Models of one worker that are told.
pub const MAX_MODELS_OF_A_WORKER: usize = 64;

/// Groups (worker, payer, day) that reputations are made from, about 100 bytes each. A worker for which a log would need more than its
/// share has no reputation.
pub const MAX_REPUTATION_GROUPS: usize = 200_000;

/// Proofs that are made at once: each reads some dozen files of a log.
pub const MAX_PROOFS: usize = 4;

/// Longest time that a page of a receipt waits for its proof.
pub const PROOF_WAIT: Duration = Duration::from_secs(10);

/// Rows of a page, and the most that can be asked for.
pub const PAGE: usize = 50;
/// See [`PAGE`].
pub const MAX_PAGE: usize = 100;

/// Bytes of a word in a question: an address, a hash, the place of a page.
pub const MAX_WORD: usize = 160;

/// Characters of an error that are told.
pub const MAX_PROBLEM: usize = 400;
