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

/// Workers that one decision draws at random. With half of the ready workers too expensive, eight draws miss two usable
/// ones in fewer than four of a hundred decisions, and those walk the list of prices.
pub const DRAWS: usize = 8;

/// Workers that are looked at in the order of their prices when drawing found nobody.
pub const CHEAPEST: usize = 16;

/// A worker that has the beginning of a prompt in its cache is taken unless its expected time is more than so many times
/// that of another: a cache saves the prefill, which is seldom more than half of a request.
pub const AFFINITY_SLACK: f64 = 2.0;

/// Lowest chance of success and lowest reputation that a worker's expected time is divided by: a bad worker is avoided,
/// and still taken when there is no other.
pub const MIN_CHANCE: f64 = 0.05;

/// What the mean of all workers of a model is multiplied with for a worker that was not measured yet: below one, so that
/// it is tried, and not so small that it gets everything.
pub const UNMEASURED: f64 = 0.5;

/// Expected time in seconds where nothing was measured at all.
pub const UNKNOWN_SECONDS: f64 = 0.001;

/// Beginnings of prompts whose worker is remembered: some 3 MB. Older ones are forgotten first.
pub const MAX_PREFIXES: usize = 1 << 16;

/// Lengths in bytes at which the beginning of a prompt is looked at. Below the first a cache saves nothing worth a detour;
/// beyond the last a longer match changes nothing.
pub const PREFIX_LENGTHS: [usize; 6] = [1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15];

/// Shortest and longest time that a refused request is told to wait.
pub const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Quotes that one client may have: enough to compare a few models, and little of what others could use.
pub const MAX_QUOTES_PER_CLIENT: usize = 4;

/// Quotes of all clients that are held or whose place is taken, and as many again that were used and are remembered. They are
/// looked through for each new one, which so takes some ten microseconds at most.
pub const MAX_QUOTES: usize = 2048;

/// Part of a worker's slots that quotes may keep: the rest is for requests that come without.
pub const QUOTED_SHARE: f64 = 0.5;

/// Clients whose rate is remembered; beyond it those with full buckets are forgotten, and then new ones are refused.
pub const MAX_RATED_CLIENTS: usize = 1 << 16;
