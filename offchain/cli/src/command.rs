//! One file per command.

pub(crate) mod access;
pub(crate) mod attest;
pub(crate) mod audit;
pub(crate) mod chat;
pub(crate) mod claims;
pub(crate) mod config;
pub(crate) mod dispute;
pub(crate) mod doctor;
pub(crate) mod govern;
pub(crate) mod governance;
pub(crate) mod governor;
pub(crate) mod image;
pub(crate) mod keymanager;
pub(crate) mod localnet;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod network;
#[cfg(not(feature = "engine"))]
pub(crate) mod no_engine;
pub(crate) mod operate;
pub(crate) mod owner;
pub(crate) mod quote;
#[cfg(feature = "engine")]
pub(crate) mod replay;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod setup;
pub(crate) mod shell;
pub(crate) mod simulator;
pub(crate) mod status;
pub(crate) mod stop;
#[cfg(feature = "engine")]
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod wallet;

#[cfg(not(feature = "engine"))]
pub(crate) use no_engine::{replay, up};
