//! Questions to a key manager and its answers. They hold secrets: debug output shows none, and memory is wiped.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::codec::{blob, text};

/// A key by its name. The asker's image must be one of the policy.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.getKey", scheme = "../schema/cocoon.tl")]
pub struct GetKey {
    #[tl(with = "text")]
    pub policy: String,
    #[tl(with = "text")]
    pub role: String,
    #[tl(with = "text")]
    pub node: String,
    #[tl(with = "text")]
    pub purpose: String,
    /// What only the asker's owner knows: others who run the same image have other keys.
    pub owner: [u8; 32],
}

/// A key: the seed that belongs to the name.
#[derive(Clone, PartialEq, ZeroizeOnDrop, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.key", scheme = "../schema/cocoon.tl")]
pub struct Key {
    /// Public id of the secret that the seed is derived from.
    #[zeroize(skip)]
    pub manager: [u8; 32],
    pub seed: [u8; 32],
}

/// The secret of all keys, asked by another replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.getKeyRoot", scheme = "../schema/cocoon.tl")]
pub struct GetKeyRoot;

/// The secret of all keys.
#[derive(Clone, PartialEq, ZeroizeOnDrop, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.keyRoot", scheme = "../schema/cocoon.tl")]
pub struct KeyRoot {
    pub secret: [u8; 32],
}

/// A share of a backup.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.giveShare", scheme = "../schema/cocoon.tl")]
pub struct GiveShare {
    /// The signed description of the backup, the same for all its shares.
    #[tl(with = "blob")]
    pub backup: Bytes,
    /// From 1.
    pub index: i32,
    pub share: [u8; 32],
}

/// How many shares are there and how many are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.shareTaken", scheme = "../schema/cocoon.tl")]
pub struct ShareTaken {
    pub have: i32,
    pub need: i32,
}

impl Drop for GetKey {
    fn drop(&mut self) {
        self.owner.zeroize();
    }
}

impl Drop for GiveShare {
    fn drop(&mut self) {
        self.share.zeroize();
    }
}

impl std::fmt::Debug for GetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GetKey")
            .field("policy", &self.policy)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl std::fmt::Debug for KeyRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRoot")
    }
}

impl std::fmt::Debug for GiveShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GiveShare({})", self.index)
    }
}
