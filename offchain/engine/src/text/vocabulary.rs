//! The bytes of each token.

use crate::error::EngineError;
use serde_json::Value;
use std::collections::HashMap;

/// Longest token that is known by its bytes: the longest of published vocabularies are runs of a few hundred blanks.
const MAX_TOKEN_BYTES: usize = 4096;

/// What a model's tokens stand for, byte for byte.
pub(crate) struct Vocabulary {
    tokens: Vec<Token>,
    /// Blanks that are taken off the start of a text.
    strip: usize,
}

#[derive(Default)]
struct Token {
    bytes: Box<[u8]>,
    special: bool,
}

impl Vocabulary {
    /// Reads the vocabulary of a tokenizer. Two ways of writing bytes are known: one character for each byte (GPT-2), and
    /// text with `<0x..>` for the bytes that are none (SentencePiece).
    pub(super) fn of(tokenizer: &tokenizers::Tokenizer) -> Result<Self, EngineError> {
        let unknown = || EngineError::Tokenizer {
            doing: "reading its decoder",
        };
        let decoder = serde_json::to_value(tokenizer.get_decoder()).map_err(|_| unknown())?;
        let writing = Writing::of(&decoder).ok_or_else(unknown)?;
        let added = tokenizer.get_added_tokens_decoder();
        let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |last| last + 1);
        let of_characters = bytes_of_characters();
        let token = |id| {
            let text = tokenizer.id_to_token(id)?;
            let special = added.get(&id).is_some_and(|token| token.special);
            let bytes = if added.contains_key(&id) {
                text.into_bytes()
            } else {
                writing.bytes(&text, &of_characters)
            };
            (bytes.len() <= MAX_TOKEN_BYTES).then(|| Token {
                bytes: bytes.into(),
                special,
            })
        };
        Ok(Self {
            tokens: (0..size).map(|id| token(id).unwrap_or_default()).collect(),
            strip: writing.strip,
        })
    }

    /// The bytes of a token; none if there is no such token.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.tokens.get(token as usize).map_or(&[], |token| &token.bytes)
    }

    /// Whether the token is a mark that is not part of the text.
    pub(crate) fn is_special(&self, token: u32) -> bool {
        self.tokens.get(token as usize).is_some_and(|token| token.special)
    }

    /// The bytes of all tokens, those of marks other than `shown` after a byte that no text has; nothing for ids without
    /// a token.
    pub(crate) fn words(&self, no_text: u8, shown: &[u32]) -> Vec<Vec<u8>> {
        let word = |(id, token): (u32, &Token)| {
            if token.special && !shown.contains(&id) {
                [&[no_text], &*token.bytes].concat()
            } else {
                token.bytes.to_vec()
            }
        };
        (0u32..).zip(&self.tokens).map(word).collect()
    }

    /// How many blanks are taken off the start of a text.
    pub(crate) fn strip(&self) -> usize {
        self.strip
    }
}

/// How tokens are written down in `tokenizer.json`, as its decoder tells.
#[derive(Default)]
struct Writing {
    characters_are_bytes: bool,
    has_byte_tokens: bool,
    replacements: Vec<(String, String)>,
    strip: usize,
}

impl Writing {
    /// None for a decoder with a part that is not known.
    fn of(decoder: &Value) -> Option<Self> {
        let mut writing = Self::default();
        writing.read(decoder)?;
        Some(writing)
    }

    fn read(&mut self, decoder: &Value) -> Option<()> {
        if decoder.is_null() {
            return Some(());
        }
        let text = |name: &str| decoder[name].as_str().map(str::to_owned);
        match decoder["type"].as_str()? {
            "Sequence" => {
                return decoder["decoders"]
                    .as_array()?
                    .iter()
                    .try_for_each(|one| self.read(one));
            }
            "ByteLevel" => self.characters_are_bytes = true,
            "ByteFallback" => self.has_byte_tokens = true,
            "Fuse" => {}
            "Replace" => {
                let pattern = decoder["pattern"]["String"].as_str()?.to_owned();
                self.replacements.push((pattern, text("content")?));
            }
            "Strip" if text("content")? == " " && decoder["stop"] == 0 => {
                self.strip = usize::try_from(decoder["start"].as_u64()?).ok()?;
            }
            "Metaspace" => {
                self.replacements.push((text("replacement")?, " ".to_owned()));
                self.strip = usize::from(text("prepend_scheme").as_deref() != Some("never"));
            }
            _ => return None,
        }
        Some(())
    }

    fn bytes(&self, text: &str, of_characters: &HashMap<char, u8>) -> Vec<u8> {
        if self.has_byte_tokens {
            let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
            let byte = hex.filter(|hex| hex.len() == 2).map(|hex| u8::from_str_radix(hex, 16));
            if let Some(Ok(byte)) = byte {
                return vec![byte];
            }
        }
        if self.characters_are_bytes {
            let bytes: Option<Vec<u8>> = text.chars().map(|c| of_characters.get(&c).copied()).collect();
            return bytes.unwrap_or_else(|| text.as_bytes().to_vec());
        }
        let replaced = self
            .replacements
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        replaced.into_bytes()
    }
}

/// GPT-2's characters for bytes: printable ones stand for themselves, the others for those from U+0100 on, in order.
fn bytes_of_characters() -> HashMap<char, u8> {
    let mut next = 0x100;
    let pairs = (0..=255u8).map(|byte| {
        let character = match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).unwrap_or_default()
            }
        };
        (character, byte)
    });
    pairs.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::text::tokenizer::Tokenizer;
    use serde_json::json;

    /// A vocabulary as Llama 2 and Mistral have it: three marks, 256 bytes, then words.
    pub(in crate::text) fn byte_fallback() -> Tokenizer {
        let mut vocab = serde_json::Map::new();
        let marks = ["<unk>", "<s>", "</s>"];
        let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
        let words = ["\u{2581}", "\u{2581}the", "cat", "\u{e9}", "\u{4e16}", "\u{1f98b}"];
        let all = marks.map(str::to_owned).into_iter().chain(bytes);
        for (id, text) in all.chain(words.map(str::to_owned)).enumerate() {
            vocab.insert(text, id.into());
        }
        let added = marks.iter().enumerate().map(|(id, text)| {
            json!({"id": id, "content": text, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false})
        });
        let file = json!({
            "version": "1.0",
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": null, "pre_tokenizer": null, "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ]},
            "model": {"type": "BPE", "vocab": vocab, "merges": [], "unk_token": "<unk>", "fuse_unk": true,
                "byte_fallback": true},
        });
        Tokenizer::parse(file.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn words_bytes_and_marks_have_their_bytes() {
        let tokenizer = byte_fallback();
        let vocabulary = tokenizer.vocabulary();
        assert_eq!(vocabulary.words(0xFF, &[1]).len(), 3 + 256 + 6);
        assert_eq!(
            vocabulary.words(0xFF, &[1])[1..3],
            [b"<s>".to_vec(), b"\xFF</s>".to_vec()]
        );
        assert_eq!(vocabulary.bytes(3 + 0xE4), [0xE4]);
        assert_eq!(vocabulary.bytes(260), b" the");
        assert_eq!(vocabulary.bytes(2), b"</s>");
        assert!(vocabulary.is_special(2) && !vocabulary.is_special(260));
        assert_eq!(vocabulary.bytes(9999), b"");
        assert_eq!(vocabulary.strip(), 1);
    }

    #[test]
    fn a_decoder_that_is_not_known_is_refused() {
        let known = json!({"type": "Sequence", "decoders": [{"type": "ByteLevel"}]});
        assert!(Writing::of(&known).unwrap().characters_are_bytes);
        for bad in [
            json!({"type": "WordPiece"}),
            json!({"type": "Sequence", "decoders": [{"type": "CTC"}]}),
            json!({}),
        ] {
            assert!(Writing::of(&bad).is_none(), "{bad}");
        }
    }
}
