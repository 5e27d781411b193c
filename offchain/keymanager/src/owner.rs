//! Keys of the owners of a backup.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use cocoon_ratls::{OpenKey, RatlsError, Sealed};
use cocoon_runner::keys::{load_seed, write_secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::KeyManagerError;

/// An X25519 public key, 64 hex digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerPublic([u8; 32]);

impl OwnerPublic {
    /// Wraps the bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for OwnerPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for OwnerPublic {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for OwnerPublic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OwnerPublic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom("an owner's key is 64 hex digits"))
    }
}

/// The key of an owner of a backup: a file of 64 hex digits that only its owner reads.
#[derive(Debug)]
pub struct OwnerKey(OpenKey);

impl OwnerKey {
    /// The key of 32 random bytes.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Result<Self, KeyManagerError> {
        Ok(Self(OpenKey::new(secret)?))
    }

    /// Draws a key and writes its file; an existing file is an error.
    pub fn create(path: &Path) -> Result<Self, KeyManagerError> {
        let secret = Zeroizing::new(rand::random::<[u8; 32]>());
        let text = Zeroizing::new(hex::encode(secret.as_slice()));
        write_secret(path, text.as_bytes())?;
        Self::new(secret)
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, KeyManagerError> {
        Self::new(load_seed(path)?)
    }

    /// What the configuration of the key manager names.
    pub fn public(&self) -> OwnerPublic {
        OwnerPublic(self.0.public())
    }

    pub(crate) fn open(&self, sealed: &Sealed, info: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, RatlsError> {
        self.0.open(sealed, info, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_key_is_private_and_loads_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owner.key");
        let created = OwnerKey::create(&path).unwrap();
        assert_eq!(OwnerKey::load(&path).unwrap().public(), created.public());
        assert!(OwnerKey::create(&path).is_err(), "a key is never overwritten");
    }
}
