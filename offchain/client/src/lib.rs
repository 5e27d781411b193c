//! The client runner.
#![forbid(unsafe_code)]

pub mod config;
pub mod contract;
mod error;
pub mod limits;
mod secret;

pub use config::{ClientConfig, FundingConfig};
pub use contract::{ProxyIdentity, ensure_client_contract};
pub use error::ClientError;
pub use secret::Secret;
