//! Bounds of this crate, each with its reason.

use core::time::Duration;

pub use cocoon_attest::limits::MAX_QUOTE_BYTES;

/// Longest message to or from a quoting service: a quote or a report, and a list of key ids around it.
pub const MAX_QGS_MESSAGE_BYTES: usize = MAX_QUOTE_BYTES + 4096;

/// Longest event log: firmware reserves 64 KiB for it.
pub const MAX_EVENT_LOG_BYTES: u64 = 1 << 20;

/// Longest small text attribute of the kernel, such as a generation.
pub const MAX_ATTRIBUTE_BYTES: u64 = 4096;

/// How often a quote is asked for when the kernel is busy with another one or lost one.
pub const CONFIGFS_ATTEMPTS: u32 = 6;

/// Pause before the second attempt; it doubles with each further one, so that all take about three seconds.
pub const CONFIGFS_PAUSE: Duration = Duration::from_millis(100);

/// Time to reach a quoting service.
pub const QGS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time in which a quoting service has to answer: it may have to fetch a certificate first.
pub const QGS_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Time in which a guest has to send its request to the simulator, and to take the answer.
pub const SIMULATOR_TIMEOUT: Duration = Duration::from_secs(10);

/// Guests that the simulator serves at once; more wait in the queue of the socket.
pub const SIMULATOR_CONNECTIONS: usize = 64;

/// How often the simulator looks whether it should stop.
pub const SIMULATOR_POLL: Duration = Duration::from_millis(100);

/// Longest file with registers that a guest pretends to have: eight of 96 hex digits.
pub const MAX_MEASUREMENTS_BYTES: usize = 16 * 1024;

/// Longest file with the public half of a simulated platform: its root certificate and collateral.
pub const MAX_SIMULATED_TRUST_BYTES: usize = 1 << 20;

/// Most accelerators of a guest: machines have eight.
pub const MAX_GPUS: u32 = 64;
