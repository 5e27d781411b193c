//! Bounds of the key manager, each with its reason.

use std::time::Duration;

/// Connections at once that were judged; each is over after a few questions.
pub const MAX_CONNECTIONS: usize = 256;

/// Connections at once that are still doing work or TLS: bounds what strangers can hold open.
pub const MAX_UNVERIFIED_CONNECTIONS: usize = 128;

/// Questions of one connection: a node has a handful of keys, an owner a handful of shares.
pub const MAX_QUESTIONS: u32 = 64;

/// Longest life of a connection: what an image is allowed is looked up for each question, but its evidence only once.
pub const MAX_CONNECTION_TIME: Duration = Duration::from_secs(60);

/// Most policies of a configuration.
pub const MAX_POLICIES: usize = 64;

/// Most images of a policy, and of other key managers.
pub const MAX_IMAGES: usize = 1024;

/// Longest name of a policy, and longest part of a key's name: its length is one byte of the derivation.
pub const MAX_NAME_BYTES: usize = 64;

/// Most owners of a backup: shares are points of a field of 255, and people are fewer.
pub const MAX_OWNERS: usize = 32;

/// Fewest shares that give the secret back: with one, each owner alone would know every key.
pub const MIN_THRESHOLD: usize = 2;

/// Most other replicas.
pub const MAX_PEERS: usize = 16;

/// First wait between two rounds of asking other replicas for the secret.
pub const JOIN_RETRY: Duration = Duration::from_secs(1);

/// Longest wait between two rounds.
pub const JOIN_RETRY_CEILING: Duration = Duration::from_secs(30);

/// Time for one other replica to answer before the first secret is made: it is asked whether there is one already.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(90);

/// How often the root contract is looked at: so long may an image that was taken off still get keys.
pub const ROOT_REFRESH: Duration = Duration::from_secs(30);

/// How long open connections may go on after the stop was asked for.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Pause after a connection could not be accepted: usually too many open files, which passes when connections end.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Largest file of a share: a few keys and hashes in hex for each of 32 owners.
pub const MAX_SHARE_FILE_BYTES: u64 = 64 << 10;

/// Bytes of a described backup with the most owners: see [`crate::Backup`].
pub const MAX_BACKUP_BYTES: usize = 24 + 32 + 2 + 64 * MAX_OWNERS + 64;
