//! The worker runner: connects to proxies over attested connections, answers their requests with a model, counts
//! tokens, signs what it did, and remembers what it is owed.
//!
//! **Invariant:** a signature never leaves before the signed statement is on disk, and no statement is signed that
//! contradicts what this worker did; what a proxy owes never goes down in memory; prompts and answers are in no log, no
//! error and no file.
//!
//! Main entry: [`start`] with a [`WorkerConfig`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use cocoon_worker::{WorkerConfig, start};
//!
//! let config: WorkerConfig = cocoon_runner::config::load("worker.toml".as_ref())?;
//! let running = start(config, cocoon_runner::shutdown::Shutdown::default().token().clone()).await?;
//! running.join.await??;
//! # Ok(())
//! # }
//! ```

mod answering;
mod backend;
mod balance;
mod claim;
mod closed;
mod config;
mod connect;
mod counters;
mod daemon;
mod error;
mod http;
pub mod limits;
mod metrics;
mod papers;
mod payout;
mod pricing;
mod replay;
mod request;
mod session;
mod signing;
mod switch;
#[cfg(test)]
mod tests;
mod worker;

pub use config::{BackendConfig, EngineConfig, ModelConfig, PayoutConfig, PricingConfig, WorkerConfig};
pub use daemon::{RunningWorker, start, start_on};
pub use error::{Retry, Who, WorkerError};
pub use metrics::METRICS;
pub use replay::{Replay, ReplayError, ReplayVerdict, Replayer};
