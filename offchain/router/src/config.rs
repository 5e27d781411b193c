//! The configuration of a router.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles};
use serde::{Deserialize, Serialize};

use crate::{Policy, RouterError, limits::MAX_DRAIN_SECONDS};

/// Everything that a router is told. TOML; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterConfig {
    /// The chain and the root contract, which says whether the network is a test.
    pub chain: ChainConfig,
    /// What this router proves of its machine and believes of others.
    #[serde(default)]
    pub attestation: AttestationConfig,
    /// Role of the image that a simulated platform speaks for: `worker`, `proxy` or `client`.
    #[serde(default = "default_role")]
    pub role: String,
    /// Whether each plain connection begins with a frame about the peer (AttestedPeerInfo), as runners expect.
    #[serde(default = "default_peer_info")]
    pub peer_info: bool,
    /// Bits of the proof of work that reverse listeners ask for: 20, as deployed.
    #[serde(default = "default_difficulty")]
    pub pow_difficulty: u32,
    /// Bits of work that are done for a peer: 28, as deployed.
    #[serde(default = "default_max_difficulty")]
    pub max_pow_difficulty: u32,
    /// How long open connections may go on after the stop was asked for, in seconds.
    #[serde(default = "default_drain")]
    pub drain_seconds: u64,
    /// Policies by name, besides `any`, `tdx` and `simulated`.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicyConfig>,
    /// What listens.
    pub listeners: Vec<ListenerConfig>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ListenerConfig {
    /// Local programs name their peer by SOCKS5.
    Socks5 {
        /// A loopback address.
        listen: SocketAddr,
        /// Name of the policy.
        policy: String,
        /// Whether a user name in SOCKS5 names another policy for that connection. The password is not looked at.
        #[serde(default)]
        policy_from_user_name: bool,
    },
    /// Local programs reach one peer.
    Forward {
        /// A loopback address.
        listen: SocketAddr,
        /// The peer, as `host:port`.
        to: String,
        /// Name of the policy.
        policy: String,
    },
    /// Peers reach one local program.
    Reverse {
        /// Any address.
        listen: SocketAddr,
        /// The program.
        to: SocketAddr,
        /// Name of the policy.
        policy: String,
    },
}

impl ListenerConfig {
    /// Name of its policy.
    pub fn policy(&self) -> &str {
        match self {
            Self::Socks5 { policy, .. } | Self::Forward { policy, .. } | Self::Reverse { policy, .. } => policy,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Socks5 { listen, .. } | Self::Forward { listen, .. } | Self::Reverse { listen, .. } => *listen,
        }
    }
}

/// Kinds of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// Any certificate of the network's form; a quote is not looked at.
    Any,
    /// A verified quote of real hardware.
    Tdx,
    /// A verified quote, of a simulated platform too: only while the root contract says that the network is a test.
    Simulated,
}

/// One policy. Empty lists allow everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// What is looked at.
    pub kind: PolicyKind,
    /// Image hashes, in hex.
    #[serde(default)]
    pub images: Vec<String>,
    /// MRTDs, in hex.
    #[serde(default)]
    pub mrtd: Vec<String>,
    /// Quadruples RTMR0 to RTMR3, in hex.
    #[serde(default)]
    pub rtmr: Vec<[String; 4]>,
    /// Key ids of roots of platforms, in hex.
    #[serde(default)]
    pub roots: Vec<String>,
}

fn default_role() -> String {
    "client".to_owned()
}

fn default_peer_info() -> bool {
    true
}

fn default_difficulty() -> u32 {
    cocoon_ratls::limits::DEFAULT_DIFFICULTY
}

fn default_max_difficulty() -> u32 {
    cocoon_ratls::limits::MAX_DIFFICULTY
}

fn default_drain() -> u64 {
    30
}

impl NamesFiles for RouterConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let chain = self.chain.files_mut().into_iter();
        chain.chain(self.attestation.files_mut()).collect()
    }
}

impl RouterConfig {
    /// Reads a file; paths inside are taken relative to it.
    pub fn load(path: &Path) -> Result<Self, RouterError> {
        let config: Self = cocoon_runner::config::load(path)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what cannot work, and what would open the machine's evidence to others.
    pub fn check(&self) -> Result<(), RouterError> {
        let setting = |key, problem| Err(RouterError::Setting { key, problem });
        if self.listeners.is_empty() {
            return setting("listeners", "must hold at least one listener");
        }
        if self.pow_difficulty > cocoon_ratls::limits::MAX_DIFFICULTY {
            return setting("pow_difficulty", "must not be more bits than clients accept");
        }
        if self.max_pow_difficulty > cocoon_ratls::limits::MAX_DIFFICULTY {
            return setting(
                "max_pow_difficulty",
                "must not be more bits than can be done in a minute",
            );
        }
        if self.drain_seconds > MAX_DRAIN_SECONDS {
            return setting("drain_seconds", "must be at most 3600");
        }
        for listener in &self.listeners {
            let is_local = !matches!(listener, ListenerConfig::Reverse { .. });
            if is_local && !listener.address().ip().is_loopback() {
                return Err(RouterError::NotLoopback(listener.address()));
            }
            self.policy(listener.policy())?;
        }
        self.policies.iter().try_for_each(|(name, policy)| {
            if Policy::built_in(name).is_some() {
                return Err(RouterError::Policy {
                    name: name.clone(),
                    problem: "has the name of a built-in policy",
                });
            }
            Policy::parse(name, policy).map(drop)
        })
    }

    /// The policy of a name.
    pub fn policy(&self, name: &str) -> Result<Policy, RouterError> {
        match (Policy::built_in(name), self.policies.get(name)) {
            (Some(policy), _) => Ok(policy),
            (None, Some(config)) => Policy::parse(name, config),
            (None, None) => Err(RouterError::UnknownPolicy(name.to_owned())),
        }
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}
