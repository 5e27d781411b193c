//! A network on one machine: keys, chain, contracts, configuration files, runners.

pub mod actors;
pub mod deploy;
pub mod economy;
pub mod faucet;
pub mod layout;
pub mod network;
pub mod ports;
