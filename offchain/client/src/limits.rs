//! Bounds of the client runner, each with its reason.

use std::time::Duration;

/// Largest body of a request unless configured: long conversations with images in base64 fit, and the largest frame of
/// the wire bounds what could be sent at all.
pub const DEFAULT_MAX_BODY_BYTES: usize = 8 << 20;
/// Requests at once unless configured: each may hold a whole answer in memory.
pub const DEFAULT_MAX_REQUESTS: usize = 256;
/// Largest answer: it is kept whole until its receipt is verified.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Pieces of an answer that wait for a slow reader before the driver waits too.
pub const PIECE_QUEUE: usize = 32;
/// Answers of one proxy that may be ahead of their receipts, each for [`RECEIPT_WAIT`]: their bytes are kept until then.
/// Beyond it the ends of answers wait.
pub const MAX_ANSWERS_AHEAD: usize = 512;
/// How long the end of a stream, an answer that is to wait, a page of a receipt and a client that stops wait for a receipt.
pub const RECEIPT_WAIT: Duration = Duration::from_secs(3);
/// How long tasks may take to end after the last request.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long a page of a receipt waits for the proxy's log: the receipt is there without it, and a lookup that takes longer goes on
/// for who asks again.
pub const INCLUSION_WAIT: Duration = Duration::from_secs(1);
/// How long a lookup in a log goes on at most: some dozen files.
pub const LOG_LOOKUP_LIMIT: Duration = Duration::from_secs(60);
/// Receipts that are looked up in one configured log at once: each reads some dozen files of another machine. One log that is slow
/// holds up no other.
pub const MAX_LOG_LOOKUPS: usize = 4;
/// Proofs that are kept for who asks again, of some KiB each.
pub const MAX_KEPT_PROOFS: usize = 256;
/// How long a receipt that is late is still taken, after the caller has gone or was told that there is none.
pub const LATE_RECEIPT_WAIT: Duration = Duration::from_secs(30);
/// Receipts that are judged before all of them are kept together: as many as come while the disk syncs.
pub const MAX_RECEIPT_BURST: usize = 256;
/// Part of the caller's time that is given to the proxy, as deployed: the rest is for the way back.
pub const PROXY_TIME_SHARE: f64 = 0.95;
/// Most proxies at once: each costs a connection, a contract and a place in every statistic.
pub const MAX_PROXY_CONNECTIONS: u32 = 64;
/// First and longest pause before a lost proxy is dialed again.
pub const REDIAL_FIRST: Duration = Duration::from_millis(250);
/// See [`REDIAL_FIRST`].
pub const REDIAL_CEILING: Duration = Duration::from_secs(10);
/// How often the root contract is read unless configured.
pub const ROOT_REFRESH: Duration = Duration::from_secs(30);
/// Earliest and latest next question for the payment status, as deployed.
pub const PAYMENT_STATUS_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));
/// How often the client contract's balance is looked at.
pub const FUNDING_EVERY: Duration = Duration::from_secs(15);
/// How long a message to the client contract may take to show in its state.
pub const CONTRACT_EFFECT_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between looks at the contract's state.
pub const CONTRACT_POLL: Duration = Duration::from_millis(500);
/// Quotes that are remembered: a proxy gives one client a few at a time.
pub const MAX_KEPT_QUOTES: usize = 256;
/// How long a quote is remembered beyond its time, so that its proxy says that it has expired; and the longest time of its own
/// that is believed.
pub const QUOTE_KEPT_AFTER: Duration = Duration::from_secs(120);
/// Largest body of a question for a quote: four numbers and a name.
pub const MAX_QUOTE_BODY_BYTES: usize = 4096;
/// Largest file with a secret.
pub const MAX_SECRET_BYTES: u64 = 4096;
/// Most API keys of a client: all are read at once, and each has figures in memory.
pub const MAX_API_KEYS: usize = 10_000;
/// Largest file of API keys: a kilobyte for each.
pub const MAX_KEYS_FILE_BYTES: u64 = 10 << 20;
/// Longest name of an API key, bytes.
pub const MAX_KEY_NAME: usize = 64;
/// How often the file of API keys is looked at: so long may a revoked key still count.
pub const KEYS_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Attempts of one key whose cost is not known: their list is written anew with each. Beyond it the oldest counts as spent for good.
pub const MAX_OPEN_HOLDS: usize = 1024;
/// Answers that ended by their proxy's word and that its count may lack, told apart by when they ended. It is asked for its count
/// within twenty seconds; of more of them the oldest are taken for one.
pub const MAX_TOLD_ENDS: usize = 256;
/// Tokens that are held beyond the proxy's formula: four classes are rounded one by one, and the sum may differ by that.
pub const HOLD_MARGIN_TOKENS: u64 = 4;
/// Longest idempotency key, bytes, as elsewhere.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;
/// How long an idempotency key is remembered, so that its request is never run again.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Idempotency keys that are remembered, of all callers together: some hundred bytes of memory and disk for each. None is forgotten
/// before its time, since its request could run and be charged again; beyond it a new one is refused until the oldest may go. One
/// caller has at most as many as are still free, so half of them when it is alone.
pub const MAX_IDEMPOTENCY_KEYS: usize = 131_072;
/// How long an answer is kept in memory for a caller that asks again with its idempotency key.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(600);
/// Bytes of such answers together; beyond it the oldest are dropped.
pub const MAX_KEPT_ANSWERS_BYTES: usize = 64 << 20;
/// How often a contract that seems to hold too little is read anew because of requests.
pub const CHANNEL_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a plan of an operation may be confirmed: a person reads it, and the state moves on.
pub const PLAN_LIFETIME: Duration = Duration::from_secs(180);
/// Plans that are kept; the oldest makes place. A person makes a few, each of some KiB.
pub const MAX_KEPT_PLANS: usize = 16;
/// Confirmed operations that are remembered, newest first.
pub const MAX_KEPT_OPERATIONS: usize = 64;
/// Largest body of a question about a channel: an amount, or an id.
pub const MAX_PLAN_BODY_BYTES: usize = 4096;
