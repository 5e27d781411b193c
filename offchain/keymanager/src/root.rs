//! The secret that all replicas hold, and what is derived from it.

use cocoon_bindings::units::PublicKey;
use cocoon_runner::seal::derive;
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::KeyManagerError;
use crate::limits::MAX_NAME_BYTES;
use crate::shamir::Block;

/// Salt of every derivation. It must never change: keys that hold coins depend on it.
const SALT: &[u8] = b"cocoon key manager v1";

/// What is derived: no two uses share a first byte.
const KEY: u8 = 1;
const IDENTITY: u8 = 2;
const SHARING: u8 = 3;

/// 32 bytes, drawn at random by the first replica, in memory only.
pub struct RootSecret(Zeroizing<[u8; 32]>);

/// The name of a key, as a node asks for it.
#[derive(Clone, Copy)]
pub struct KeyAsked<'a> {
    /// Name of the policy that holds the node's image.
    pub policy: &'a str,
    /// What the node is ("worker", "proxy", "client").
    pub role: &'a str,
    /// Which of its owner's nodes.
    pub node: &'a str,
    /// What the key is for ("wallet", "contract").
    pub purpose: &'a str,
    /// What only the node's owner knows.
    pub owner: &'a [u8; 32],
}

impl RootSecret {
    /// The secret of another replica, or of shares.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// A new one.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn derived(&self, context: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>, KeyManagerError> {
        Ok(derive(&self.0, SALT, context)?)
    }

    /// The public id: a key that signs for the secret. Two key managers with one id have the same keys.
    pub fn id(&self) -> Result<PublicKey, KeyManagerError> {
        Ok(PublicKey::from(&self.identity()?))
    }

    fn identity(&self) -> Result<SigningKey, KeyManagerError> {
        Ok(SigningKey::from_bytes(&*self.derived(&[&[IDENTITY]])?))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyManagerError> {
        Ok(self.identity()?.sign(message).to_bytes())
    }

    /// The seed of a key: HKDF-SHA256 over the policy's name, role, node and purpose, each behind its length, and the
    /// owner's value. Each name has 1 to 64 bytes.
    pub fn key(&self, asked: &KeyAsked<'_>) -> Result<Zeroizing<[u8; 32]>, KeyManagerError> {
        let parts = [
            ("policy", asked.policy),
            ("role", asked.role),
            ("node", asked.node),
            ("purpose", asked.purpose),
        ];
        let mut context = vec![KEY];
        for (part, text) in parts {
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            if length == 0 || usize::from(length) > MAX_NAME_BYTES {
                return Err(KeyManagerError::Name { part });
            }
            context.push(length);
            context.extend(text.as_bytes());
        }
        self.derived(&[&context, asked.owner])
    }

    /// The coefficients by which the secret is shared among `owners`: derived, so that every replica makes the same shares,
    /// and other numbers or owners have other ones.
    pub(crate) fn coefficients(&self, threshold: u8, owners: &[[u8; 32]]) -> Result<Vec<Block>, KeyManagerError> {
        let count = u8::try_from(owners.len()).unwrap_or(u8::MAX);
        (1..threshold)
            .map(|at| self.derived(&[&[SHARING, threshold, count, at], owners.as_flattened()]))
            .collect()
    }
}

impl std::fmt::Debug for RootSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: [u8; 32] = [3; 32];

    fn asked<'a>(policy: &'a str, role: &'a str, node: &'a str, purpose: &'a str) -> KeyAsked<'a> {
        KeyAsked {
            policy,
            role,
            node,
            purpose,
            owner: &OWNER,
        }
    }

    fn root(byte: u8) -> RootSecret {
        RootSecret::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_key_is_the_one_of_the_standard() {
        // HKDF-SHA256 by Python's hmac: secret 32 x 07, salt "cocoon key manager v1",
        // info 01 07 "proxies" 05 "proxy" 01 "a" 08 "contract" and 32 x 03.
        let key = root(7).key(&asked("proxies", "proxy", "a", "contract")).unwrap();
        assert_eq!(
            hex::encode(key.as_slice()),
            "2052c36f508006c7033b387ee5081eef08761c7e6f946f7112c5087942bc0fe4"
        );
    }

    #[test]
    fn another_secret_policy_role_node_purpose_or_owner_has_another_key() {
        let other = KeyAsked {
            owner: &[4; 32],
            ..asked("p", "r", "n", "u")
        };
        let keys = [
            root(7).key(&asked("p", "r", "n", "u")),
            root(8).key(&asked("p", "r", "n", "u")),
            root(7).key(&asked("q", "r", "n", "u")),
            root(7).key(&asked("p", "s", "n", "u")),
            root(7).key(&asked("p", "r", "m", "u")),
            root(7).key(&asked("p", "r", "n", "v")),
            // Parts may not run into each other.
            root(7).key(&asked("pr", "n", "u", "u")),
            root(7).key(&other),
        ];
        let different: std::collections::BTreeSet<[u8; 32]> = keys.iter().map(|key| **key.as_ref().unwrap()).collect();
        assert_eq!(different.len(), keys.len());
        assert!(!different.contains(&[7; 32]));
    }

    #[test]
    fn empty_and_long_names_are_refused() {
        for (policy, node) in [("", "a"), ("p", ""), ("p", &*"a".repeat(65)), ("p", &*"a".repeat(300))] {
            let refused = root(7).key(&asked(policy, "r", node, "u"));
            assert!(matches!(refused, Err(KeyManagerError::Name { .. })));
        }
        root(7).key(&asked("p", "r", &"a".repeat(64), "u")).unwrap();
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", root(0xab)), "RootSecret");
    }
}
