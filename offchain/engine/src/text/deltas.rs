//! Tokens to text, piece by piece, without ever cutting a character.

use super::tokenizer::Tokenizer;
use crate::error::EngineError;
use crate::limits::MAX_HELD_TOKENS;

/// What a tokenizer writes for bytes that are not a character (yet).
const INCOMPLETE: char = '\u{FFFD}';

/// Decodes one sequence. A token's text can depend on the token before it (a leading blank), so each piece is decoded
/// together with the piece before and the known text is taken off.
pub(crate) struct Deltas {
    tokenizer: Tokenizer,
    tokens: Vec<u32>,
    /// `tokens[..shown]` are the last piece that was given out; the rest is held back.
    shown: usize,
}

impl Deltas {
    pub(crate) fn new(tokenizer: Tokenizer) -> Self {
        Self {
            tokenizer,
            tokens: Vec::new(),
            shown: 0,
        }
    }

    /// Takes one token; gives the text that is complete.
    pub(crate) fn push(&mut self, token: u32) -> Result<String, EngineError> {
        self.tokens.push(token);
        self.give(false)
    }

    /// Gives the rest, with U+FFFD for a character that will never be complete.
    pub(crate) fn finish(&mut self) -> Result<String, EngineError> {
        self.give(true)
    }

    fn give(&mut self, finish: bool) -> Result<String, EngineError> {
        if self.shown == self.tokens.len() {
            return Ok(String::new());
        }
        let before = self.tokenizer.decode(&self.tokens[..self.shown])?;
        let now = self.tokenizer.decode(&self.tokens)?;
        let held = self.tokens.len() - self.shown;
        if now.ends_with(INCOMPLETE) && !finish && held <= MAX_HELD_TOKENS {
            return Ok(String::new());
        }
        let delta = now.strip_prefix(before.as_str()).unwrap_or_default().to_owned();
        self.tokens.drain(..self.shown);
        self.shown = self.tokens.len();
        Ok(delta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;
    use proptest::prelude::*;

    fn tokenizer() -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        Tokenizer::read(&folder.path().join("tokenizer.json")).unwrap()
    }

    #[test]
    fn a_character_of_several_tokens_comes_whole() {
        let tokenizer = tokenizer();
        let text = "a 世界 🦋🦋 é";
        let tokens = tokenizer.encode(text).unwrap();
        assert!(
            tokens.len() > text.chars().count(),
            "the case needs characters of several tokens"
        );
        let mut deltas = Deltas::new(tokenizer);
        let mut whole = String::new();
        for token in tokens {
            let delta = deltas.push(token).unwrap();
            assert!(!delta.contains(INCOMPLETE));
            whole += &delta;
        }
        whole += &deltas.finish().unwrap();
        assert_eq!(whole, text);
    }

    #[test]
    fn a_character_that_is_never_finished_is_replaced_once() {
        let tokenizer = tokenizer();
        let tokens = tokenizer.encode("🦋").unwrap();
        assert!(tokens.len() > 1);
        let mut deltas = Deltas::new(tokenizer);
        assert_eq!(deltas.push(tokens[0]).unwrap(), "");
        assert_eq!(deltas.finish().unwrap(), "\u{FFFD}");
        assert_eq!(deltas.finish().unwrap(), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_pieces_are_the_text(text in "[a-z 世界é🦋<>\n]{0,40}") {
            thread_local!(static TOKENIZER: Tokenizer = tokenizer());
            TOKENIZER.with(|tokenizer| {
                let tokens = tokenizer.encode(&text).unwrap();
                let mut deltas = Deltas::new(tokenizer.clone());
                let mut whole = String::new();
                for token in &tokens {
                    whole += &deltas.push(*token).unwrap();
                }
                whole += &deltas.finish().unwrap();
                prop_assert_eq!(whole, tokenizer.decode(&tokens).unwrap());
                Ok(())
            })?;
        }
    }
}
