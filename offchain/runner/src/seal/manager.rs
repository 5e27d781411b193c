//! Keys of a key manager: its configuration, and the back end that asks its replicas.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use cocoon_bindings::units::{ImageHash, PublicKey};
use cocoon_protocol::codec::decode;
use cocoon_protocol::key::{GetKey, Key};
use cocoon_protocol::message::KeyQuery;
use cocoon_ratls::{Connector, IdentityKeeper, PeerPolicy, SharedClock};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ask::is_not_ready;
use super::{KeyLink, KeyName, SealError, SealProvider, derive};
use crate::RunnerError;
use crate::backoff::Backoff;
use crate::keys::load_seed;
use crate::limits::{
    KEY_PATIENCE, KEY_RETRY, KEY_RETRY_CEILING, MAX_KEY_IMAGES, MAX_KEY_REPLICAS, MAX_SEAL_NAME_BYTES,
};
use crate::trust::Trust;

/// Salt of what a key manager sees of the owner's secret. It must never change.
const OWNER_SALT: &[u8] = b"cocoon key owner v1";

/// Which key manager is asked, and which of its images are believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyManagerConfig {
    /// Addresses of replicas, `host:port`; they are asked in this order.
    pub replicas: Vec<String>,
    /// Public id of the key manager, in hex: a replica with another secret is refused.
    pub id: PublicKey,
    /// Image hashes of the key manager. The root contract has no list of them.
    pub images: Vec<ImageHash>,
}

impl KeyManagerConfig {
    /// Refuses what cannot work, by key.
    pub fn check(&self) -> Result<(), RunnerError> {
        let wrong = |key: &str, problem: String| {
            Err(RunnerError::ConfigValue {
                key: format!("key_manager.{key}"),
                problem,
            })
        };
        if self.replicas.is_empty() || self.replicas.len() > MAX_KEY_REPLICAS {
            return wrong("replicas", format!("must have from 1 to {MAX_KEY_REPLICAS} addresses"));
        }
        if self.images.is_empty() || self.images.len() > MAX_KEY_IMAGES {
            return wrong("images", format!("must have from 1 to {MAX_KEY_IMAGES} hashes"));
        }
        Ok(())
    }

    /// What is asked of a replica's certificate.
    pub fn policy(&self) -> PeerPolicy {
        let images: BTreeSet<ImageHash> = self.images.iter().copied().collect();
        PeerPolicy::attested(move |image| images.contains(image))
    }
}

/// A key that a key manager gives, as a configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedKey {
    /// Name of the key manager's policy that holds this node's image.
    pub policy: String,
    /// Name of this node, different for each node of the owner.
    pub node: String,
    /// File with a secret of the owner: 64 hex digits, readable by its owner only. Others who run the same image have
    /// other keys because they do not know it; the keys cannot be computed from it.
    pub secret_file: PathBuf,
}

impl ManagedKey {
    /// The back end for this key.
    pub fn provider(&self, manager: &KeyManager) -> Result<Managed, RunnerError> {
        if self.policy.is_empty() || self.policy.len() > MAX_SEAL_NAME_BYTES {
            return Err(RunnerError::ConfigValue {
                key: "policy".to_owned(),
                problem: format!("a name has 1 to {MAX_SEAL_NAME_BYTES} bytes"),
            });
        }
        let secret = load_seed(&self.secret_file)?;
        Ok(Managed {
            manager: manager.clone(),
            policy: self.policy.clone(),
            owner: derive(&secret, OWNER_SALT, &[])?,
        })
    }

    /// The key for a role and purpose.
    pub async fn load(
        &self,
        manager: Option<&KeyManager>,
        role: &str,
        purpose: &str,
    ) -> Result<SigningKey, RunnerError> {
        let manager = manager.ok_or_else(|| RunnerError::ConfigValue {
            key: "key_manager".to_owned(),
            problem: "must be there, because a key is managed".to_owned(),
        })?;
        let name = KeyName::new(role, &self.node, purpose)?;
        self.provider(manager)?.key(&name).await
    }
}

/// Asks the replicas of one key manager.
#[derive(Clone, Debug)]
pub struct KeyManager {
    connector: Connector,
    config: Arc<KeyManagerConfig>,
}

impl KeyManager {
    /// Asks with the node's own identities, which must be attested: the key manager looks at their image.
    pub fn new(
        config: &KeyManagerConfig,
        identities: Arc<IdentityKeeper>,
        trust: &Trust,
        clock: SharedClock,
    ) -> Result<Self, RunnerError> {
        config.check()?;
        // Never through a router: the session could not be proven.
        let connector = Connector::new(identities, trust.store(), config.policy(), clock);
        Ok(Self {
            connector,
            config: Arc::new(config.clone()),
        })
    }

    /// Asks one replica after another, and all again until one gives the key, all refuse for good, or patience ends.
    async fn get(&self, question: &KeyQuery) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut backoff = Backoff::new(KEY_RETRY, KEY_RETRY_CEILING);
        let started = tokio::time::Instant::now();
        loop {
            let mut last = SealError::Timeout;
            let mut refused = 0;
            for replica in &self.config.replicas {
                match self.get_from(replica, question).await {
                    Ok(seed) => return Ok(seed),
                    Err(error) => {
                        refused += usize::from(error.is_final());
                        if is_not_ready(&error) {
                            tracing::info!(replica, "the key manager's replica has no secret yet");
                        } else {
                            let cause = std::error::Error::source(&error).map(ToString::to_string);
                            tracing::warn!(replica, %error, cause, hint = error.hint(), "no key from this replica");
                        }
                        last = error;
                    }
                }
            }
            if refused == self.config.replicas.len() || started.elapsed() > KEY_PATIENCE {
                return Err(last);
            }
            backoff.wait().await;
        }
    }

    async fn get_from(&self, replica: &str, question: &KeyQuery) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let link = KeyLink::open(&self.connector, replica).await?;
        let answer = link.ask(question).await?;
        let key: Key = decode(&answer).map_err(SealError::Malformed)?;
        let found = PublicKey::new(key.manager);
        if found != self.config.id {
            return Err(SealError::OtherManager {
                found: found.to_string(),
                expected: self.config.id.to_string(),
            });
        }
        let seed = Zeroizing::new(key.seed);
        link.close().await;
        Ok(seed)
    }
}

/// Keys that a key manager derives for this node's image and its owner.
pub struct Managed {
    manager: KeyManager,
    policy: String,
    owner: Zeroizing<[u8; 32]>,
}

#[async_trait]
impl SealProvider for Managed {
    async fn key(&self, name: &KeyName) -> Result<SigningKey, RunnerError> {
        let question = KeyQuery::from(GetKey {
            policy: self.policy.clone(),
            role: name.role().to_owned(),
            node: name.node().to_owned(),
            purpose: name.purpose().to_owned(),
            owner: *self.owner,
        });
        let seed = self.manager.get(&question).await.map_err(RunnerError::KeyManager)?;
        Ok(SigningKey::from_bytes(&seed))
    }
}

impl std::fmt::Debug for Managed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Managed({})", self.policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<KeyManagerConfig, RunnerError> {
        crate::config::parse("worker.toml".as_ref(), text)
    }

    #[test]
    fn a_configuration_names_replicas_id_and_images() {
        let hash = "ab".repeat(32);
        let good = format!("replicas = [\"10.0.0.1:13001\"]\nid = \"{hash}\"\nimages = [\"{hash}\"]\n");
        let parsed = config(&good).unwrap();
        parsed.check().unwrap();
        let PeerPolicy::Attested { allowed } = parsed.policy() else {
            panic!("replicas must be attested")
        };
        assert!(allowed(&ImageHash::new([0xab; 32])) && !allowed(&ImageHash::new([0xac; 32])));
        for (key, text) in [
            ("replicas", good.replace("[\"10.0.0.1:13001\"]", "[]")),
            ("images", good.replace(&format!("[\"{hash}\"]"), "[]")),
        ] {
            let refused = config(&text).unwrap().check().unwrap_err();
            assert!(
                refused.to_string().starts_with(&format!("key_manager.{key}")),
                "{refused}"
            );
        }
        assert!(config(&good.replace("id = ", "idd = ")).is_err());
    }

    #[tokio::test]
    async fn a_managed_key_without_a_key_manager_is_refused_by_name() {
        let key = ManagedKey {
            policy: "worker".into(),
            node: "a".into(),
            secret_file: "secret".into(),
        };
        let refused = key.load(None, "worker", "wallet").await.unwrap_err();
        assert!(refused.to_string().starts_with("key_manager: "), "{refused}");
    }
}
