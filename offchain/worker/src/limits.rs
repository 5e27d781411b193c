//! Bounds of the worker, each with its reason.

use std::time::Duration;

/// Largest price coefficient, in thousandths: the deployed proxy refuses more.
pub const MAX_COEFFICIENT: u32 = 999_999_999;

/// Requests at once: beyond this the queue of the engine decides anyway.
pub const MAX_ACTIVE_REQUESTS: u32 = 4096;

/// How long tasks may take to end after the last request.
pub const TASKS_END_TIMEOUT: Duration = Duration::from_secs(5);

/// Shortest and longest time between two moves of a price: proxies are told of each, and a day is as good as never.
pub const PRICING_INTERVAL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(86_400));

/// Mean pause between two looks at the load: some sixty before a move with the usual interval.
pub const PRICING_LOOK: Duration = Duration::from_secs(1);

/// Models of one worker: each has an engine and connections of its own.
pub const MAX_MODELS: usize = 16;

/// Proxies at once: each costs a connection and a place in every statistic.
pub const MAX_PROXY_CONNECTIONS: u32 = 64;

/// Finished requests of one connection whose statements may still be asked for.
pub const MAX_UNSIGNED: usize = 4096;

/// Requests that the engine's thread has not looked at yet.
pub const ENGINE_QUEUE: usize = 256;

/// Pieces of the engine that become one piece of a stream, when the connection is slower than the engine.
pub const MAX_MERGED_EVENTS: usize = 128;

/// Bytes of an answer of an upstream server that are held until it is known to be whole; a longer one goes on as it comes.
pub const MAX_HELD_BODY: usize = cocoon_protocol::limits::MAX_REQUEST_BYTES;

/// Bytes of one member of a longer answer that is kept, as its usage: they take a few hundred.
pub const MAX_MEMBER_BYTES: usize = 16 << 10;

/// Objects and arrays within each other in a longer answer: parsers of JSON take no more.
pub const MAX_DOCUMENT_DEPTH: usize = 128;

/// Bytes of an HTTP request to the control port: there are no bodies.
pub const MAX_CONTROL_BYTES: usize = 4096;

/// First and longest pause between attempts to reach a proxy.
pub const RECONNECT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// TCP, proof of work and TLS together.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Pause between questions for the latest voucher: from, to.
pub const PAYMENT_STATUS_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));

/// Pause between looks at the upstream server: from, to.
pub const HEALTH_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// Time for one look at the upstream server.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// Least time between two reports of progress of one request: what a lost worker may lose.
pub const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// Shortest and longest time that a request is given, whatever the proxy says.
pub const REQUEST_TIME: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Pause between looks at what could be paid out: from, to.
pub const PAYOUT_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(20));

/// Statements that are signed on one connection without a signature of the proxy in return. The proxy signs once for each
/// burst of at most half as many, so more mean that it wants the worker's word without giving its own.
pub const MAX_NOT_COUNTERSIGNED: usize = 2 * cocoon_protocol::limits::MAX_SIGNING;

/// Messages about money that wait for the disk; then the connection waits too.
pub const PAPER_QUEUE: usize = 256;

/// Answers to one request: each takes a place in the engine, and the queue of a small worker has a few dozen.
pub const MAX_CHOICES: usize = 16;
