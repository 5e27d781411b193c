//! Bounds of the local chain's server, each with its reason.

use std::time::Duration;

use cocoon_bindings::units::Nanoton;

/// Bytes of a request. An external message has at most 64 KiB, 87 KiB in base64; the rest is room for its wrapping.
pub const MAX_REQUEST_BYTES: usize = 512 * 1024;

/// Transactions of one page, as on public servers.
pub const MAX_PAGE: usize = 100;

/// Transactions of one page, if the request does not say.
pub const DEFAULT_PAGE: usize = 10;

/// Arguments of a get method.
pub const MAX_ARGUMENTS: usize = 64;

/// Nesting of tuples in arguments and results.
pub const MAX_STACK_DEPTH: usize = 64;

/// Coins that the faucet gives at once: enough for every stake of a test network, far from the range's end.
pub const MAX_FAUCET: Nanoton = Nanoton::from_ton(10_000_000);

/// Seconds that time may be advanced at once: ten years.
pub const MAX_ADVANCE: u32 = 315_360_000;

/// Snapshots kept in memory; the oldest one goes.
pub const MAX_SNAPSHOTS: usize = 16;

/// How long changes are gathered before they are written, so that a burst of messages costs one write.
pub const WRITE_DELAY: Duration = Duration::from_millis(10);

/// How long a write that failed waits for the next try: a full disk is freed by people, and whoever ordered a change waits.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long a start waits for a process that still holds the chain's files: the last write of one that is stopping.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks meanwhile.
pub const LOCK_STEP: Duration = Duration::from_millis(20);

/// Bytes of a journal below which the chain is not written anew: some hundred transactions, read in milliseconds. Above, it is
/// written anew when the journal outweighs it, so that a change costs twice its own bytes in the long run.
pub const MIN_JOURNAL_BYTES: u64 = 1024 * 1024;

/// Empty blocks that one order may make. A block is a number here, but those of version 3 are listed one by one.
pub const MAX_MINED: u32 = 10_000;

/// Shortest time between blocks that are made by themselves: each is a change that is written.
pub const MIN_BLOCK_INTERVAL: Duration = Duration::from_millis(100);

/// Longest time that a lite client may wait for a block, as it says itself.
pub const MAX_LITE_WAIT: Duration = Duration::from_secs(15);

/// Questions of one lite client that wait for a block at the same time; a client waits for the next one only.
pub const MAX_LITE_WAITS: usize = 16;

/// Blocks that the lite server makes at once when it catches up with the chain, which stands still meanwhile: programs wait for
/// a few.
pub const MAX_LITE_CATCH_UP: u32 = 100;

/// Blocks of a lite server, each with its states in memory, some kilobytes: half a day of one client that asks every second.
pub const MAX_LITE_BLOCKS: u32 = 50_000;

/// How long a stopping server waits for requests that are under way.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Entries of one page of version 3 of the API, as on public servers.
pub const MAX_INDEX_PAGE: usize = 1000;

/// Addresses in one question of version 3 of the API.
pub const MAX_ADDRESSES: usize = 1000;

/// Depth of a trace's tree. Two contracts that bounce a message between themselves must not make JSON that nobody can read:
/// each level is an object and a list, and common readers stop at 127 of them.
pub const MAX_TRACE_DEPTH: usize = 60;
