//! A chat answer taken apart, whole or event by event, for whoever writes it anew in another interface.

use serde_json::Value;

use crate::error::ApiError;
use crate::usage::{RawCounts, Usage, UsageMeter};

/// A part of what is said.
pub(crate) enum Piece {
    /// What the model thinks before it answers.
    Reasoning(String),
    /// What it answers, with what is told of each token.
    Text { text: String, logprobs: Vec<Value> },
    /// A call of a tool, or more of one.
    Call(CallPiece),
}

/// A call of a tool, or more of one.
pub(crate) struct CallPiece {
    /// Its number among the calls of this answer.
    pub(crate) index: u64,
    /// Its name, in its first piece.
    pub(crate) id: Option<String>,
    /// The tool, in its first piece.
    pub(crate) name: Option<String>,
    /// JSON, or the next part of it.
    pub(crate) arguments: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model ended it, or a stop string did.
    Stop,
    /// No more tokens were allowed.
    Length,
    /// A tool is to be called.
    Calls,
    /// A filter ended it.
    Filter,
}

/// One document: a whole answer, or one event of a stream.
#[derive(Default)]
pub(crate) struct Document {
    /// Of the answer, without the prefix that it has in its own interface.
    pub(crate) id: String,
    /// Unix seconds.
    pub(crate) created: u64,
    pub(crate) model: String,
    /// In the order in which they are said.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) finish: Option<Finish>,
    /// The stop string that ended it, where the engine tells which.
    pub(crate) stop: Option<String>,
    pub(crate) usage: Option<Usage>,
}

impl Document {
    /// Reads a document. What it does not have is left empty; an error in it is returned as one.
    pub(crate) fn read(text: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(text).map_err(|_| unreadable())?;
        if let Some(told) = value.get("error").filter(|told| !told.is_null()) {
            return Err(ApiError::from_value(502, told).unwrap_or_else(unreadable));
        }
        let id = value["id"].as_str().unwrap_or_default();
        let mut document = Self {
            id: id.split_once('-').map_or(id, |(_, name)| name).to_owned(),
            created: value["created"].as_u64().unwrap_or(0),
            model: value["model"].as_str().unwrap_or_default().to_owned(),
            usage: usage(&value),
            ..Self::default()
        };
        // Only one answer is ever asked for.
        let mut choices = value["choices"].as_array().into_iter().flatten();
        if let Some(choice) = choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0) {
            document.take(choice);
        }
        Ok(document)
    }

    fn take(&mut self, choice: &Value) {
        let said = [&choice["message"], &choice["delta"]];
        let Some(said) = said.into_iter().find(|said| said.is_object()) else {
            self.ended(choice);
            return;
        };
        // The second name is that of some engines.
        let reasoning = [&said["reasoning_content"], &said["reasoning"]];
        if let Some(text) = reasoning.into_iter().find_map(text) {
            self.pieces.push(Piece::Reasoning(text));
        }
        let list = choice["logprobs"]["content"].as_array();
        let logprobs = list.cloned().unwrap_or_default();
        let answer = [&said["content"], &said["refusal"]];
        let texts: String = answer.into_iter().filter_map(text).collect();
        if !texts.is_empty() || !logprobs.is_empty() {
            self.pieces.push(Piece::Text { text: texts, logprobs });
        }
        for (index, call) in (0..).zip(said["tool_calls"].as_array().into_iter().flatten()) {
            let function = &call["function"];
            self.pieces.push(Piece::Call(CallPiece {
                index: call["index"].as_u64().unwrap_or(index),
                id: text(&call["id"]),
                name: text(&function["name"]),
                arguments: text(&function["arguments"]).unwrap_or_default(),
            }));
        }
        self.ended(choice);
    }

    fn ended(&mut self, choice: &Value) {
        self.finish = choice["finish_reason"].as_str().map(|reason| match reason {
            "length" => Finish::Length,
            "tool_calls" | "function_call" => Finish::Calls,
            "content_filter" => Finish::Filter,
            _ => Finish::Stop,
        });
        self.stop = text(&choice["stop_reason"]);
    }
}

/// A text that is not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn usage(document: &Value) -> Option<Usage> {
    let told = document.get("usage").filter(|usage| usage.is_object())?;
    let read = serde_json::from_value(told.clone());
    Some(read.unwrap_or_else(|_| {
        // One member of a wrong kind does not hide the others.
        let mut meter = UsageMeter::default();
        meter.observe(document);
        Usage::from_counts(meter.counts())
    }))
}

/// The counts of a usage object.
pub(crate) fn counts(usage: &Usage) -> RawCounts {
    let cached = usage.prompt_tokens_details.as_ref();
    let reasoning = usage.completion_tokens_details.as_ref();
    RawCounts {
        prompt: usage.prompt_tokens,
        cached: cached.and_then(|details| details.cached_tokens).unwrap_or(0),
        completion: usage.completion_tokens,
        reasoning: reasoning.and_then(|details| details.reasoning_tokens).unwrap_or(0),
    }
}

/// What an answer cost, nanoton, by the names that it has everywhere here.
pub(crate) fn costs(usage: &Usage) -> impl Iterator<Item = (&'static str, u64)> {
    let named = [
        ("prompt_total_cost", usage.prompt_total_cost),
        ("completion_total_cost", usage.completion_total_cost),
        ("total_cost", usage.total_cost),
    ];
    named.into_iter().filter_map(|(name, cost)| Some((name, cost?)))
}

pub(crate) fn unreadable() -> ApiError {
    ApiError::bad_gateway("The worker's answer cannot be read.")
}

pub(crate) fn unfinished() -> ApiError {
    ApiError::bad_gateway("The worker's answer ended before it was complete.")
}
