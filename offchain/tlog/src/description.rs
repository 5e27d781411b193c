//! `log.json`: which log a folder or server has. A hint: whoever checks takes the key from the proxy contract.

use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::Checkpoint;
use serde::{Deserialize, Serialize};

use crate::error::TlogError;
use crate::paths::DESCRIPTION;
use crate::source::LogSource;

/// Version of the layout that this code writes and reads.
pub const VERSION: u32 = 1;

/// What a log says of itself. Fields that are not known are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Version of the layout.
    pub version: u32,
    /// Name of the log in its checkpoints.
    pub origin: String,
    /// The key that signs them, as tools for signed notes take it.
    pub key: String,
    /// Address of the root contract.
    pub root: String,
    /// Address of the proxy contract that serves now.
    pub proxy: String,
}

impl Description {
    /// Of the proxy that signs with `key`.
    pub fn new(key: &PublicKey, root: String, proxy: String) -> Self {
        let origin = Checkpoint::origin_of(key);
        Self {
            version: VERSION,
            key: Checkpoint::verifier_key(&origin, key),
            origin,
            root,
            proxy,
        }
    }

    /// Reads the one of a source.
    pub async fn read(source: &dyn LogSource) -> Result<Self, TlogError> {
        let missing = || TlogError::Missing {
            path: DESCRIPTION.to_owned(),
        };
        let bytes = source.read(DESCRIPTION).await?.ok_or_else(missing)?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|error| TlogError::Description(error.to_string()))?;
        if read.version != VERSION {
            return Err(TlogError::Description(format!("version {} is not known", read.version)));
        }
        Ok(read)
    }

    /// The key that it names, for an origin that is this key's.
    pub fn public_key(&self) -> Result<PublicKey, TlogError> {
        match Checkpoint::parse_verifier_key(&self.key) {
            Some((name, key)) if name == self.origin && self.origin == Checkpoint::origin_of(&key) => Ok(key),
            _ => Err(TlogError::Key { text: self.key.clone() }),
        }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text.into_bytes()
    }
}

/// The key of a log as a person gives it: 64 hex digits, or `name+id+key`.
pub fn parse_key(text: &str) -> Result<PublicKey, TlogError> {
    let wrong = || TlogError::Key { text: text.to_owned() };
    if text.contains('+') {
        let (name, key) = Checkpoint::parse_verifier_key(text).ok_or_else(wrong)?;
        return (name == Checkpoint::origin_of(&key)).then_some(key).ok_or_else(wrong);
    }
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_in_both_spellings_and_only_with_its_own_origin() {
        let key = PublicKey::new([7; 32]);
        let described = Description::new(&key, "0:1".into(), "0:2".into());
        assert_eq!(described.public_key().unwrap(), key);
        assert_eq!(parse_key(&described.key).unwrap(), key);
        assert_eq!(parse_key(&key.to_string()).unwrap(), key);
        let foreign = Checkpoint::verifier_key("example.com/log", &key);
        assert!(parse_key(&foreign).is_err());
        assert!(parse_key("abc").is_err());
        let mut other = described.clone();
        other.key = foreign;
        assert!(other.public_key().is_err());
        let read: Description = serde_json::from_slice(&described.to_bytes()).unwrap();
        assert_eq!(read, described);
    }
}
