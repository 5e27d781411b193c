//! Bounds of this crate, each with its reason.

use core::time::Duration;

pub use cocoon_attest::limits::{
    CLOCK_SKEW_SECONDS, MAX_ATTESTED_SECONDS, MAX_CERTIFICATE_BYTES, MAX_QUOTE_EXTENSION_BYTES,
};

/// Life of a certificate: a day, as deployed peers issue them.
pub const CERTIFICATE_SECONDS: u64 = 86_400;

/// Certificates of accepted peers kept parsed, so that one that comes again costs one signature less: some 20 KiB each.
pub const MAX_KNOWN_CERTIFICATES: usize = 512;

/// Verdicts kept: 10,000 peers' evidence, a few MB.
pub const MAX_CACHED_VERDICTS: usize = 10_000;

/// Longest life of a cached verdict, so that new collateral soon counts.
pub const MAX_VERDICT_SECONDS: u64 = 3_600;

/// Proof of work that deployed servers ask for: a fifth of a second.
pub const DEFAULT_DIFFICULTY: u32 = 20;

/// Proof of work that a client is willing to do: about a minute.
pub const MAX_DIFFICULTY: u32 = 28;

/// Nonces that are tried at once, without a thread: enough for the work of a quiet port, and less time than a quote takes.
pub const NONCES_AT_ONCE: i64 = 256;

/// Families of platforms whose collateral was missing, kept until they are asked for: there are about a dozen in the world,
/// and the names come from strangers.
pub const MAX_MISSING_FAMILIES: usize = 64;

/// Time to reach a peer's port.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a server to send its challenge.
pub const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a client may need for the work and for sending the answer.
pub const WORK_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for the TLS handshake, quote verification included.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a renewal that failed is tried again.
pub const RENEWAL_RETRY: Duration = Duration::from_secs(30);
