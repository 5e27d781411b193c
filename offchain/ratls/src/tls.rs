//! TLS 1.3 as the network speaks it: mutual, two suites, no resumption, certificates judged by us.

mod config;
mod verifier;

pub(crate) use config::{OfIdentity, client_config, failed, peer_name, server_config};
pub(crate) use verifier::{Verifier, judged};
