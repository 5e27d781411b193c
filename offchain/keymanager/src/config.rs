//! The configuration of a key manager.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_runner::config::{AttestationConfig, ChainConfig, NamesFiles};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_IMAGES, MAX_NAME_BYTES, MAX_OWNERS, MAX_PEERS, MAX_POLICIES, MIN_THRESHOLD};
use crate::{KeyManagerError, OwnerPublic};

/// Everything that a replica is told. TOML; unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyManagerConfig {
    /// Where nodes, other replicas and owners connect.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Status and backup. Nothing there is secret, but it is not for the public.
    #[serde(default = "default_http")]
    pub http: SocketAddr,
    /// Where the secret comes from.
    #[serde(default)]
    pub start: Start,
    /// Public id of the key manager, in hex, once there is one: a secret of another id is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PublicKey>,
    /// Other replicas, `host:port`.
    #[serde(default)]
    pub peers: Vec<String>,
    /// Images of key managers that may have the secret, besides this replica's own image.
    #[serde(default)]
    pub replica_images: Vec<ImageHash>,
    /// Bits of the proof of work that a connection costs: 20, as between all nodes.
    #[serde(default = "default_difficulty")]
    pub pow_difficulty: u32,
    /// The chain and the root contract.
    pub chain: ChainConfig,
    /// What this replica proves of its machine and believes of others.
    #[serde(default)]
    pub attestation: AttestationConfig,
    /// Who can bring the secret back together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupConfig>,
    /// Which images share keys.
    #[serde(default)]
    pub policies: Vec<PolicyConfig>,
}

/// Where a starting replica's secret comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// From another replica; it is asked until it answers. Never drawn.
    #[default]
    Join,
    /// Drawn at random: the first start of all.
    New,
    /// From shares that owners give.
    Restore,
}

/// Who can bring the secret back together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// Shares that give the secret back: at least 2.
    pub threshold: u8,
    /// X25519 keys of the owners, in hex; each gets one share.
    pub owners: Vec<OwnerPublic>,
}

/// Images that share keys. The name is part of every key: an image that is added has the keys of those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Name, 1 to 64 bytes.
    pub name: String,
    /// Every image that the root contract lists for a role at the moment of asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// Image hashes, in hex.
    #[serde(default)]
    pub images: Vec<ImageHash>,
}

/// Lists of the root contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// Images of proxies.
    Proxies,
    /// Images of workers.
    Workers,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 13_001))
}

fn default_http() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 13_000))
}

fn default_difficulty() -> u32 {
    cocoon_ratls::limits::DEFAULT_DIFFICULTY
}

impl NamesFiles for KeyManagerConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let chain = self.chain.files_mut().into_iter();
        chain.chain(self.attestation.files_mut()).collect()
    }
}

impl KeyManagerConfig {
    /// Reads a file; paths inside are taken relative to it.
    pub fn load(path: &Path) -> Result<Self, KeyManagerError> {
        Ok(cocoon_runner::config::load(path)?)
    }

    /// Refuses what cannot work, and what would give keys away.
    pub fn check(&self) -> Result<(), KeyManagerError> {
        let wrong = |key, problem| Err(KeyManagerError::Setting { key, problem });
        match self.start {
            Start::New if self.id.is_some() => {
                return wrong("id", "is known, so there is a secret already: start without --new");
            }
            Start::Restore if self.id.is_none() => {
                return wrong("id", "must say which key manager is restored");
            }
            Start::Join if self.peers.is_empty() => {
                return wrong("peers", "must name a replica that has the secret");
            }
            _ => {}
        }
        if self.peers.len() > MAX_PEERS {
            return wrong("peers", "must be at most 16");
        }
        if self.replica_images.len() > MAX_IMAGES {
            return wrong("replica_images", "must be at most 1024");
        }
        if self.attestation.router.is_some() {
            return wrong(
                "attestation.router",
                "cannot be: sessions behind a router cannot be proven",
            );
        }
        if self.pow_difficulty > cocoon_ratls::limits::MAX_DIFFICULTY {
            return wrong("pow_difficulty", "must not be more bits than clients accept");
        }
        self.backup.as_ref().map_or(Ok(()), BackupConfig::check)?;
        check_policies(&self.policies)
    }
}

impl BackupConfig {
    fn check(&self) -> Result<(), KeyManagerError> {
        let wrong = |key, problem| Err(KeyManagerError::Setting { key, problem });
        let different: BTreeSet<_> = self.owners.iter().collect();
        if different.len() < self.owners.len() || self.owners.len() > MAX_OWNERS {
            return wrong("backup.owners", "must be at most 32 different keys");
        }
        if !(MIN_THRESHOLD..=self.owners.len()).contains(&usize::from(self.threshold)) {
            return wrong("backup.threshold", "must be from 2 to the number of owners");
        }
        Ok(())
    }

    pub(crate) fn keys(&self) -> Vec<[u8; 32]> {
        self.owners.iter().map(|owner| *owner.as_bytes()).collect()
    }
}

fn check_policies(policies: &[PolicyConfig]) -> Result<(), KeyManagerError> {
    let wrong = |key, problem| Err(KeyManagerError::Setting { key, problem });
    let names: BTreeSet<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    if names.len() < policies.len() || policies.len() > MAX_POLICIES {
        return wrong("policies", "must be at most 64, each with a name of its own");
    }
    for policy in policies {
        if policy.name.is_empty() || policy.name.len() > MAX_NAME_BYTES {
            return wrong("policies.name", "must have from 1 to 64 bytes");
        }
        if policy.images.len() > MAX_IMAGES {
            return wrong("policies.images", "must be at most 1024");
        }
        if policy.images.is_empty() && policy.listed.is_none() {
            return wrong("policies", "must each name images, or a list of the root contract");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = r#"
        peers = ["10.0.0.2:13001"]
        [chain]
        url = "http://127.0.0.1:8045/api/v2/jsonRPC"
        root = "0:0000000000000000000000000000000000000000000000000000000000000000"
    "#;

    fn parse(text: &str) -> Result<KeyManagerConfig, cocoon_runner::RunnerError> {
        cocoon_runner::config::parse(Path::new("keymanager.toml"), text)
    }

    #[test]
    fn the_smallest_configuration_asks_another_replica() {
        let config = parse(SMALLEST).unwrap();
        config.check().unwrap();
        assert_eq!(
            (config.start, config.listen.port(), config.http.port()),
            (Start::Join, 13_001, 13_000)
        );
        assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert!(parse(&format!("startt = 'new'\n{SMALLEST}")).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_key() {
        let hash = "ab".repeat(32);
        let other = "cd".repeat(32);
        let with = |text: &str| format!("{text}\n{SMALLEST}");
        for (key, text) in [
            ("peers", SMALLEST.replace("[\"10.0.0.2:13001\"]", "[]")),
            ("id", with(&format!("start = 'new'\nid = '{hash}'"))),
            ("id", with("start = 'restore'")),
            (
                "attestation.router",
                format!("{SMALLEST}\n[attestation]\nrouter = '127.0.0.1:8116'"),
            ),
            (
                "backup.threshold",
                format!("{SMALLEST}\n[backup]\nthreshold = 1\nowners = ['{hash}', '{other}']"),
            ),
            (
                "backup.threshold",
                format!("{SMALLEST}\n[backup]\nthreshold = 3\nowners = ['{hash}', '{other}']"),
            ),
            (
                "backup.owners",
                format!("{SMALLEST}\n[backup]\nthreshold = 2\nowners = ['{hash}', '{hash}']"),
            ),
            ("policies", format!("{SMALLEST}\n[[policies]]\nname = 'a'")),
            (
                "policies.name",
                format!("{SMALLEST}\n[[policies]]\nname = ''\nlisted = 'proxies'"),
            ),
            (
                "policies",
                format!(
                    "{SMALLEST}\n[[policies]]\nname = 'a'\nlisted = 'proxies'\n[[policies]]\nname = 'a'\nlisted = 'workers'"
                ),
            ),
        ] {
            let refused = parse(&text).unwrap().check().unwrap_err();
            assert!(
                matches!(refused, KeyManagerError::Setting { key: found, .. } if found == key),
                "{key}: {refused}"
            );
        }
    }
}
