//! Bounds of this daemon, each with its reason.

use std::time::Duration;

use cocoon_bindings::units::Nanoton;

/// Connections of clients at once; `scripts/bench/scale` says what each costs.
pub const MAX_CLIENT_CONNECTIONS: usize = 16_384;

/// Connections of workers at once.
pub const MAX_WORKER_CONNECTIONS: usize = 4096;

/// Connections that are still doing their proof of work or TLS: bounds what strangers can hold open.
pub const MAX_UNVERIFIED_CONNECTIONS: usize = 512;

/// Requests of one client connection that run at once; more are refused with "too many requests".
pub const MAX_REQUESTS_PER_CONNECTION: usize = 1024;

/// The same with those that have their answer, and whose receipts have not left yet: a client that takes answers and no
/// receipts would let them pile up.
pub const MAX_UNFINISHED_PER_CONNECTION: usize = 2 * MAX_REQUESTS_PER_CONNECTION;

/// Messages of a worker that wait for one request's client. A client that is further behind is given up, because the
/// worker's other requests share the connection.
pub const REQUEST_QUEUE: usize = 1024;

/// Bytes of such messages from which on no more are taken: one message may have 16 MiB. Twice that, because a worker may send
/// an answer of several such parts at once, faster than a busy machine takes the first of them on. Whole documents come in
/// parts of one MiB, so a client may be that many parts behind.
pub const REQUEST_QUEUE_BYTES: usize = 32 << 20;

/// Bytes of a request in which its prompt must begin for the choice of its worker to regard it: what stands before it is
/// the head and small settings.
pub const MAX_PROMPT_OFFSET: usize = 16 << 10;

/// How much one statement, signed or not, moves what is thought of a worker: after twenty of them it is mostly new.
pub const REPUTATION_STEP: f64 = 0.05;

/// How often those that wait look whether the pause of a worker's breaker is over; every other change wakes them.
pub const QUEUE_TICK: Duration = Duration::from_millis(500);

/// Most requests that may be configured to wait for one model: each holds a reservation and its bytes.
pub const MAX_WAITING: usize = 65_536;

/// Events of a stream that may hold no token, for each answer and once more: roles, reasons, usage, comments.
pub const MAX_EVENTS_WITHOUT_TOKENS: u64 = 8;

/// Bytes of a document that hold one token at least: more than ten times what texts have, so that no answer is taken for
/// longer than it is.
pub const MAX_BYTES_PER_TOKEN: u64 = 64;

/// Bytes of a document that a token has, about: more of one whose length nobody asked for waits until its worker, which
/// counts only at its end, has said that it is paid for.
pub const USUAL_BYTES_PER_TOKEN: u64 = 4;

/// Bytes of a document that wait like that; what is longer than that and the part before goes on, oldest first. No model
/// writes so much text in one answer.
pub const MAX_HELD_BYTES: usize = 4 << 20;

/// A worker that has said nothing for so long when a request's time is over has failed; with less time than that it is the
/// client that asked for too much.
pub const FAIR_TIME: Duration = Duration::from_secs(30);

/// Coefficients that a worker may tell are smaller than this, as in the handshake of the deployed network.
pub const COEFFICIENT_END: u32 = 1_000_000_000;

/// Longest time that a quote may be configured to be held, in seconds: its slot stands empty for it.
pub const MAX_QUOTE_SECONDS: f64 = 120.0;

/// Workers that are looked at for one quote, when the first ones already keep as many slots as they may.
pub const MAX_QUOTE_CHOICES: usize = 4;

/// Answers of one worker's connection that may be ahead of their receipts: those are in memory, or wait for the worker's
/// signature. Beyond it answers wait, so that nobody is served faster than it can be written down.
pub const SIGN_QUEUE: usize = 256;

/// Attempts of one request at different workers, the first included.
pub const MAX_ATTEMPTS: usize = 3;

/// Longest time that a request may ask for.
pub const MAX_REQUEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// What the worker gets of the time that the proxy has, as deployed: the rest is for the way back.
pub const WORKER_TIME_SHARE: f64 = 0.95;

/// How long a cancelled request waits for the worker's account of what it delivered.
pub const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// Value of a state commit, as deployed: its receiver is not meant to run.
pub const COMMIT_VALUE: Nanoton = Nanoton::new(1);

/// Value attached to a voucher, as deployed; what is left comes back.
pub const VOUCHER_VALUE: Nanoton = Nanoton::new(700_000_000);

/// Value that the proxy contract is deployed with: storage for years.
pub const DEPLOY_VALUE: Nanoton = Nanoton::new(200_000_000);

/// How often the close of an old contract is sent again.
pub const CLOSING_RESEND: Duration = Duration::from_secs(60);

/// Coins that an old contract may hold beyond its earnings and its stake when it is closed: what it was deployed with and
/// what gas left over. Less than any client's stake.
pub const CLOSING_COINS: Nanoton = Nanoton::new(500_000_000);

/// How often the connections of an old instance are looked at.
pub const RELEASE_POLL: Duration = Duration::from_millis(100);

/// How long an old instance must be without requests before its connections close: its workers still sign then.
pub const RELEASE_QUIET: Duration = Duration::from_secs(1);

/// Value attached to a checkpoint; what is left comes back. The contract asks for 0.1 TON at least.
pub const ANCHOR_VALUE: Nanoton = Nanoton::new(200_000_000);

/// How often it is looked whether so many receipts came that the log is anchored before its time.
pub const ANCHOR_TICK: Duration = Duration::from_secs(5);

/// Shortest pause between two checkpoints: one must be seen before the next.
pub const MIN_ANCHOR_PAUSE: Duration = Duration::from_millis(500);

/// After how many seconds the nearest that the chain's clock came is measured anew; it counts for as long again.
pub const BLOCK_MEMORY: i64 = 1800;

/// How often the age of the chain is looked at.
pub const OUTAGE_POLL: Duration = Duration::from_millis(250);

/// How long the first state commit of a session may take until it is seen on chain.
pub const FIRST_COMMIT_TIMEOUT: Duration = Duration::from_secs(180);

/// How often the chain is asked while something is awaited from it.
pub const AWAITED_POLL: Duration = Duration::from_millis(500);

/// Contracts that are asked of the chain at once: its answers take long, and a public server refuses a flood.
pub const CONTRACTS_AT_ONCE: usize = 8;

/// Contracts that one round of the timer reads; with more of them the next rounds go on. What its contract tells the proxy
/// contract is read at once, so that the rounds only find what got lost.
pub const CONTRACTS_OF_ROUND: usize = 256;

/// Attempts at one question to the chain at start.
pub const START_ATTEMPTS: u32 = 5;

/// How long tasks may take to end after the last request: replies that are on their way, and a message to the chain.
pub const TASKS_END_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a daemon that ended waits until its store is closed.
pub const STORE_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The least pause between two looks at the proxy's own accounts: only the statistics show them.
pub const ACCOUNTS_EVERY: Duration = Duration::from_secs(5);

/// Pause before a start looks again whether the folder of the published log is free.
pub const TAKEN_FOLDER_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause between two looks whether many receipts wait to be published.
pub const PUBLICATION_TICK: Duration = Duration::from_millis(250);

/// How long a daemon that ends publishes what is left; the next start does the rest.
pub const LAST_PUBLICATION_TIMEOUT: Duration = Duration::from_secs(15);

/// Certificates that the publication remembers to have looked for; with more it looks again.
pub const MAX_REMEMBERED_EVIDENCE: usize = 65_536;

/// Answers that wait to be compared; more are dropped: each is in memory with its request.
pub const MAX_WAITING_CHALLENGES: usize = 8;

/// Challenges that run at once: one whose worker stalls holds up none but itself.
pub const CHALLENGES_AT_ONCE: usize = 4;

/// Answers that are kept to be compared, those that still run included: bounds the memory of all.
pub const MAX_SAMPLED: usize = 32;

/// How long an answer may wait to be compared.
pub const MAX_SAMPLED_AGE: Duration = Duration::from_secs(120);

/// The longest that one worker has for a challenge.
pub const MAX_CHALLENGE_TIME: Duration = Duration::from_secs(300);

/// A worker has so many times as long for a challenge as the first one took ...
pub const CHALLENGE_SLOWNESS: u32 = 4;

/// ... and this long besides: it may be busy.
pub const CHALLENGE_PATIENCE: Duration = Duration::from_secs(30);

/// A worker that was alone against two that agree is benched when that happened so often ...
pub const LOST_TO_BENCH: usize = 2;

/// ... against workers of so many other owners ...
pub const OWNERS_TO_BENCH: usize = 2;

/// ... within this time.
pub const LOST_WINDOW: Duration = Duration::from_secs(7 * 86_400);

/// Lost challenges of one worker that are kept, the newest.
pub const MAX_LOST: usize = 8;

/// Longest request that is compared: it waits in memory.
pub const MAX_SAMPLED_REQUEST_BYTES: usize = 256 << 10;

/// Longest answer that is compared: it waits in memory.
pub const MAX_SAMPLED_ANSWER_BYTES: usize = 1 << 20;

/// Workers, by contract and model, that lost a challenge and are remembered at most.
pub const MAX_STANDINGS: usize = 4096;

/// Records of challenges that wait for the published log; without one the newest so many are kept.
pub const MAX_UNPUBLISHED_CHALLENGES: usize = 256;

/// Bytes on their way to the proxy's own client of challenges, which takes them at once.
pub const CHALLENGE_PIPE_BYTES: usize = 64 << 10;

/// Pause between two looks for the contract that pays for challenges, when it is not there.
pub const PAYER_RETRY: Duration = Duration::from_secs(30);
