//! The events of a message.

use serde_json::{Value, json};

use super::answer::{ended, head, usage};
use crate::error::ApiError;
use crate::pieces::{CallPiece, Document, Finish, Piece, unfinished, unreadable};
use crate::sse::{DONE, encode_event};
use crate::usage::Usage;

/// What was said so far, as far as the next event depends on it.
#[derive(Default)]
pub(super) struct Stream {
    has_begun: bool,
    is_over: bool,
    /// Blocks that were begun.
    blocks: u64,
    open: Option<Open>,
    calls: bool,
    finish: Option<Finish>,
    stop: Option<String>,
    usage: Usage,
}

/// The block that more may be said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Thinking,
    Text,
    /// By its number among the calls.
    Call(u64),
}

impl Stream {
    pub(super) fn event(&mut self, data: &str) -> String {
        if self.is_over || data.trim() == DONE {
            return String::new();
        }
        let document = match Document::read(data.as_bytes()) {
            Ok(document) => document,
            Err(error) => return self.failed(&error),
        };
        let mut out = String::new();
        if !self.has_begun {
            self.has_begun = true;
            out += &event("message_start", json!({"message": head(&document)}));
            out += &event("ping", json!({}));
        }
        for piece in document.pieces {
            match self.say(piece) {
                Ok(events) => out += &events,
                Err(error) => return out + &self.failed(&error),
            }
        }
        self.finish = document.finish.or(self.finish);
        self.stop = document.stop.or(self.stop.take());
        if let Some(usage) = document.usage {
            self.usage = usage;
        }
        out
    }

    pub(super) fn end(&mut self) -> String {
        if self.is_over {
            return String::new();
        }
        let Some(finish) = self.finish else {
            return self.failed(&unfinished());
        };
        self.is_over = true;
        let mut out = self.close();
        let delta: serde_json::Map<_, _> = ended(finish, self.calls, self.stop.as_deref())
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        out += &event("message_delta", json!({"delta": delta, "usage": usage(&self.usage)}));
        out + &event("message_stop", json!({}))
    }

    pub(super) fn failed(&mut self, error: &ApiError) -> String {
        if std::mem::replace(&mut self.is_over, true) {
            return String::new();
        }
        encode_event("error", &super::error(error).to_string())
    }

    fn say(&mut self, piece: Piece) -> Result<String, ApiError> {
        match piece {
            Piece::Reasoning(text) => {
                let begin = || json!({"type": "thinking", "thinking": "", "signature": ""});
                let begun = self.open(Open::Thinking, begin);
                Ok(begun + &self.delta(json!({"type": "thinking_delta", "thinking": text})))
            }
            Piece::Text { text, .. } if text.is_empty() => Ok(String::new()),
            Piece::Text { text, .. } => {
                let begun = self.open(Open::Text, || json!({"type": "text", "text": ""}));
                Ok(begun + &self.delta(json!({"type": "text_delta", "text": text})))
            }
            Piece::Call(call) => self.call(call),
        }
    }

    fn call(&mut self, call: CallPiece) -> Result<String, ApiError> {
        let mut out = String::new();
        if self.open != Some(Open::Call(call.index)) {
            // A block that has ended cannot go on: more of an earlier call has no place.
            let (Some(id), Some(name)) = (call.id, call.name) else {
                return Err(unreadable());
            };
            self.calls = true;
            let begin = || json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            out += &self.open(Open::Call(call.index), begin);
        }
        if !call.arguments.is_empty() {
            out += &self.delta(json!({"type": "input_json_delta", "partial_json": call.arguments}));
        }
        Ok(out)
    }

    /// Makes this block the one that more is said in.
    fn open(&mut self, block: Open, begin: impl FnOnce() -> Value) -> String {
        if self.open == Some(block) {
            return String::new();
        }
        let mut out = self.close();
        let index = self.blocks;
        self.blocks += 1;
        self.open = Some(block);
        out += &event("content_block_start", json!({"index": index, "content_block": begin()}));
        out
    }

    fn close(&mut self) -> String {
        match self.open.take() {
            Some(_) => event("content_block_stop", json!({"index": self.blocks.saturating_sub(1)})),
            None => String::new(),
        }
    }

    fn delta(&self, delta: Value) -> String {
        let index = self.blocks.saturating_sub(1);
        event("content_block_delta", json!({"index": index, "delta": delta}))
    }
}

/// An event with its name in it, as every event of this interface has it.
fn event(name: &str, members: Value) -> String {
    let mut data = json!({"type": name});
    if let (Value::Object(data), Value::Object(members)) = (&mut data, members) {
        data.extend(members);
    }
    encode_event(name, &data.to_string())
}
