//! The proxy: takes requests of clients, chooses workers, keeps the books, and settles on chain.
//!
//! One request goes through five phases, each a file: `reserve`, `route`, `run`, `receipt`, `settle`. Everything about
//! money is decided by [`cocoon_ledger`], everything about the choice of a worker by [`cocoon_market`]; this crate gives
//! them connections, a disk and a clock.
//!
//! **Invariant:** nothing is shown to a peer before it is durable; nothing is signed that is not covered by a state commit
//! on chain and by the receipts in the log; a worker never learns who pays; whatever a peer sends, the worst that happens
//! is that its own connection closes. A database that the chain contradicts is refused, with an error.
//!
//! Main function: [`start`].
//!
//! ```no_run
//! # async fn run() -> Result<(), cocoon_proxy::ProxyError> {
//! use cocoon_proxy::{ProxyConfig, start};
//! let config = ProxyConfig::load("proxy.toml".as_ref())?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! let proxy = start(config, stop.clone()).await?;
//! println!("clients connect to {}", proxy.clients);
//! proxy.join().await
//! # }
//! ```

mod accounts;
mod anchor;
mod begin;
mod books;
mod budget;
mod challenge;
mod client;
mod commit;
mod config;
mod contracts;
mod error;
mod head;
mod http;
mod inbox;
mod instance;
pub mod limits;
mod listen;
mod outage;
mod proof;
mod publish;
mod quotes;
mod receipt;
mod recovery;
mod request;
mod reserve;
mod route;
mod run;
mod settle;
mod settlement;
mod signer;
mod start;
mod state;
mod stats;
mod timing;
mod vouchers;
mod winding;
mod worker;
mod workers;
mod writer;

pub use anchor::AnchorConfig;
pub use challenge::ChallengeConfig;
pub use config::{Listen, ProxyConfig, RoutingConfig, Timers};
pub use error::{ProxyError, Who};
pub use http::figures::METRICS;
pub use outage::OutageConfig;
pub use publish::{LogConfig, WitnessConfig};
pub use start::{RunningProxy, start, start_on};
