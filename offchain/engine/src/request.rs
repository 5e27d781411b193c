//! What is asked of an engine. Nothing here shows its content in `Debug`.

use crate::error::EngineError;
use crate::limits::{MAX_MESSAGES, MAX_STOP_BYTES, MAX_STOP_STRINGS, MAX_TOP_LOGPROBS};
use crate::payer::{Payer, PayerSalt};
use crate::sampling::SamplingWish;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Instant;

/// A conversation, as the OpenAI interface has it: each message an object with `role` and `content`.
#[derive(Clone, PartialEq, Default)]
pub struct Chat {
    /// The messages, oldest first.
    pub messages: Vec<Value>,
    /// Descriptions of tools, for templates that know them.
    pub tools: Option<Value>,
    /// More names for the template, such as `enable_thinking`.
    pub template_options: Map<String, Value>,
}

/// What the model continues.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Prompt {
    /// A conversation, put into words by the model's chat template.
    Chat(Chat),
    /// Plain text. Marks of the chat format in it are read as such.
    Text(String),
    /// Tokens of this model.
    Tokens(Vec<u32>),
}

/// Leaves the content out.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(chat) => write!(f, "Chat({} messages)", chat.messages.len()),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Tokens(tokens) => write!(f, "Tokens({})", tokens.len()),
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SubmitRequest {
    /// What the model continues.
    pub prompt: Prompt,
    /// How tokens are chosen; what is not said comes from the model's own defaults.
    pub sampling: SamplingWish,
    /// Of the random choices. Draw one for a request that names none.
    pub seed: u64,
    /// Tokens of the answer at most; the context is a second bound.
    pub max_tokens: Option<usize>,
    /// Texts that end the answer and do not appear in it.
    pub stop: StopStrings,
    /// Whether to go on past the model's own end.
    pub ignore_eos: bool,
    /// Whose share of the engine this takes. All requests without one share as if they were of one payer.
    pub payer: Option<Payer>,
    /// Under which secret the prefix cache may share what this request computes. Without one it shares with nobody: it
    /// finds nothing, and nothing of it is found.
    pub payer_salt: Option<PayerSalt>,
    /// When the answer is worth nothing any more; it ends there.
    pub deadline: Option<Instant>,
    /// Whether to tell logarithms of probabilities, and of how many of the likeliest tokens besides the chosen one.
    pub logprobs: Option<usize>,
    /// Which parts of the answer are told apart; by default it is one text as the model writes it.
    pub parts: AnswerParts,
}

/// Parts of an answer that are told apart, in models that write them in a known way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerParts {
    /// `<think>` … `</think>` before the text.
    pub reasoning: bool,
    /// Calls of tools.
    pub tools: bool,
}

/// Stop strings; their content is not shown in `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct StopStrings(pub(crate) Vec<String>);

impl From<Vec<String>> for StopStrings {
    fn from(stop: Vec<String>) -> Self {
        Self(stop)
    }
}

impl fmt::Debug for StopStrings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StopStrings({})", self.0.len())
    }
}

impl SubmitRequest {
    /// A request with the model's defaults.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            sampling: SamplingWish::default(),
            seed: 0,
            max_tokens: None,
            stop: StopStrings::default(),
            ignore_eos: false,
            payer: None,
            payer_salt: None,
            deadline: None,
            logprobs: None,
            parts: AnswerParts::default(),
        }
    }

    /// A chat of one message.
    pub fn chat_of_user(text: &str) -> Self {
        let message = serde_json::json!({ "role": "user", "content": text });
        Self::new(Prompt::Chat(Chat {
            messages: vec![message],
            ..Chat::default()
        }))
    }

    /// The same request for another of several answers: the first has the seed of the request, and answer `index` the first
    /// eight bytes, little-endian, of SHA-256 over a tag, that seed and the index.
    pub fn choice(&self, index: u64) -> Self {
        let mut seed = self.seed;
        if index > 0 {
            let mut hasher = Sha256::new();
            hasher.update(b"cocoon-choice-1");
            hasher.update(self.seed.to_le_bytes());
            hasher.update(index.to_le_bytes());
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hasher.finalize()[..8]);
            seed = u64::from_le_bytes(bytes);
        }
        Self { seed, ..self.clone() }
    }

    /// Refuses what can be refused without a model.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let refused = |name, allowed| Err(EngineError::Parameter { name, allowed });
        if self.max_tokens == Some(0) {
            return refused("max_tokens", "at least 1");
        }
        if self.stop.0.len() > MAX_STOP_STRINGS {
            return refused("stop", "at most 16 texts");
        }
        if self
            .stop
            .0
            .iter()
            .any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES)
        {
            return refused("stop", "texts of 1 to 256 bytes");
        }
        if self.logprobs.is_some_and(|top| top > MAX_TOP_LOGPROBS) {
            return refused("top_logprobs", "at most 20");
        }
        match &self.prompt {
            Prompt::Chat(chat) if chat.messages.is_empty() => Err(EngineError::EmptyPrompt),
            Prompt::Chat(chat) if chat.messages.len() > MAX_MESSAGES => refused("messages", "at most 4096"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_further_answers_never_change() {
        let mut request = SubmitRequest::chat_of_user("x");
        request.seed = 5;
        assert_eq!(request.choice(0), request);
        // Computed with Python's hashlib.
        assert_eq!(request.choice(1).seed, 0xb66bbff0cdc65f6c);
        assert_ne!(request.choice(2).seed, request.choice(1).seed);
    }
}
