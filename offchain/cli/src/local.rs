//! A network on one machine: keys, chain, contracts, configuration files, runners.

pub mod actors;
pub mod balances;
pub mod configs;
pub(crate) mod control;
pub mod deploy;
pub mod economy;
pub mod faucet;
pub mod layout;
pub mod model;
pub mod network;
pub(crate) mod part;
pub mod ports;
mod runners;
mod start;

pub use start::{LocalNetwork, LocalOptions};
