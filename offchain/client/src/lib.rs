//! The client runner: an OpenAI interface on one side, an attested connection to a proxy on the other, and a receipt for
//! every answer in between.
//!
//! **Invariant:** no byte of a request leaves before the proxy's evidence, image and contract were checked; a request
//! always ends, with an answer or a typed error; prompts and answers are never logged, and stored only, where
//! the configuration names a folder for them (`disclosures_dir`); else they are only hashed.
//!
//! Main entry: [`start`] with a [`ClientConfig`]. [`ensure_client_contract`] deploys and funds the contract that pays.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config: cocoon_client::ClientConfig = cocoon_runner::config::load(std::path::Path::new("client.toml"))?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! let mut client = cocoon_client::start(config, stop.clone()).await?;
//! client.join().await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod access;
pub mod account;
mod calls;
pub mod closed;
pub mod config;
pub mod connection;
mod context;
pub mod contract;
mod dialer;
mod disclosures;
mod driver;
mod error;
mod http;
pub mod limits;
mod logs;
pub mod payments;
mod quotes;
pub mod receipts;
mod run;
mod secret;
pub mod stats;

pub use access::config::AccessConfig;
pub use config::{ClientConfig, FundingConfig, LogPlace};
pub use connection::ProxyConnection;
pub use context::Context;
pub use contract::{ProxyIdentity, ensure_client_contract};
pub use dialer::Upstream;
pub use error::ClientError;
pub use http::figures::METRICS;
pub use run::{RunningClient, start, start_on};
pub use secret::Secret;
