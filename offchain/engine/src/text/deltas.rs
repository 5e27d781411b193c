//! Tokens to text, piece by piece, without ever cutting a character.

use super::tokenizer::Tokenizer;

/// Decodes one sequence. Bytes that are not a whole character yet are held back; bytes that will never be one become
/// U+FFFD, as Unicode recommends it (one for each longest beginning of a character).
pub(crate) struct Deltas {
    tokenizer: Tokenizer,
    /// Special tokens that are shown.
    marks: Vec<u32>,
    held: Vec<u8>,
    /// Blanks that are still to be taken off the start.
    strip: usize,
}

impl Deltas {
    pub(crate) fn new(tokenizer: Tokenizer) -> Self {
        Self {
            strip: tokenizer.vocabulary().strip(),
            tokenizer,
            marks: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Shows these special tokens.
    pub(crate) fn showing(self, marks: Vec<u32>) -> Self {
        Self { marks, ..self }
    }

    /// Takes one token; gives the text that is complete.
    pub(crate) fn push(&mut self, token: u32) -> String {
        let vocabulary = self.tokenizer.vocabulary();
        if vocabulary.is_special(token) && !self.marks.contains(&token) {
            return String::new();
        }
        self.held.extend_from_slice(vocabulary.bytes(token));
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(rest) => {
                    text += rest;
                    self.held.clear();
                    break;
                }
                Err(error) => {
                    let (good, bad) = self.held.split_at(error.valid_up_to());
                    text += &String::from_utf8_lossy(good);
                    let Some(length) = error.error_len() else {
                        self.held = bad.to_vec();
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.held = bad[length..].to_vec();
                }
            }
        }
        self.stripped(text)
    }

    /// Gives the rest, with U+FFFD for a character that will never be complete.
    pub(crate) fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned();
        self.stripped(rest)
    }

    fn stripped(&mut self, text: String) -> String {
        if self.strip == 0 || text.is_empty() {
            return text;
        }
        let blanks = text.bytes().take_while(|byte| *byte == b' ').count().min(self.strip);
        self.strip = if blanks == text.len() { self.strip - blanks } else { 0 };
        text[blanks..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::tests::byte_fallback;
    use super::*;
    use crate::tiny;
    use proptest::prelude::*;

    thread_local!(static TOKENIZERS: [Tokenizer; 2] = [tokenizer(), byte_fallback()]);

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
            let delta = deltas.push(token);
            assert!(!delta.contains(char::REPLACEMENT_CHARACTER));
            whole += &delta;
        }
        whole += &deltas.finish();
        assert_eq!(whole, text);
    }

    #[test]
    fn a_character_that_is_never_finished_is_replaced_once() {
        let tokenizer = tokenizer();
        let tokens = tokenizer.encode("🦋").unwrap();
        assert!(tokens.len() > 1);
        let mut deltas = Deltas::new(tokenizer);
        assert_eq!(deltas.push(tokens[0]), "");
        assert_eq!(deltas.finish(), "\u{FFFD}");
        assert_eq!(deltas.finish(), "");
    }

    #[test]
    fn text_after_a_broken_character_is_not_lost() {
        let mut deltas = Deltas::new(byte_fallback());
        // A whole character in bytes, half of another, a word.
        let tokens = [3 + 0xE4, 3 + 0xB8, 3 + 0x96, 3 + 0xE4, 3 + 0xB8, 261];
        let pieces: Vec<String> = tokens.iter().map(|token| deltas.push(*token)).collect();
        assert_eq!(pieces, ["", "", "世", "", "", "\u{FFFD}cat"]);
    }

    #[test]
    fn marks_are_left_out_and_the_first_blank_too() {
        let mut deltas = Deltas::new(byte_fallback());
        let pieces: Vec<String> = [1, 260, 2, 260].iter().map(|token| deltas.push(*token)).collect();
        assert_eq!(pieces, ["", "the", "", " the"]);
        let mut deltas = Deltas::new(byte_fallback()).showing(vec![2]);
        assert_eq!([1, 2].map(|token| deltas.push(token)), ["", "</s>"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_pieces_are_the_text(text in "[a-z 世界é🦋<>\n]{0,40}", which in 0usize..2) {
            TOKENIZERS.with(|tokenizers| {
                let tokenizer = &tokenizers[which];
                let tokens = tokenizer.encode(&text).unwrap();
                let mut deltas = Deltas::new(tokenizer.clone());
                let mut whole = String::new();
                for token in &tokens {
                    whole += &deltas.push(*token);
                }
                whole += &deltas.finish();
                prop_assert_eq!(whole, tokenizer.decode(&tokens).unwrap());
                Ok(())
            })?;
        }

        #[test]
        fn any_tokens_give_whole_characters_and_lose_no_byte(
            which in 0usize..2,
            tokens in prop::collection::vec(prop_oneof![3u32..259, 0u32..1100], 0..60),
        ) {
            TOKENIZERS.with(|tokenizers| {
                let vocabulary = tokenizers[which].vocabulary();
                let mut bytes = Vec::new();
                let mut deltas = Deltas::new(tokenizers[which].clone());
                let mut whole = String::new();
                for token in &tokens {
                    let text = deltas.push(*token);
                    prop_assert!(deltas.held.len() < 4, "at most a part of one character is held back");
                    whole += &text;
                    if !vocabulary.is_special(*token) {
                        bytes.extend_from_slice(vocabulary.bytes(*token));
                    }
                }
                whole += &deltas.finish();
                let expected = String::from_utf8_lossy(&bytes).into_owned();
                let blanks = expected.bytes().take_while(|byte| *byte == b' ').count().min(vocabulary.strip());
                prop_assert_eq!(&whole, &expected[blanks..]);
                Ok(())
            })?;
        }
    }
}
