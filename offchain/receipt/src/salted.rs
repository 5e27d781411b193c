//! Salted content hashes: they bind the bytes without letting a reader of the receipt test guesses.

use cocoon_bindings::ton::HashBytes;
use sha2::{Digest, Sha256};

/// `SHA-256(salt ‖ bytes)`.
pub fn salted_hash(salt: &[u8; 32], bytes: &[u8]) -> HashBytes {
    let mut hasher = SaltedHasher::new(salt);
    hasher.update(bytes);
    hasher.finish()
}

/// [`salted_hash`] over bytes that come in pieces.
#[derive(Clone)]
pub struct SaltedHasher(Sha256);

impl SaltedHasher {
    /// Starts with the salt.
    pub fn new(salt: &[u8; 32]) -> Self {
        Self(Sha256::new().chain_update(salt))
    }

    /// Adds a piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything so far.
    pub fn finish(self) -> HashBytes {
        HashBytes(self.0.finalize().into())
    }
}

impl std::fmt::Debug for SaltedHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaltedHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        let mut pieces = SaltedHasher::new(&[5; 32]);
        pieces.update(b"ab");
        pieces.update(b"");
        pieces.update(b"c");
        assert_eq!(pieces.finish(), salted_hash(&[5; 32], b"abc"));
        assert_ne!(salted_hash(&[6; 32], b"abc"), salted_hash(&[5; 32], b"abc"));
    }
}
