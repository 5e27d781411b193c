//! Bounds of this crate, each with its reason.

use std::time::Duration;

use cocoon_bindings::units::Nanoton;

/// Time for one request to a chain server. Public servers answer within 1–3 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for opening a connection to a chain server.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts of one request, the first included. More would hold up the caller longer than its own retry.
pub const REQUEST_ATTEMPTS: u32 = 4;

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

/// How long a wallet's external message stays valid.
pub const MESSAGE_LIFETIME: Duration = Duration::from_secs(120);

/// How often a waiting wallet looks whether its message was executed.
pub const INCLUSION_POLL: Duration = Duration::from_millis(500);

/// How often a waiting wallet sends the same message again.
pub const RESEND_INTERVAL: Duration = Duration::from_secs(30);

/// What a wallet must hold before it sends: the wallet contract itself refuses below 2 TON.
pub const WALLET_RESERVE: Nanoton = Nanoton::new(2_100_000_000);
