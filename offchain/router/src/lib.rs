//! The router: ends attested TLS for programs on the same machine that speak plain TCP, as the deployed network's router
//! does, with its three kinds of listeners, its policies and its frames.
//!
//! **Invariant:** no byte passes between the two sides before the peer's certificate was judged by the policy of the
//! listener; plain sides are reached over the loopback interface only, except the targets that the configuration names.
//!
//! The main types are [`RouterConfig`] and [`RunningRouter`], which [`start`] gives.
//!
//! ```
//! use cocoon_router::{ListenerConfig, RouterConfig};
//! let config: ListenerConfig = cocoon_runner::config::parse(
//!     std::path::Path::new("router.toml"),
//!     "kind = 'reverse'\nlisten = '0.0.0.0:11001'\nto = '127.0.0.1:11101'\npolicy = 'tdx'\n",
//! )?;
//! assert_eq!(config.policy(), "tdx");
//! # Ok::<(), cocoon_runner::RunnerError>(())
//! ```
#![forbid(unsafe_code)]

mod config;
mod error;
mod info;
pub mod limits;
mod policy;
mod serve;
pub mod socks;
mod start;

pub use config::{ListenerConfig, PolicyConfig, PolicyKind, RouterConfig};
pub use error::RouterError;
pub use policy::{Policy, Refused};
pub use start::{Parts, RunningRouter, start, start_with};
