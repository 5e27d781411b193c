//! Answers as messages: what a whole one and the events of a stream have in common, and the whole one.

use serde_json::{Map, Value, json};

use super::stream::Stream;
use crate::dialect::Translator;
use crate::error::ApiError;
use crate::pieces::{CallPiece, Document, Finish, Piece, costs, counts, unfinished, unreadable};
use crate::usage::Usage;

/// Writes one answer.
#[derive(Default)]
pub(super) struct MessageWriter {
    stream: Stream,
}

impl Translator for MessageWriter {
    fn whole(&mut self, answer: &[u8]) -> Result<Vec<u8>, ApiError> {
        let document = Document::read(answer)?;
        let finish = document.finish.ok_or_else(unfinished)?;
        let mut message = head(&document);
        let mut calls = false;
        let mut content: Vec<Value> = Vec::new();
        let is_said = |piece: &Piece| !matches!(piece, Piece::Text { text, .. } if text.is_empty());
        for piece in document.pieces.into_iter().filter(is_said) {
            calls |= matches!(piece, Piece::Call(_));
            content.push(match piece {
                Piece::Reasoning(text) => json!({"type": "thinking", "thinking": text, "signature": ""}),
                Piece::Text { text, .. } => json!({"type": "text", "text": text}),
                Piece::Call(call) => called(call)?,
            });
        }
        message.insert("content".into(), content.into());
        for (name, value) in ended(finish, calls, document.stop.as_deref()) {
            message.insert(name.into(), value);
        }
        message.insert("usage".into(), usage(&document.usage.unwrap_or_default()));
        serde_json::to_vec(&message).map_err(|_| unreadable())
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

/// A message before anything is said.
pub(super) fn head(document: &Document) -> Map<String, Value> {
    let Value::Object(message) = json!({
        "id": format!("msg_{}", document.id),
        "type": "message",
        "role": "assistant",
        "model": document.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(&Usage::default()),
    }) else {
        return Map::new();
    };
    message
}

/// Why a message ended. That a stop string did is known only from engines that tell which.
pub(super) fn ended(finish: Finish, calls: bool, stop: Option<&str>) -> [(&'static str, Value); 2] {
    let reason = match finish {
        Finish::Length => "max_tokens",
        Finish::Filter => "refusal",
        Finish::Calls => "tool_use",
        Finish::Stop if calls => "tool_use",
        Finish::Stop if stop.is_some() => "stop_sequence",
        Finish::Stop => "end_turn",
    };
    let stop = stop.filter(|_| reason == "stop_sequence");
    [("stop_reason", reason.into()), ("stop_sequence", stop.into())]
}

/// Tokens of a cache are counted apart, and what it cost is ours.
pub(super) fn usage(usage: &Usage) -> Value {
    let found = counts(usage);
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
    tell("input_tokens", found.prompt.saturating_sub(found.cached).into());
    tell("cache_creation_input_tokens", 0.into());
    tell("cache_read_input_tokens", found.cached.into());
    tell("output_tokens", found.completion.into());
    tell("output_tokens_details", json!({"thinking_tokens": found.reasoning}));
    for (name, cost) in costs(usage) {
        tell(name, cost.into());
    }
    told.into()
}

fn called(call: CallPiece) -> Result<Value, ApiError> {
    let (Some(id), Some(name)) = (call.id, call.name) else {
        return Err(unreadable());
    };
    Ok(json!({"type": "tool_use", "id": id, "name": name, "input": input(&call.arguments)}))
}

/// The arguments of a call. Those that were cut off are no JSON: they are given as the text that they are, under the name that the
/// vendor's guides use for it.
fn input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return json!({});
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(input)) => input.into(),
        _ => json!({"INVALID_JSON": arguments}),
    }
}
