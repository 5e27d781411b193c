//! Bounds of this crate, each with its reason.

use std::time::Duration;

use cocoon_bindings::units::Nanoton;

/// Time for one request to a chain server. Public servers answer within 1–3 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for opening a connection to a chain server.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept that nobody uses: less than servers do, so that a request rarely meets a closed one.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// Attempts of one request, the first included. More would hold up the caller longer than its own retry.
pub const REQUEST_ATTEMPTS: u32 = 4;

/// How often a local chain's files are read until they belong together: a chain that runs writes one after the other.
pub const STATE_FILE_TRIES: u32 = 10;

/// Pause between two of these, of the size of a write.
pub const STATE_FILE_PAUSE: Duration = Duration::from_millis(20);

/// Pause before the second attempt; doubles each time.
pub const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// Bytes of one answer of a chain server. A page of 100 transactions with full bodies stays below 4 MiB.
pub const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// Characters of a server's error text that we repeat.
pub const MAX_ERROR_CHARS: usize = 300;

/// Transactions of one page. Public servers give no more.
pub const MAX_PAGE: usize = 100;

/// Transactions that one catch-up reads. A runner that is further behind must say so instead of filling its memory.
pub const MAX_CATCH_UP: usize = 20_000;

/// How deep tuples may nest in a get method's result.
pub const MAX_STACK_DEPTH: usize = 64;

/// Elements of a list in a get method's result. Each is a tuple inside the one before, and goes deeper into the stack of the
/// thread that drops it.
pub const MAX_LIST: usize = 64;

/// How long a wallet's external message stays valid.
pub const MESSAGE_LIFETIME: Duration = Duration::from_secs(120);

/// How long after its end a message counts as one that never will be executed, in seconds of the chain's time. A block of the
/// wallet's shard with an earlier time may still be on its way into the masterchain, whose time servers tell.
pub const EXPIRY_MARGIN: u32 = 60;

/// How often a waiting wallet looks whether its message was executed.
pub const INCLUSION_POLL: Duration = Duration::from_millis(500);

/// How often a waiting wallet sends the same message again.
pub const RESEND_INTERVAL: Duration = Duration::from_secs(30);

/// What a wallet must hold before it sends: the wallet contract itself refuses below 2 TON.
pub const WALLET_RESERVE: Nanoton = Nanoton::new(2_100_000_000);

/// Servers in one pool. More would only be asked for their time.
pub const MAX_ENDPOINTS: usize = 32;

/// How far the time of a server may lie behind the newest that any server told. Blocks come every few seconds at most, the
/// index behind version 3 of the API lags by some seconds more, and a minute's old state harms nobody.
pub const MAX_BEHIND: Duration = Duration::from_secs(60);

/// How often the servers of a pool are compared with each other. Until then, and with [`MAX_BEHIND`] more, one that has
/// stopped may still be believed.
pub const COMPARE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a comparison waits for the slowest server.
pub const COMPARE_TIMEOUT: Duration = Duration::from_secs(3);

/// Failures in a row after which a server is left alone.
pub const FAILURES_TO_OPEN: u32 = 3;

/// How long a failing server is left alone at first; doubles with each failed attempt to come back.
pub const OPEN_FOR: Duration = Duration::from_secs(10);

/// How long a failing server is left alone at most.
pub const MAX_OPEN_FOR: Duration = Duration::from_secs(300);

/// How long a server is left alone that is asked too often and does not say how long.
pub const RATE_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that a server can ask for. What asks for more is as good as gone, and is tried again all the same.
pub const MAX_RATE_PAUSE: Duration = Duration::from_secs(60);

/// Time in which the memory of a server's failures halves.
pub const FAILURE_HALF_LIFE: Duration = Duration::from_secs(60);

/// Weight of the newest answer in a server's latency.
pub const LATENCY_WEIGHT: f64 = 0.2;

/// How often the list of servers is gone through for one question.
pub const POOL_ROUNDS: u32 = 3;

/// Accounts whose last transaction a pool remembers. A runner watches some dozens; an auditor may walk over many.
pub const MAX_SEEN_ACCOUNTS: usize = 10_000;

/// How long a server's word about an account's last transaction stands against another's.
pub const SEEN_FOR: Duration = Duration::from_secs(600);

/// How far a server's time may be ahead of this machine's clock and still count against other servers. Less than
/// [`MAX_BEHIND`] by more than servers lag: one that is ahead by as much as it may be does not make the others old.
pub const MAX_AHEAD: Duration = Duration::from_secs(20);

/// Transactions in one question to a lite server. Servers give no more.
pub const LITE_PAGE: usize = 16;

/// Questions on the way from the trusted block to the newest one. Each brings up to 16 key blocks further, of which a chain
/// makes a few a day.
pub const MAX_WAYS: usize = 1000;

/// How long a question waits for the questions before it on the line to a lite server.
pub const LINE_WAIT: Duration = Duration::from_secs(30);

/// Frames that are read for one answer of a lite server; it confirms the beginning of a connection with an empty one.
pub const MAX_FRAMES: usize = 8;
