//! Bounds, each with its reason.

use std::time::Duration;

/// Bytes of a repository's listing: the largest models have some hundred parts with 300 bytes each.
pub const MAX_LISTING_BYTES: usize = 8 * 1024 * 1024;

/// Files of a repository that are looked at.
pub const MAX_FILES: usize = 20_000;

/// Bytes of one file: four times the largest part in use.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024 * 1024;

/// Bytes of a name of a repository, a revision or a file.
pub const MAX_NAME_BYTES: usize = 256;

/// Attempts at one file that bring nothing new before the file is given up. An attempt that brought bytes does not
/// count: the next one goes on behind them.
pub const MAX_VAIN_ATTEMPTS: u32 = 5;

/// The pause before the second attempt; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How long a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a hub may be silent within an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Redirects that are followed: hubs need one or two.
pub const MAX_REDIRECTS: usize = 5;

/// Bytes after which progress is told again.
pub const PROGRESS_STEP: u64 = 256 * 1024;
