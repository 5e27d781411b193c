//! On whose behalf a request comes, as far as an engine needs to know.

use std::fmt;

/// Who pays for a request: payers share the engine evenly, whatever number of requests each of them sends. Any 32 bytes
/// that are the same for all requests of one payer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payer(pub(crate) [u8; 32]);

/// The secret that separates the prefix cache: requests find only what was computed under the same salt (and for the
/// same [`Payer`]). Who cannot learn the salt cannot learn by timing what others have asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PayerSalt(pub(crate) [u8; 32]);

impl From<[u8; 32]> for Payer {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 32]> for PayerSalt {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Says nothing about who it is.
impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payer")
    }
}

/// A secret.
impl fmt::Debug for PayerSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayerSalt")
    }
}
