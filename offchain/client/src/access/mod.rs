//! Who may use the HTTP interface, how fast, and for how much: API keys, names and origins, rates, budgets, and requests that must
//! not run twice.
//!
//! **Invariant:** a secret of a key is in no file, log, error or figure; what a request may cost at most is set aside before it
//! leaves, so that requests at once never spend more than a key's limit or a channel's balance, also over a crash.

pub(crate) mod answers;
pub(crate) mod attempt;
pub mod budget;
pub mod config;
pub(crate) mod durable;
pub(crate) mod forwarded;
pub(crate) mod gate;
pub mod keys;
pub(crate) mod origin;
pub(crate) mod rates;
pub(crate) mod recording;
pub(crate) mod refusal;
pub(crate) mod spending;
