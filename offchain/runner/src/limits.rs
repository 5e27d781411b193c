//! Limits of this crate, each with its reason.

use std::time::Duration;

/// Largest configuration file that is read: ours are below 4 KiB, so more is a wrong path.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Largest file with TON's global configuration: the public one has some 30 KB.
pub const MAX_GLOBAL_CONFIG_BYTES: u64 = 4 << 20;

/// Largest key file: 64 hex digits, a line end and some blanks.
pub const MAX_KEY_FILE_BYTES: u64 = 256;

/// One-way packets and RPCs of the peer that wait for our code. When they are full, the socket is
/// no longer read, so the pressure reaches the peer.
pub const EVENT_QUEUE: usize = 64;

/// Messages of ours that wait for the socket; senders wait beyond it.
pub const COMMAND_QUEUE: usize = 64;

/// Bytes encoded and not yet written: room for one message of the largest size and some small
/// ones, so that one slow peer costs at most about twice this.
pub const MAX_UNWRITTEN_BYTES: usize = 1 << 20;

/// Messages that are taken from the queue before what they make is written: enough that a burst is one write, few enough that
/// reading is not kept waiting.
pub const MAX_WRITE_BURST: usize = 64;

/// Least time between the beginnings of two bursts of what is made durable together. With a request each millisecond nine of ten
/// syncs are left out, and what follows an answer comes in bursts, not between those that wait; receipts come so much later,
/// and no answer does.
pub const SYNC_PAUSE: Duration = Duration::from_millis(10);

/// The same after a large burst: many share a sync then anyway, and answers may only be some hundred ahead of their receipts.
pub const LARGE_SYNC_PAUSE: Duration = Duration::from_millis(3);

/// Jobs from which on a burst is a large one: more than one connection makes that waits for each of its answers.
pub const LARGE_BURST: usize = 48;

/// RPCs of ours without an answer. A node keeps below ten; more means a peer that answers nothing.
pub const MAX_PENDING_QUERIES: usize = 1024;

/// How long a dialed or an accepted peer may take for the first frame.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A peer that takes none of our bytes for so long is gone, even when it still sends.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a closing link waits until its last bytes are written.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes read from the socket at once, until a peer sends more: most peers of a proxy are quiet.
pub const FIRST_READ_CHUNK_BYTES: usize = 2 << 10;

/// Bytes read from the socket at once.
pub const READ_CHUNK_BYTES: usize = 64 << 10;

/// How long a port rests after it could not take a connection, usually because too many files are open.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Connections that a port for everybody has at once: each may hold an answer of one MiB.
pub const MAX_PUBLIC_CONNECTIONS: usize = 512;

/// Those from one network (an IPv4 address, 64 bits of an IPv6 address): a reader has few, and a web server in front keeps its own.
pub const MAX_PUBLIC_OF_NETWORK: usize = 32;

/// How long nothing may be sent on a connection to a port for everybody: a request comes, is answered, and the answer is taken
/// within this time.
pub const PUBLIC_PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long such a connection may last: the largest answer takes less at 2 KB a second; whoever wants more connects again.
pub const PUBLIC_CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);

/// How long open HTTP connections may take after the stop was asked for.
pub const HTTP_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest file of collateral or of a simulated platform; real collateral has about 20 KiB.
pub const MAX_COLLATERAL_FILE_BYTES: u64 = 1 << 20;

/// Longest answer of a collateral service: a revocation list, the only part that grows, has 2 KiB today.
pub const MAX_COLLATERAL_ANSWER_BYTES: usize = 192 << 10;

/// Longest file of the collateral cache: four answers, lists in hex, quotes escaped.
pub const MAX_COLLATERAL_CACHE_BYTES: u64 = 2 << 20;

/// Families of platforms whose collateral is kept: there are about a dozen, and each may have two authorities. Fewer than
/// `cocoon_attest::limits::MAX_COLLATERALS`.
pub const MAX_COLLATERAL_FAMILIES: usize = 64;

/// Time for one answer of a collateral service; nothing waits for it but the next question.
pub const COLLATERAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two families: peers may show any names, and a service must not be flooded in their stead.
pub const COLLATERAL_PAUSE: Duration = Duration::from_secs(1);

/// How often is looked whether collateral is due.
pub const COLLATERAL_TICK: Duration = Duration::from_secs(30);

/// How old collateral gets while the service answers: revocation lists must soon count. Its life is 30 days.
pub const COLLATERAL_REFRESH_SECONDS: u64 = 86_400;

/// The soonest that collateral is fetched again, even when the service has only what is about to expire.
pub const MIN_COLLATERAL_REFRESH_SECONDS: u64 = 3_600;

/// First wait after a failed fetch.
pub const COLLATERAL_RETRY: Duration = Duration::from_secs(60);

/// Longest wait after failed fetches.
pub const COLLATERAL_RETRY_CEILING: Duration = Duration::from_secs(3600);

/// Time before the end of the newest collateral from which each failed or fruitless fetch is a warning of its own.
pub const COLLATERAL_EXPIRY_WARNING_SECONDS: u64 = 86_400;

/// How often the collateral of a simulated platform is made anew: well before it ends.
pub const SIMULATED_COLLATERAL_REFRESH: Duration = Duration::from_secs(3600);

/// How often the date is looked at for what ends by date. A machine that slept has passed dates of which its timers know
/// nothing.
pub const TRUST_LOOK: Duration = Duration::from_secs(30);

/// How often a connected peer's right to stay is asked of the root view without a change of it: retirement dates pass by
/// themselves. The question is a lookup in memory.
pub const STANDING_CHECK: Duration = Duration::from_secs(1);

/// A connection ends so long before a certificate that it was made with: clocks differ, and what was answered last is judged by
/// that certificate a little later.
pub const CERTIFICATE_MARGIN: Duration = Duration::from_secs(60);

/// From so long before the end of a certificate on, a quarter of a day, a connection is made anew when nothing runs over it.
/// Its holder has had a new one for two hours then.
pub const WORN_CERTIFICATE: Duration = Duration::from_secs(6 * 3600);

/// From so long before its end on nothing new should begin: requests take up to an hour.
pub const OLD_CERTIFICATE: Duration = Duration::from_secs(3 * 3600);

/// A connection that was made with a certificate that is worn already is not made anew before: the same would be shown again.
pub const REMADE_AFTER: Duration = Duration::from_secs(3600);

/// How many looks, a [`STANDING_CHECK`] apart, nothing must run before a connection is made anew: what belongs to the last answer,
/// signatures and vouchers, follows within.
pub const REMAKE_QUIET: u32 = 5;

/// Most bytes of a file of the system that the doctor looks at: the first processor's flags are within.
pub const MAX_DOCTOR_FILE_BYTES: u64 = 64 << 10;

/// How long the doctor waits for a service to take a connection.
pub const DOCTOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Free space below which the doctor calls a disk full: a day of receipts and evidence of a busy proxy.
pub const DOCTOR_FREE_BYTES: u64 = 5 << 30;

/// A disk slower than this to make a write durable is called slow: each receipt waits for one.
pub const DOCTOR_SLOW_SYNC: Duration = Duration::from_millis(50);

/// Difference between this clock and the chain's that is called broken: peers forgive 60 seconds, and the chain's time is
/// that of its last block.
pub const DOCTOR_CLOCK_SKEW_SECONDS: u64 = 90;

/// Longest part of the name of a key: its length is one byte of the derivation.
pub const MAX_SEAL_NAME_BYTES: usize = 64;

/// Replicas of a key manager that a configuration may name: a handful is plenty.
pub const MAX_KEY_REPLICAS: usize = 16;

/// Images of a key manager that a configuration may allow: one for each shape of machine, old and new.
pub const MAX_KEY_IMAGES: usize = 64;

/// Time for one connection to a key manager and one answer: work, handshake, proof.
pub const KEY_ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a starting node asks for a key: replicas may be starting too.
pub const KEY_PATIENCE: Duration = Duration::from_secs(180);

/// First wait after all replicas failed.
pub const KEY_RETRY: Duration = Duration::from_secs(1);

/// Longest wait after all replicas failed.
pub const KEY_RETRY_CEILING: Duration = Duration::from_secs(15);

/// Connections from one network (an IPv4 address, 64 bits of an IPv6 address) that a port has at once before they are judged:
/// an eighth of what a port has in all, and more than the machines behind one address need, which are judged in a second.
pub const MAX_UNVERIFIED_OF_NETWORK: usize = 64;

/// Longest path of an administration socket: a socket's address has 108 bytes, and it is made under a longer name.
pub const MAX_SOCKET_PATH_BYTES: usize = 100;

/// A proxy that has not served for this long is exchanged for another one, as deployed.
pub const PROXY_PATIENCE: Duration = Duration::from_secs(300);

/// Pause between two checkpoints of a store whose journal does not grow much: what a start after a crash has to read stays
/// small, and rows that change with every receipt are written to the database once in this time.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Spans of traces that wait for the collector: some hundred requests of a busy moment. More are dropped, and counted.
pub const SPAN_QUEUE: usize = 4096;

/// Spans that are sent at once: far below the usual bound of a collector, 4 MiB.
pub const SPAN_BUNDLE: usize = 512;

/// How long a span waits for others that are sent with it; and the last attempt of a daemon that ends.
pub const SPAN_PATIENCE: Duration = Duration::from_secs(1);

/// How long a collector may take to answer. Spans queue up meanwhile.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
