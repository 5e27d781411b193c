//! Keys of a node that no file holds, so that a node which is lost, or starts elsewhere, has its keys again.
//!
//! Who may know a key decides where it comes from. A wallet's key may be the owner's to know: it is derived from a secret of
//! the owner ([`OwnerDerived`]). The key of a TLS certificate is drawn anew each day and never stored
//! (`cocoon_ratls::Identity`). A proxy's contract key signs what clients pay and should be known to no owner: a key manager
//! gives it to the proxy's image only ([`Managed`]).

mod ask;
mod error;
mod manager;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::RunnerError;
use crate::keys::{load_or_create_seed, load_seed};
use crate::limits::MAX_SEAL_NAME_BYTES;

pub use ask::KeyLink;
pub use error::SealError;
pub use manager::{KeyManager, KeyManagerConfig, Managed, ManagedKey};

/// Salt of the derivation. It must never change: keys that hold coins depend on it.
const SALT: &[u8] = b"cocoon seal key v1";

/// Which key of which node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    role: String,
    node: String,
    purpose: String,
}

impl KeyName {
    /// The key that a node of a role ("worker", "proxy", "client") uses for a purpose ("wallet"). `node` tells nodes of one
    /// owner apart. Each part has 1 to 64 bytes.
    pub fn new(role: &str, node: &str, purpose: &str) -> Result<Self, RunnerError> {
        for (part, text) in [("role", role), ("node", node), ("purpose", purpose)] {
            if text.is_empty() || text.len() > MAX_SEAL_NAME_BYTES {
                return Err(RunnerError::ConfigValue {
                    key: part.to_owned(),
                    problem: format!("a name has 1 to {MAX_SEAL_NAME_BYTES} bytes"),
                });
            }
        }
        Ok(Self {
            role: role.to_owned(),
            node: node.to_owned(),
            purpose: purpose.to_owned(),
        })
    }

    /// What the node is.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Which of the owner's nodes.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What the key is for.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Bytes that no other name has: each part behind its length.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.role, &self.node, &self.purpose] {
            // At most MAX_SEAL_NAME_BYTES, which fits.
            bytes.push(part.len() as u8);
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

/// Gives a node its keys.
#[async_trait]
pub trait SealProvider: Send + Sync {
    /// The key of that name: always the same one from the same provider.
    async fn key(&self, name: &KeyName) -> Result<SigningKey, RunnerError>;
}

/// Keys for as long as this process runs, drawn at random: nobody else ever knows them.
pub struct Ephemeral(OwnerDerived);

impl Ephemeral {
    /// A provider with a new secret, which lives in memory only.
    pub fn new() -> Self {
        Self(OwnerDerived::new(Zeroizing::new(rand::random())))
    }
}

impl Default for Ephemeral {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl SealProvider for Ephemeral {
    async fn key(&self, name: &KeyName) -> Result<SigningKey, RunnerError> {
        self.0.derive(name)
    }
}

/// Keys derived from the owner's secret: HKDF-SHA256 (RFC 5869) with the key's name as its context.
pub struct OwnerDerived {
    secret: Zeroizing<[u8; 32]>,
}

impl OwnerDerived {
    /// Keys of a secret of 32 random bytes.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self { secret }
    }

    /// Reads the secret of a file in the form of key files.
    pub fn load(path: &Path) -> Result<Self, RunnerError> {
        load_seed(path).map(Self::new)
    }

    /// Reads the secret, or draws one and writes it when the file is missing.
    pub fn load_or_create(path: &Path) -> Result<Self, RunnerError> {
        load_or_create_seed(path).map(Self::new)
    }

    /// The key of that name.
    pub fn derive(&self, name: &KeyName) -> Result<SigningKey, RunnerError> {
        let seed = derive(&self.secret, SALT, &[name.bytes().as_slice()])?;
        Ok(SigningKey::from_bytes(&seed))
    }
}

/// Length of a seed, as the derivation wants it.
struct Seed;

impl KeyType for Seed {
    fn len(&self) -> usize {
        32
    }
}

#[async_trait]
impl SealProvider for OwnerDerived {
    async fn key(&self, name: &KeyName) -> Result<SigningKey, RunnerError> {
        self.derive(name)
    }
}

/// HKDF-SHA256 of a secret of 32 bytes.
pub fn derive(secret: &[u8; 32], salt: &[u8], context: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>, RunnerError> {
    let mut derived = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(context, Seed)
        .and_then(|key| key.fill(derived.as_mut_slice()))
        .map_err(|_| RunnerError::Derivation)?;
    Ok(derived)
}

impl std::fmt::Debug for OwnerDerived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerDerived")
    }
}

impl std::fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ephemeral")
    }
}

/// A key that is derived from the owner's secret, as a configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedKey {
    /// File with the owner's secret: 64 hex digits, readable by its owner only.
    pub secret_file: PathBuf,
    /// Name of this node, different for each node of the owner.
    pub node: String,
}

impl DerivedKey {
    /// The key for a role and purpose.
    pub fn load(&self, role: &str, purpose: &str) -> Result<SigningKey, RunnerError> {
        OwnerDerived::load(&self.secret_file)?.derive(&KeyName::new(role, &self.node, purpose)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(role: &str, node: &str, purpose: &str) -> KeyName {
        KeyName::new(role, node, purpose).unwrap()
    }

    fn owner(byte: u8) -> OwnerDerived {
        OwnerDerived::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_derived_key_is_the_one_of_the_standard() {
        let seed = owner(7).derive(&name("worker", "node-1", "wallet")).unwrap().to_bytes();
        // HKDF-SHA256 by Python's hmac: secret 32 x 07, salt "cocoon seal key v1",
        // info 06 "worker" 06 "node-1" 06 "wallet".
        assert_eq!(
            hex::encode(seed),
            "c0e9d7bea2b97fb587fdf73eda237a23f239c540cbda4e0e9f162e2b68014fa3"
        );
    }

    #[test]
    fn another_owner_role_node_or_purpose_has_another_key() {
        let keys = [
            owner(7).derive(&name("worker", "a", "wallet")),
            owner(8).derive(&name("worker", "a", "wallet")),
            owner(7).derive(&name("client", "a", "wallet")),
            owner(7).derive(&name("worker", "b", "wallet")),
            owner(7).derive(&name("worker", "a", "receipts")),
            // Parts may not run into each other.
            owner(7).derive(&name("worker", "aw", "allet")),
            Ephemeral::new().0.derive(&name("worker", "a", "wallet")),
            Ephemeral::new().0.derive(&name("worker", "a", "wallet")),
        ];
        let different: std::collections::BTreeSet<[u8; 32]> =
            keys.iter().map(|key| key.as_ref().unwrap().to_bytes()).collect();
        assert_eq!(different.len(), keys.len());
    }

    #[tokio::test]
    async fn the_same_provider_gives_the_same_key() {
        let name = name("worker", "a", "wallet");
        let ephemeral = Ephemeral::new();
        assert_eq!(ephemeral.key(&name).await.unwrap(), ephemeral.key(&name).await.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owner.secret");
        let made = OwnerDerived::load_or_create(&path).unwrap().derive(&name).unwrap();
        assert_eq!(OwnerDerived::load(&path).unwrap().key(&name).await.unwrap(), made);
        let config = DerivedKey {
            secret_file: path,
            node: "a".into(),
        };
        assert_eq!(config.load("worker", "wallet").unwrap(), made);
    }

    #[test]
    fn empty_and_long_names_are_refused() {
        for (role, node) in [("", "a"), ("worker", ""), ("worker", &*"a".repeat(65))] {
            assert!(matches!(
                KeyName::new(role, node, "wallet"),
                Err(RunnerError::ConfigValue { .. })
            ));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", owner(0xab), Ephemeral::new());
        assert_eq!(shown, "OwnerDerived Ephemeral");
    }
}
