//! Bounds of what callers may ask for, each with its reason.

/// Most tokens that one request may ask for: the wire carries a signed 32-bit number.
pub const MAX_TOKENS: u64 = i32::MAX as u64;
/// Tokens that are reserved when the caller names no bound, as deployed.
pub const DEFAULT_MAX_TOKENS: u64 = 1000;
/// Highest price that a caller accepts when it names none, thousandths, as deployed.
pub const DEFAULT_MAX_COEFFICIENT: u64 = 4000;
/// Seconds for a request when the caller names none, as deployed.
pub const DEFAULT_TIMEOUT_SECONDS: f64 = 120.0;
/// Most seconds for a request: a slot and a reservation are held all that time.
pub const MAX_TIMEOUT_SECONDS: f64 = 3600.0;
/// Longest model name: it is routed by and shown in errors.
pub const MAX_MODEL_NAME: usize = 256;
/// Most messages of one conversation.
pub const MAX_MESSAGES: usize = 4096;
/// Most stop strings, as OpenAI.
pub const MAX_STOP: usize = 4;
/// Most inputs of one request for embeddings, as OpenAI.
pub const MAX_INPUTS: usize = 2048;
/// Most numbers of one vector: sixteen times the longest published ones.
pub const MAX_DIMENSIONS: u64 = 65_536;
/// Longest event of a stream; a longer one cannot come from a well-behaved server and would grow memory.
pub const MAX_EVENT_BYTES: usize = 4 << 20;
/// Longest request guid: it is a key of a map.
pub const MAX_GUID: usize = 128;
/// Most names in one list of `provider`: each is compared with every connection.
pub const MAX_NAMED: usize = 64;
/// Tokens that prices are told for, as elsewhere: one token costs a few nanoton.
pub const PRICED_TOKENS: u64 = 1_000_000;
