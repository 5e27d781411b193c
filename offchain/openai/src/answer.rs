//! Answers: whole ones, and the chunks of streams.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::usage::Usage;

/// A whole chat answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// Name of the answer.
    pub id: String,
    /// `chat.completion`
    pub object: String,
    /// Unix seconds.
    pub created: u64,
    /// The model that answered.
    pub model: String,
    /// The alternatives.
    pub choices: Vec<ChatChoice>,
    /// Token usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One alternative of a chat answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChoice {
    /// Its number.
    pub index: u32,
    /// What was said.
    pub message: ChatMessage,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message of an answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `assistant`
    pub role: String,
    /// The text.
    pub content: Option<String>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One event of a chat stream.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChunk {
    /// Name of the answer, the same in all its chunks.
    pub id: String,
    /// `chat.completion.chunk`
    pub object: String,
    /// Unix seconds.
    pub created: u64,
    /// The model that answers.
    pub model: String,
    /// Empty in the chunk that only brings usage.
    pub choices: Vec<ChunkChoice>,
    /// Token usage, in the last chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One alternative's next piece.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkChoice {
    /// Its number.
    pub index: u32,
    /// What is new.
    pub delta: Delta,
    /// Why it ended, in its last piece.
    pub finish_reason: Option<String>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What is new in a chat stream.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// `assistant`, in the first piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// More text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A whole answer, or one event of a stream, of the older completion interface: both have one shape.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionResponse {
    /// Name of the answer.
    pub id: String,
    /// `text_completion`
    pub object: String,
    /// Unix seconds.
    pub created: u64,
    /// The model that answered.
    pub model: String,
    /// The alternatives.
    pub choices: Vec<CompletionChoice>,
    /// Token usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One alternative of a completion.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionChoice {
    /// Its number.
    pub index: u32,
    /// The text, or its next piece.
    pub text: String,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What all answers of one request have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// Name of the answer.
    pub id: String,
    /// Unix seconds.
    pub created: u64,
    /// The model that answers.
    pub model: String,
}

impl AnswerHead {
    /// A whole chat answer.
    pub fn chat(&self, choices: Vec<ChatChoice>, usage: Option<Usage>) -> ChatResponse {
        ChatResponse {
            id: self.id.clone(),
            object: "chat.completion".into(),
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            extra: Map::new(),
        }
    }

    /// The next piece of a chat stream; without a choice it brings usage only.
    pub fn chat_chunk(&self, choices: Vec<ChunkChoice>, usage: Option<Usage>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk".into(),
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            extra: Map::new(),
        }
    }

    /// A completion, whole or a piece; without a choice it brings usage only.
    pub fn completion(&self, choices: Vec<CompletionChoice>, usage: Option<Usage>) -> CompletionResponse {
        CompletionResponse {
            id: self.id.clone(),
            object: "text_completion".into(),
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            extra: Map::new(),
        }
    }
}

macro_rules! debug_without_content {
    ($($name:ident($($field:ident),*)),* $(,)?) => {$(
        /// Leaves out what was said.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_content!(
    ChatResponse(id, model, choices, usage),
    ChatChoice(index, finish_reason),
    ChatMessage(role),
    ChatChunk(id, model, choices, usage),
    ChunkChoice(index, finish_reason),
    Delta(role),
    CompletionResponse(id, model, choices, usage),
    CompletionChoice(index, finish_reason),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_what_they_do_not_know() {
        let text = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"y","tool_calls":[]},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"system_fingerprint":"f"}"#;
        let answer: ChatResponse = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        assert!(!format!("{answer:?}").contains("reasoning_content"));
    }

    #[test]
    fn chunks_have_the_shape_of_openai() {
        let head = AnswerHead {
            id: "a".into(),
            created: 1,
            model: "m".into(),
        };
        let choice = ChunkChoice {
            index: 0,
            delta: Delta {
                content: Some("hi".into()),
                ..Delta::default()
            },
            finish_reason: None,
            extra: Map::new(),
        };
        assert_eq!(
            serde_json::to_string(&head.chat_chunk(vec![choice], None)).unwrap(),
            r#"{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#
        );
        let last = serde_json::to_string(&head.completion(Vec::new(), Some(Usage::default()))).unwrap();
        assert!(last.contains(r#""choices":[],"usage""#));
    }
}
