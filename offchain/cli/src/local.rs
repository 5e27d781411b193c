//! A network on one machine: keys, chain, contracts, configuration files, runners.

#[cfg(feature = "engine")]
pub mod actors;
pub mod balances;
pub mod chain;
#[cfg(feature = "engine")]
pub mod configs;
pub(crate) mod control;
#[cfg(feature = "engine")]
pub mod deploy;
#[cfg(feature = "engine")]
pub mod economy;
pub mod faucet;
pub mod layout;
#[cfg(feature = "engine")]
pub mod model;
pub mod network;
pub(crate) mod part;
pub mod ports;
#[cfg(feature = "engine")]
mod runners;
#[cfg(feature = "engine")]
mod start;

#[cfg(feature = "engine")]
pub use start::{LocalNetwork, LocalOptions};
