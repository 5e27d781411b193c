//! What must never be seen: passphrases and the secrets that keys come from.

use std::fmt;
use std::path::Path;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::OwnerError;
use crate::files::{check_private, read_small};
use crate::limits::{MAX_PASSPHRASE_BYTES, MIN_PASSPHRASE_CHARS};
use crate::mnemonic::Mnemonic;

/// What a keystore's files are sealed with. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes what a person typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The first line of a file that nobody else may read.
    pub fn from_file(path: &Path) -> Result<Self, OwnerError> {
        check_private(path)?;
        let text = Zeroizing::new(read_small(path, MAX_PASSPHRASE_BYTES)?);
        Ok(Self::new(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// Refuses one that is too short for a new key.
    pub fn check_strength(&self) -> Result<(), OwnerError> {
        if self.0.chars().count() < MIN_PASSPHRASE_CHARS {
            return Err(OwnerError::WeakPassphrase {
                least: MIN_PASSPHRASE_CHARS,
            });
        }
        Ok(())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Where a wallet's key comes from.
#[derive(Clone)]
pub enum Secret {
    /// 24 words.
    Mnemonic(Mnemonic),
    /// The 32 bytes of the key itself, such as a runner's key file holds them.
    Seed(Zeroizing<[u8; 32]>),
}

impl Secret {
    /// The key.
    pub fn key(&self) -> Result<SigningKey, OwnerError> {
        match self {
            Self::Mnemonic(mnemonic) => mnemonic.key(),
            Self::Seed(seed) => Ok(SigningKey::from_bytes(seed)),
        }
    }

    /// A secret as text: its words, or 64 hex digits.
    pub fn parse(text: &str) -> Result<Self, OwnerError> {
        let text = text.trim();
        let mut seed = Zeroizing::new([0; 32]);
        if hex::decode_to_slice(text, seed.as_mut_slice()).is_ok() {
            return Ok(Self::Seed(seed));
        }
        Mnemonic::parse(text).map(Self::Mnemonic)
    }

    /// The same as text, for its owner's eyes.
    pub fn to_text(&self) -> Zeroizing<String> {
        match self {
            Self::Mnemonic(mnemonic) => Zeroizing::new(mnemonic.words().to_owned()),
            Self::Seed(seed) => Zeroizing::new(hex::encode(seed.as_slice())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_as_it_was_and_shows_nothing_of_itself() {
        for text in [
            "5ec2e7".repeat(10) + "abcd",
            "dose ice enrich trigger test dove century still betray gas diet dune use other base gym mad law immense \
             village world example praise game"
                .to_owned(),
        ] {
            let secret = Secret::parse(&format!(" {text}\n")).unwrap();
            assert_eq!(secret.to_text().as_str(), text);
            assert_eq!(format!("{secret:?} {:?}", Passphrase::new(text)), "Secret Passphrase");
        }
        assert!(Secret::parse("5ec2e7").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_passphrase_comes_from_the_first_line_of_a_private_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "correct horse\nsomething else\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Passphrase::from_file(&path),
            Err(OwnerError::OpenToOthers { .. })
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(Passphrase::from_file(&path).unwrap() == Passphrase::new("correct horse".to_owned()));
        assert!(Passphrase::new("short".to_owned()).check_strength().is_err());
    }
}
