//! The name of a model on the network: `name@commit:verityhash`.

use crate::error::ManifestError;
use crate::limits::MAX_NAME_BYTES;
use cocoon_bindings::units::ModelHash;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// `name@commit:verityhash`: what the model is called, which revision it is, and the hash of the file system that
/// carries it. Requests name only [`ModelName::base`]; the root contract lists [`ModelName::model_hash`].
///
/// A name without a revision (`name`) is allowed, because test networks use it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName {
    full: String,
    at: Option<usize>,
    colon: Option<usize>,
}

impl ModelName {
    /// The part before `@`: what a request asks for.
    pub fn base(&self) -> &str {
        self.at.map_or(&self.full, |at| &self.full[..at])
    }

    /// The revision of the weights.
    pub fn commit(&self) -> Option<&str> {
        self.at
            .map(|at| &self.full[at + 1..self.colon.unwrap_or(self.full.len())])
    }

    /// The root hash of the file system that carries the weights.
    pub fn verity_hash(&self) -> Option<&str> {
        self.colon.map(|colon| &self.full[colon + 1..])
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// SHA-256 of the whole name, as the root contract lists it.
    pub fn model_hash(&self) -> ModelHash {
        ModelHash::new(Sha256::digest(self.full.as_bytes()).into())
    }
}

impl FromStr for ModelName {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |character: char| !character.is_whitespace() && !character.is_control();
        if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.chars().all(plain) {
            return Err(ManifestError::Field {
                field: "name",
                limit: MAX_NAME_BYTES,
            });
        }
        let at = text.find('@');
        let colon = at.and_then(|at| text[at..].find(':').map(|offset| at + offset));
        let name = Self {
            full: text.to_owned(),
            at,
            colon,
        };
        let parts = [Some(name.base()), name.commit(), name.verity_hash()];
        let empty = parts.iter().flatten().any(|part| part.is_empty());
        let again = at.is_some_and(|at| text[at + 1..].contains('@'))
            || colon.is_some_and(|colon| text[colon + 1..].contains(':'));
        if empty || again {
            Err(ManifestError::Name)
        } else {
            Ok(name)
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_deployed_name_has_three_parts() {
        let text = "Qwen/Qwen3-0.6B@c1899de289a0:0011aabb";
        let name: ModelName = text.parse().unwrap();
        assert_eq!(name.base(), "Qwen/Qwen3-0.6B");
        assert_eq!(name.commit(), Some("c1899de289a0"));
        assert_eq!(name.verity_hash(), Some("0011aabb"));
        assert_eq!(name.to_string(), text);
    }

    #[test]
    fn the_model_hash_is_the_sha256_of_the_whole_name() {
        let name: ModelName = "abc".parse().unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(name.model_hash().to_string(), expected);
    }

    #[test]
    fn a_name_with_an_empty_or_doubled_part_is_refused() {
        for text in [
            "",
            "@c:h",
            "n@",
            "n@:h",
            "n@c:",
            "n@c@d",
            "n@c:h:i",
            "a b",
            "a\nb",
            &"n".repeat(254),
        ] {
            assert!(text.parse::<ModelName>().is_err(), "{text:?}");
        }
        assert_eq!("n:tag".parse::<ModelName>().unwrap().base(), "n:tag");
    }

    proptest! {
        #[test]
        fn reading_a_name_is_total_and_lossless(text in ".{0,40}") {
            if let Ok(name) = text.parse::<ModelName>() {
                prop_assert_eq!(name.as_str(), &text);
                let again: Vec<&str> = [Some(name.base()), name.commit()].into_iter().flatten().collect();
                let mut joined = again.join("@");
                if let Some(hash) = name.verity_hash() {
                    joined = format!("{joined}:{hash}");
                }
                prop_assert_eq!(joined, text);
            }
        }
    }
}
