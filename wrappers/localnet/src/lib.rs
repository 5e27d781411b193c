//! The emulated chain behind the public TON HTTP API, with a faucet, control of time, snapshots, and a state on disk.
//!
//! **Invariant:** an answer that reports a change leaves only when the change is on disk (when there is a state file),
//! as a whole chain or as a record of the journal beside it, and one process at a time has these files. Wallets and programs made for the public API work unchanged; what the API does
//! not have is under `/control` and needs POST.
//!
//! The main type is [`LocalNet`].
//!
//! ```no_run
//! use cocoon_localnet::{LocalNet, LocalNetConfig};
//!
//! # async fn run() -> Result<(), cocoon_localnet::LocalNetError> {
//! let chain = LocalNet::start(LocalNetConfig::ephemeral()).await?;
//! tracing::info!(url = chain.url(), "ready");
//! chain.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod api;
mod clock;
mod control;
mod error;
pub mod limits;
mod lite;
mod localnet;
mod node;
mod persist;
mod server;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use cocoon_emulator::NetworkConfig;
pub use cocoon_emulator::journal::path_beside as journal_beside;
pub use cocoon_lite::blocks::Consensus;
pub use cocoon_lite::messages::{Answer, BlockId, Request};
pub use error::LocalNetError;
pub use lite::{Lie, LiteConfig, RunningLite};
pub use localnet::{LocalNet, LocalNetConfig, RunningLocalNet};
