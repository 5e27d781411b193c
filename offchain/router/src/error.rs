//! Why the router does not start or a connection is not passed on.

use std::net::SocketAddr;

use cocoon_chain::ChainError;
use cocoon_ratls::RatlsError;
use cocoon_runner::{Retry, RunnerError, Who};
use thiserror::Error;

use crate::{policy::Refused, socks::SocksError};

/// Why the router does not start or a connection is not passed on. Never contains what passes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RouterError {
    /// Files, ports, shutdown.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The root contract's address does not parse.
    #[error("`chain.root` is not an address")]
    Root(#[source] cocoon_bindings::BindingsError),
    /// A listener for local programs is reachable from elsewhere.
    #[error("a listener of local programs must be on a loopback address, not on {0}")]
    NotLoopback(SocketAddr),
    /// A listener names a policy that is not there.
    #[error("there is no policy `{0}`")]
    UnknownPolicy(String),
    /// A policy that contradicts itself or does not parse.
    #[error("policy `{name}`: {problem}")]
    Policy {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Another value of the configuration cannot work.
    #[error("`{key}` {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The attested connection.
    #[error(transparent)]
    Ratls(#[from] RatlsError),
    /// The peer's evidence is good, and the policy asks for more.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A local program does not speak SOCKS as the router does.
    #[error(transparent)]
    Socks(#[from] SocksError),
    /// A plain connection failed.
    #[error("{during} failed")]
    Io {
        /// What was being done.
        during: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{during} took too long")]
    Timeout {
        /// What was being done.
        during: &'static str,
    },
}

impl RouterError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Runner(error) => error.who(),
            Self::Chain(_) => Who::Chain,
            Self::Root(_)
            | Self::NotLoopback(_)
            | Self::UnknownPolicy(_)
            | Self::Policy { .. }
            | Self::Setting { .. }
            | Self::Socks(_) => Who::Local,
            Self::Ratls(error) => match error.who() {
                cocoon_ratls::Who::Local => Who::Local,
                cocoon_ratls::Who::Peer | cocoon_ratls::Who::Network => Who::Peer,
            },
            Self::Refused(_) => Who::Peer,
            Self::Io { .. } | Self::Timeout { .. } => Who::Host,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Chain(_) | Self::Io { .. } | Self::Timeout { .. } => Retry::SamePeer,
            Self::Ratls(_) | Self::Refused(_) => Retry::OtherPeer,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Runner(error) => error.hint(),
            Self::Chain(error) => error.hint(),
            Self::Ratls(error) => error.hint(),
            Self::Root(_) => "copy the root contract's address, raw or user-friendly",
            Self::NotLoopback(_) => "use 127.0.0.1: whoever reaches this port speaks with the evidence of this machine",
            Self::UnknownPolicy(_) => "use any, tdx or simulated, or add a table [policies.<name>]",
            Self::Policy { .. } | Self::Setting { .. } => "correct the key that is named, then start again",
            Self::Refused(_) => "the peer's evidence is good, but the policy of this listener does not list it",
            Self::Socks(_) => "use SOCKS5 with CONNECT and an IPv4 address",
            Self::Io { .. } | Self::Timeout { .. } => {
                "check that the address is right and the program there is running"
            }
        }
    }
}
