//! Bounds of the router, each with its reason.

use std::time::Duration;

/// Connections of one listener at once; each costs two sockets and two buffers.
pub const MAX_CONNECTIONS: usize = 4096;

/// Connections of one listener that are still doing SOCKS, proof of work or TLS: bounds what strangers can hold open.
pub const MAX_UNVERIFIED_CONNECTIONS: usize = 512;

/// How long one direction of a connection goes on after the other has ended: what is on its way arrives, and a peer that never
/// ends its side does not keep the place.
pub const HALF_OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for all of a SOCKS negotiation: the other end is a program on this machine.
pub const SOCKS_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to reach a plain target or the port of a peer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest drain that may be configured, in seconds.
pub const MAX_DRAIN_SECONDS: u64 = 3600;

/// Pause after a connection could not be accepted: usually too many open files, which passes when connections end.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
