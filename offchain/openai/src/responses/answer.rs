//! Answers as responses: what a whole one and the events of a stream have in common, and the whole one.

use serde_json::{Map, Value, json};

use super::items::{Item, Status};
use super::stream::Stream;
use crate::dialect::Translator;
use crate::error::ApiError;
use crate::pieces::{Document, Finish, Piece, costs, counts, unfinished, unreadable};
use crate::usage::Usage;

/// Writes one answer.
pub(super) struct ResponseWriter {
    stream: Stream,
}

/// What a response repeats of its request, with what was in force where the caller named nothing.
const REPEATED: [(&str, &str); 14] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("user", "null"),
];

impl ResponseWriter {
    /// For the answer to a request with these fields.
    pub(super) fn new(fields: &Map<String, Value>) -> Self {
        let repeated = REPEATED.iter().map(|(name, usual)| {
            let named = fields.get(*name).filter(|value| !value.is_null()).cloned();
            let usual = || serde_json::from_str(usual).unwrap_or_default();
            ((*name).to_owned(), named.unwrap_or_else(usual))
        });
        let mut frame: Map<String, Value> = repeated.collect();
        for (name, value) in [
            ("background", json!(false)),
            ("previous_response_id", Value::Null),
            ("service_tier", json!("default")),
            ("store", json!(false)),
            ("truncation", json!("disabled")),
        ] {
            frame.insert(name.to_owned(), value);
        }
        let frame = Frame {
            repeated: frame,
            ..Frame::default()
        };
        Self {
            stream: Stream::new(frame),
        }
    }
}

impl Translator for ResponseWriter {
    fn whole(&mut self, answer: &[u8]) -> Result<Vec<u8>, ApiError> {
        let document = Document::read(answer)?;
        let finish = document.finish.ok_or_else(unfinished)?;
        let mut frame = self.stream.frame().clone();
        frame.begin(&document);
        let mut items: Vec<Item> = Vec::new();
        for piece in document.pieces {
            if matches!(&piece, Piece::Text { text, .. } if text.is_empty()) {
                continue;
            }
            let mut item = Item::begun(&frame.id, items.len(), &piece)?;
            item.take(piece);
            items.push(item);
        }
        let last = items.len().saturating_sub(1);
        let shown = items.iter().enumerate().map(|(at, item)| {
            let is_cut = at == last && State::Ended(finish).item() == Status::Incomplete;
            item.show(if is_cut { Status::Incomplete } else { Status::Completed })
        });
        let response = frame.show(&State::Ended(finish), shown.collect(), document.usage.as_ref());
        serde_json::to_vec(&response).map_err(|_| unreadable())
    }

    fn event(&mut self, data: &str) -> String {
        self.stream.event(data)
    }

    fn end(&mut self) -> String {
        self.stream.end()
    }

    fn failed(&mut self, error: &ApiError) -> String {
        self.stream.failed(error)
    }
}

/// All of a response but what is said in it.
#[derive(Default, Clone)]
pub(super) struct Frame {
    /// Of the answer, without a prefix.
    pub(super) id: String,
    created: u64,
    model: String,
    repeated: Map<String, Value>,
}

/// How far a response is.
pub(super) enum State<'a> {
    InProgress,
    Ended(Finish),
    Failed(&'a ApiError),
}

impl State<'_> {
    fn word(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Ended(Finish::Length | Finish::Filter) => "incomplete",
            Self::Ended(_) => "completed",
            Self::Failed(_) => "failed",
        }
    }

    /// How far its last item is.
    pub(super) fn item(&self) -> Status {
        match self {
            Self::InProgress => Status::InProgress,
            Self::Ended(Finish::Length | Finish::Filter) | Self::Failed(_) => Status::Incomplete,
            Self::Ended(_) => Status::Completed,
        }
    }

    /// The event that says so.
    pub(super) fn event(&self) -> String {
        format!("response.{}", self.word())
    }

    fn cut(&self) -> Value {
        match self {
            Self::Ended(Finish::Length) => json!({"reason": "max_output_tokens"}),
            Self::Ended(Finish::Filter) => json!({"reason": "content_filter"}),
            _ => Value::Null,
        }
    }

    /// The interface has few codes for what goes wrong after an answer has begun.
    fn error(&self) -> Value {
        match self {
            Self::Failed(error) if error.status == 429 => {
                json!({"code": "rate_limit_exceeded", "message": error.message})
            }
            Self::Failed(error) => json!({"code": "server_error", "message": error.message}),
            _ => Value::Null,
        }
    }
}

impl Frame {
    /// Takes what names the answer.
    pub(super) fn begin(&mut self, document: &Document) {
        self.id.clone_from(&document.id);
        self.created = document.created;
        self.model.clone_from(&document.model);
    }

    /// The response as far as it is.
    pub(super) fn show(&self, state: &State<'_>, output: Vec<Value>, usage: Option<&Usage>) -> Value {
        let mut shown = Map::new();
        let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        show("id", format!("resp_{}", self.id).into());
        show("object", "response".into());
        show("created_at", self.created.into());
        show("status", state.word().into());
        show("error", state.error());
        show("incomplete_details", state.cut());
        show("model", self.model.clone().into());
        show("output", output.into());
        show("usage", usage.map(told).unwrap_or_default());
        for (name, value) in &self.repeated {
            show(name, value.clone());
        }
        shown.into()
    }
}

/// Tokens by this interface's names, and what they cost by ours.
fn told(usage: &Usage) -> Value {
    let found = counts(usage);
    let mut told = json!({
        "input_tokens": found.prompt,
        "input_tokens_details": {"cached_tokens": found.cached, "cache_write_tokens": 0},
        "output_tokens": found.completion,
        "output_tokens_details": {"reasoning_tokens": found.reasoning},
        "total_tokens": found.prompt.saturating_add(found.completion),
    });
    for (name, cost) in costs(usage) {
        told[name] = cost.into();
    }
    told
}
