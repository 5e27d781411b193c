//! Measurement registers: what they hold and how they grow.

use std::fmt;

use sha2::{Digest as _, Sha384};

/// SHA-384 of something that was measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest384(pub [u8; 48]);

impl Digest384 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha384::digest(bytes).into())
    }
}

impl fmt::Display for Digest384 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest384 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest384({self})")
    }
}

/// A register of a TDX guest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(pub [u8; 48]);

impl Register {
    /// What every run-time register holds at reset.
    pub const ZERO: Self = Self([0; 48]);

    /// The register after one more digest: SHA-384 of the old content and the digest.
    #[must_use]
    pub fn extended(&self, digest: &Digest384) -> Self {
        let mut hash = Sha384::new();
        hash.update(self.0);
        hash.update(digest.0);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Register({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extending_matches_an_independent_computation() {
        // Python: sha384(bytes(48) + sha384(b"cocoon:tdx_inited").digest()).hexdigest()
        let expected =
            "ebdae043c664fd7313d45507f21a95904b529c036c8904f39d56883576c4db9a8688f0e6fea82c4d786127fa1afb60b3";
        let digest = Digest384::of(b"cocoon:tdx_inited");
        assert_eq!(Register::ZERO.extended(&digest).to_string(), expected);
    }

    #[test]
    fn order_matters() {
        let (one, two) = (Digest384::of(b"1"), Digest384::of(b"2"));
        assert_ne!(
            Register::ZERO.extended(&one).extended(&two),
            Register::ZERO.extended(&two).extended(&one)
        );
    }
}
