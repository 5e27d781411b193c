//! A view of a network for people: what its contracts hold, what is proposed, who works, what receipts say, and how it is settled,
//! with every message in words (docs/explorer.md).
//!
//! A reader asks a chain server and the published logs again and again, and keeps what it found in bounded memory; [`Explorer::router`]
//! serves it as JSON.
//!
//! **Invariant:** a receipt is shown only when it was proven to be in a log whose checkpoint the key of the proxy contract signed, and
//! that key signed the receipt; memory does not grow with the network; nothing here has a key, sends a message or changes anything.
//!
//! ```no_run
//! # fn start(chain: cocoon_chain::SharedChain, root: cocoon_bindings::ton::Address) -> Result<(), cocoon_explorer::ExplorerError> {
//! use cocoon_explorer::{Explorer, Settings};
//! let settings = Settings::new(root, vec!["https://proxy.example/log".to_owned()]);
//! let explorer = Explorer::start(chain, cocoon_ratls::SystemClock::shared(), settings, Default::default())?;
//! let router: axum::Router = explorer.router();
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod anchors;
mod contracts;
mod feed;
mod http;
pub mod limits;
mod proxies;
mod read;
mod receipts;
mod share;
mod start;
mod sums;
#[cfg(test)]
mod tests;
mod view;
pub mod words;

pub use start::{Explorer, ExplorerError, Settings};
