//! The tokenizer of a model.

use super::vocabulary::Vocabulary;
use crate::error::EngineError;
use crate::limits::MAX_TOKENIZER_BYTES;
use std::path::Path;
use std::sync::Arc;

/// `tokenizer.json`, read once and shared by all sequences.
#[derive(Clone)]
pub(crate) struct Tokenizer(Arc<Shared>);

struct Shared {
    tokenizer: tokenizers::Tokenizer,
    vocabulary: Vocabulary,
}

impl Tokenizer {
    /// Reads `tokenizer.json`.
    pub(crate) fn read(path: &Path) -> Result<Self, EngineError> {
        let bytes = crate::load::read_bounded(path, MAX_TOKENIZER_BYTES)?;
        Self::parse(&bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EngineError> {
        let mut tokenizer =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|_| EngineError::Tokenizer { doing: "reading" })?;
        // Training leftovers that would cut or lengthen prompts.
        tokenizer.with_padding(None);
        let _ = tokenizer.with_truncation(None);
        let vocabulary = Vocabulary::of(&tokenizer)?;
        Ok(Self(Arc::new(Shared { tokenizer, vocabulary })))
    }

    /// Tokens of `text`. Marks such as `<|im_start|>` become their tokens; nothing is added.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let encoding = self
            .0
            .tokenizer
            .encode_fast(text, false)
            .map_err(|_| EngineError::Tokenizer { doing: "encoding" })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens of `text` between the marks that the tokenizer puts around every text.
    pub(crate) fn encode_with_marks(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let encoding = self
            .0
            .tokenizer
            .encode_fast(text, true)
            .map_err(|_| EngineError::Tokenizer { doing: "encoding" })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `tokens`, without the marks, as the `tokenizers` library decodes it.
    #[cfg(test)]
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, EngineError> {
        self.0
            .tokenizer
            .decode(tokens, true)
            .map_err(|_| EngineError::Tokenizer { doing: "decoding" })
    }

    /// The bytes of each token.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.0.vocabulary
    }

    /// The token of exactly this text.
    pub(crate) fn id_of(&self, text: &str) -> Option<u32> {
        self.0.tokenizer.token_to_id(text)
    }
}
