//! The secret that identifies a client to its proxies without a message through the chain.

use std::path::Path;

use cocoon_runner::keys::write_secret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::ClientError;
use crate::limits::MAX_SECRET_BYTES;

/// The secret. Its hash stands in the client contract; it is shown only to the proxy, inside the attested connection.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// From bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Reads the file, or draws a secret and writes it when there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, ClientError> {
        if !path.exists() {
            let drawn = Zeroizing::new(hex::encode(rand::random::<[u8; 32]>()));
            write_secret(path, drawn.as_bytes())?;
        }
        let unreadable = |source| ClientError::Secret {
            path: path.to_path_buf(),
            source,
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > MAX_SECRET_BYTES {
            return Err(unreadable(std::io::Error::other("it is too long for a secret")));
        }
        let text = Zeroizing::new(std::fs::read(path).map_err(unreadable)?);
        Ok(Self::new(text.trim_ascii()))
    }

    /// SHA-256 of the secret.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&*self.0).into()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_drawn_once_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let first = Secret::load_or_create(&path).unwrap();
        let again = Secret::load_or_create(&path).unwrap();
        assert_eq!(first.hash(), again.hash());
        assert_eq!(first.bytes().len(), 64);
        assert_eq!(format!("{first:?}"), "Secret");
    }
}
