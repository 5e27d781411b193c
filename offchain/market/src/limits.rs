//! Bounds of this crate, each with its reason.

use std::time::Duration;

/// Time constant of the averages: ten minutes, as deployed.
pub const AVERAGE_WINDOW: Duration = Duration::from_secs(600);

/// Below this decayed count an average says nothing.
pub const MIN_COUNT: f64 = 0.1;

/// Failures in a row that open a worker's breaker: one may be the request's fault, three are the worker's.
pub const BREAKER_FAILURES: u32 = 3;

/// How long an open breaker keeps requests away the first time; doubled each time up to the longest.
pub const BREAKER_FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Longest pause of a breaker: a repaired worker earns again within minutes.
pub const BREAKER_LONGEST_PAUSE: Duration = Duration::from_secs(300);
