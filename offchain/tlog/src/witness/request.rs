//! What a witness is asked: `add-checkpoint`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::HashBytes;

use crate::limits::{MAX_WITNESS_PROOF, MAX_WITNESS_REQUEST_BYTES};
use crate::proof::read_hashes;

/// A checkpoint with the proof that it continues the one of `old` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Entries of the checkpoint that the witness signed last; 0 when it signed none.
    pub old: u64,
    /// Consistency proof.
    pub proof: Vec<HashBytes>,
    /// The checkpoint as a signed note.
    pub note: String,
}

impl AddCheckpoint {
    /// As the body of a request.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&STANDARD.encode(hash.0));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// From the body of a request: total, and only the one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_WITNESS_REQUEST_BYTES {
            return None;
        }
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
        let request = Self {
            old,
            proof: read_hashes(lines, MAX_WITNESS_PROOF)?,
            note: note.to_owned(),
        };
        (request.to_text() == text).then_some(request)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_request_survives_its_text(old: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..64)) {
            let proof: Vec<_> = proof.into_iter().map(HashBytes).collect();
            let request = AddCheckpoint { old, proof, note: "origin\n1\nroot\n\n— x y\n".into() };
            let parsed = AddCheckpoint::parse(&request.to_text());
            prop_assert_eq!(parsed, Some(request).filter(|request| request.proof.len() <= MAX_WITNESS_PROOF));
        }

        #[test]
        fn any_text_is_a_request_or_not_without_panic(text in "old [0-9+]{0,3}\n.{0,50}\n?\n?.{0,50}") {
            if let Some(request) = AddCheckpoint::parse(&text) {
                prop_assert_eq!(request.to_text(), text);
            }
        }
    }
}
