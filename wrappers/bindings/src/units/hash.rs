//! Thirty-two bytes with a meaning.

use crate::error::BindingsError;
use crate::ton::{CellBuilder, CellContext, CellError, CellSlice, HashBytes, Load, Store};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Thirty-two bytes with a meaning.
macro_rules! hash {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps thirty-two bytes.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The bytes as the cell library's type.
            pub const fn to_hash_bytes(self) -> HashBytes {
                HashBytes(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = BindingsError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0u8; 32];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| BindingsError::Hash { text: text.chars().take(80).collect() })?;
                Ok(Self(bytes))
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl From<HashBytes> for $name {
            fn from(hash: HashBytes) -> Self {
                Self(hash.0)
            }
        }

        impl From<$name> for HashBytes {
            fn from(hash: $name) -> Self {
                HashBytes(hash.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Store for $name {
            fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
                builder.store_u256(&HashBytes(self.0))
            }
        }

        impl<'a> Load<'a> for $name {
            fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
                slice.load_u256().map(|hash| Self(hash.0))
            }
        }
    };
}

hash! {
    /// The hash of a guest image's measurements, as the root contract lists it.
    ImageHash
}
hash! {
    /// The hash of a model's name and commit, as the root contract lists it.
    ModelHash
}
hash! {
    /// The hash of a model's manifest: files, tokenizer, template, precision, engine.
    ManifestHash
}
hash! {
    /// An Ed25519 public key.
    PublicKey
}

impl PublicKey {
    /// Whether `signature` over `message` was made with this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl From<&ed25519_dalek::VerifyingKey> for PublicKey {
    fn from(key: &ed25519_dalek::VerifyingKey) -> Self {
        Self(key.to_bytes())
    }
}

impl From<&ed25519_dalek::SigningKey> for PublicKey {
    fn from(key: &ed25519_dalek::SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ton::{from_cell, to_cell};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hashes_survive_text_and_cell(bytes in any::<[u8; 32]>()) {
            let hash = ImageHash::new(bytes);
            prop_assert_eq!(hash.to_string().parse::<ImageHash>().unwrap(), hash);
            prop_assert_eq!(from_cell::<ImageHash>(&to_cell(&hash).unwrap()).unwrap(), hash);
        }
    }
}
