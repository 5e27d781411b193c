//! Bounds of this crate, each with its reason.

/// Longest quote that is looked at: the certificate extension that carries it is bounded to the same size by peers.
pub const MAX_QUOTE_BYTES: usize = 32_768;

/// Longest collateral document: today's is about 25 KB, a long revocation list is the only part that grows.
pub const MAX_COLLATERAL_BYTES: usize = 1 << 20;

/// Most collateral documents kept: one per (platform family, certificate authority) of a network's workers.
pub const MAX_COLLATERALS: usize = 256;

/// How long before its end a part of collateral gives way to one that holds longer, though it be older (seconds): runners
/// renew their trust hourly.
pub const COLLATERAL_MARGIN_SECONDS: u64 = 3_600;

/// Most platforms whose certificates are kept verified: the workers and proxies of a large network, a few KB each.
pub const MAX_PREPARED_PLATFORMS: usize = 4_096;

/// Longest policy file: a few lines, or a list of images and advisories.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;

/// Most images and advisories that a policy names.
pub const MAX_POLICY_ENTRIES: usize = 512;

/// Longest report of an accelerator: today's have 4 KB.
pub const MAX_GPU_REPORT_BYTES: usize = 64 * 1024;

/// Most certificates of an accelerator: today's have five.
pub const MAX_GPU_CHAIN: usize = 8;

/// Most root certificates of makers that a policy names: one for each maker, and its next.
pub const MAX_GPU_ROOTS: usize = 16;

/// Most pairs of firmware and driver that a policy accepts.
pub const MAX_GPU_MEASUREMENTS: usize = 64;

/// Most measurement blocks of one pair: the index has a byte.
pub const MAX_GPU_BLOCKS: usize = 256;

/// Longest event log: the table that firmware reserves has 64 KB, some have more.
pub const MAX_EVENT_LOG_BYTES: usize = 1 << 20;

/// Most events in a log: a start measures about a hundred.
pub const MAX_EVENTS: usize = 4_096;

/// Longest data of one event: a list of certificates of secure boot, the longest there is, has some 20 KB.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Most trusted roots: Intel's and a few simulated ones.
pub const MAX_ROOTS: usize = 8;

/// Longest file of a simulated platform: five keys, five certificates.
pub const MAX_PLATFORM_FILE_BYTES: usize = 64 * 1024;

/// How long collateral issued by the simulated platform is valid: longer than any test network runs.
pub const SIMULATED_COLLATERAL_SECONDS: u64 = 365 * 86_400;

/// How far simulated collateral is backdated, so that peers with slightly different clocks agree on it.
pub const SIMULATED_BACKDATE_SECONDS: u64 = 86_400;

/// Longest certificate: a quote extension of at most 32 KiB and a little around it.
pub const MAX_CERTIFICATE_BYTES: usize = 36 * 1024;

/// Longest quote extension that peers accept.
pub const MAX_QUOTE_EXTENSION_BYTES: usize = 32 * 1024;

/// Longest life of an attested certificate that is accepted; a day, as peers issue them, and a minute for rounding.
pub const MAX_ATTESTED_SECONDS: u64 = 86_400 + 60;

/// Difference between clocks that is forgiven when a certificate begins.
pub const CLOCK_SKEW_SECONDS: u64 = 60;
