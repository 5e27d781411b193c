//! Names of block contents. The keys and values of a block depend on its tokens and on all before them, so a content is
//! named by a chain of hashes from the begin of the sequence, and the chain begins with who may find it.

use crate::engine::SequenceId;
use crate::payer::{Payer, PayerSalt};
use sha2::{Digest, Sha256};

/// Names the content of a full block, or the begin of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BlockHash([u8; 32]);

impl BlockHash {
    /// The begin of the chains of one payer. Of two payers with the same salt, each has an own.
    pub(super) fn shared(payer: Option<Payer>, salt: PayerSalt) -> Self {
        let mut hash = Sha256::new_with_prefix(b"cocoon prefix cache: shared");
        hash.update([u8::from(payer.is_some())]);
        hash.update(payer.map_or([0; 32], |payer| payer.0));
        hash.update(salt.0);
        Self(hash.finalize().into())
    }

    /// The begin of a chain that belongs to one sequence alone.
    pub(super) fn private(id: SequenceId) -> Self {
        let mut hash = Sha256::new_with_prefix(b"cocoon prefix cache: private");
        hash.update(id.0.to_le_bytes());
        Self(hash.finalize().into())
    }

    /// The content that follows this one: a full block of tokens.
    pub(super) fn then(&self, tokens: &[u32]) -> Self {
        let mut hash = Sha256::new_with_prefix(self.0);
        for token in tokens {
            hash.update(token.to_le_bytes());
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_different_payers_salts_and_sequences_differ() {
        let (payer, salt) = (|byte| Some(Payer([byte; 32])), |byte| PayerSalt([byte; 32]));
        let begins = [
            BlockHash::shared(None, salt(1)),
            BlockHash::shared(payer(0), salt(1)),
            BlockHash::shared(payer(1), salt(1)),
            BlockHash::shared(payer(1), salt(2)),
            BlockHash::private(SequenceId(0)),
            BlockHash::private(SequenceId(1)),
        ];
        for (number, one) in begins.iter().enumerate() {
            for other in &begins[..number] {
                assert_ne!(one, other);
                assert_ne!(one.then(&[1, 2]), other.then(&[1, 2]));
            }
        }
    }

    #[test]
    fn a_content_is_named_by_all_tokens_before_it() {
        let begin = BlockHash::private(SequenceId(0));
        assert_ne!(begin.then(&[1, 2]).then(&[3, 4]), begin.then(&[1, 1]).then(&[3, 4]));
        assert_eq!(begin.then(&[1, 2]).then(&[3, 4]), begin.then(&[1, 2]).then(&[3, 4]));
    }
}
