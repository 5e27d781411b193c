//! The tokenizer: byte-level BPE trained on the corpus, with the marks of a chat at its end.

use anyhow::{Result, anyhow, ensure};
use std::path::Path;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, SplitDelimiterBehavior,
    Tokenizer, TokenizerBuilder,
};

/// Ends a text; also fills rows of a batch.
pub(crate) const PAD: &str = "<|endoftext|>";
/// Begins a message.
pub(crate) const BEGIN: &str = "<|im_start|>";
/// Ends a message.
pub(crate) const END: &str = "<|im_end|>";
const MARKS: [&str; 3] = [PAD, BEGIN, END];

/// Where words are cut before bytes are merged: the pattern of the Qwen tokenizers.
const SPLIT: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// A trained tokenizer.
pub(crate) struct Tokens {
    inner: Tokenizer,
    /// Id of [`PAD`].
    pub(crate) pad: u32,
    /// Id of [`END`].
    pub(crate) end: u32,
}

impl Tokens {
    /// Learns `vocabulary` tokens from `texts`. The same texts give the same tokenizer.
    pub(crate) fn train(vocabulary: usize, texts: &[String]) -> Result<Self> {
        let failed = |error: tokenizers::Error| anyhow!("the tokenizer cannot be trained: {error}");
        let split = Split::new(
            SplitPattern::Regex(SPLIT.to_owned()),
            SplitDelimiterBehavior::Isolated,
            false,
        )
        .map_err(failed)?;
        let bytes = ByteLevel::new(false, true, false);
        let mut tokenizer =
            TokenizerBuilder::<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>::new(
            )
            .with_model(BPE::default())
            .with_normalizer(Some(NFC.into()))
            .with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()]).into()))
            .with_decoder(Some(bytes.into()))
            .build()
            .map_err(failed)?;
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(vocabulary - MARKS.len())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        tokenizer.train(&mut trainer, texts.iter()).map_err(failed)?;
        tokenizer.add_special_tokens(&MARKS.map(|mark| AddedToken::from(mark, true).normalized(false)));
        let json = tokenizer.to_string(false).map_err(failed)?;
        let tokens = Self::parse(json.as_bytes())?;
        ensure!(
            tokens.inner.get_vocab_size(true) == vocabulary,
            "the corpus gives {} tokens, not {vocabulary}",
            tokens.inner.get_vocab_size(true)
        );
        Ok(tokens)
    }

    /// Reads a `tokenizer.json`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::parse(&std::fs::read(path)?)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let inner = Tokenizer::from_bytes(json).map_err(|error| anyhow!("no tokenizer: {error}"))?;
        let id = |mark: &str| {
            inner
                .token_to_id(mark)
                .ok_or_else(|| anyhow!("the tokenizer lacks {mark}"))
        };
        id(BEGIN)?;
        let (pad, end) = (id(PAD)?, id(END)?);
        Ok(Self { inner, pad, end })
    }

    /// The text of `tokenizer.json`.
    pub(crate) fn to_json(&self) -> Result<String> {
        self.inner
            .to_string(true)
            .map_err(|error| anyhow!("the tokenizer cannot be written: {error}"))
    }

    /// Tokens of a text; marks in it become their tokens.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false);
        let encoding = encoding.map_err(|error| anyhow!("text cannot be encoded: {error}"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of tokens, without marks.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.inner
            .decode(tokens, true)
            .map_err(|error| anyhow!("tokens cannot be decoded: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_twice_gives_the_same_tokenizer_and_every_text_comes_back() {
        let texts: Vec<String> = [
            "the proxy signs a voucher",
            "the worker signs a statement",
            "a receipt and a voucher",
        ]
        .map(str::to_owned)
        .to_vec();
        let tokens = Tokens::train(290, &texts).unwrap();
        assert_eq!(
            tokens.to_json().unwrap(),
            Tokens::train(290, &texts).unwrap().to_json().unwrap()
        );
        for text in ["the proxy", "Привет 🦋", "a\n\n b  c", "1 + 1?"] {
            assert_eq!(tokens.decode(&tokens.encode(text).unwrap()).unwrap(), text);
        }
        let marked = tokens.encode("<|im_start|>user\nhi<|im_end|>\n").unwrap();
        assert_eq!(marked.first().copied(), tokens.inner.token_to_id(BEGIN));
        assert!(marked.contains(&tokens.end));
    }
}
