//! The two kinds of hash that a hub names.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What a file must hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the content: large files, as Git LFS names them.
    Sha256([u8; 32]),
    /// SHA-1 of `blob <length>\0` and the content: small files, as Git names them. It ties a file to the commit that the
    /// hub names, against damage on the way; it is no defence against a hub that means harm. That is the manifest's hash.
    GitBlob([u8; 20]),
}

impl Checksum {
    /// Begins to hash a file of `size` bytes.
    pub(crate) fn begin(self, size: u64) -> Hashing {
        match self {
            Self::Sha256(expected) => Hashing::Sha256(Sha256::new(), expected),
            Self::GitBlob(expected) => {
                let mut hasher = Sha1::new();
                hasher.update(format!("blob {size}\0"));
                Hashing::GitBlob(hasher, expected)
            }
        }
    }
}

/// A file on its way.
pub(crate) enum Hashing {
    Sha256(Sha256, [u8; 32]),
    GitBlob(Sha1, [u8; 20]),
}

impl Hashing {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher, _) => hasher.update(bytes),
            Self::GitBlob(hasher, _) => hasher.update(bytes),
        }
    }

    /// Whether the bytes were the right ones.
    pub(crate) fn holds(self) -> bool {
        match self {
            Self::Sha256(hasher, expected) => <[u8; 32]>::from(hasher.finalize()) == expected,
            Self::GitBlob(hasher, expected) => <[u8; 20]>::from(hasher.finalize()) == expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_blob_is_hashed_as_git_does() {
        // `printf 'hello\n' | git hash-object --stdin`
        let expected = hex::decode("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let checksum = Checksum::GitBlob(expected.try_into().unwrap());
        let mut hashing = checksum.begin(6);
        hashing.update(b"hel");
        hashing.update(b"lo\n");
        assert!(hashing.holds());
        let mut other = checksum.begin(6);
        other.update(b"hellO\n");
        assert!(!other.holds());
    }
}
