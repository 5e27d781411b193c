//! The events of a response.

use serde_json::{Value, json};

use super::answer::{Frame, State};
use super::items::{Item, Kind, Status, logprob};
use crate::error::ApiError;
use crate::pieces::{Document, Finish, Piece, unfinished};
use crate::sse::{DONE, encode_event};
use crate::usage::Usage;

/// What was said so far, as far as the next event depends on it.
pub(super) struct Stream {
    frame: Frame,
    has_begun: bool,
    is_over: bool,
    /// Events so far.
    number: u64,
    /// Items that are done, as they are shown.
    done: Vec<Value>,
    open: Option<Item>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Stream {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            frame,
            has_begun: false,
            is_over: false,
            number: 0,
            done: Vec::new(),
            open: None,
            finish: None,
            usage: None,
        }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

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
            self.frame.begin(&document);
            let response = self.frame.show(&State::InProgress, Vec::new(), None);
            out += &self.say("response.created", json!({"response": response}));
            out += &self.say("response.in_progress", json!({"response": response}));
        }
        for piece in document.pieces {
            match self.piece(piece) {
                Ok(events) => out += &events,
                Err(error) => return out + &self.failed(&error),
            }
        }
        self.finish = document.finish.or(self.finish);
        self.usage = document.usage.or(self.usage.take());
        out
    }

    pub(super) fn end(&mut self) -> String {
        if self.is_over {
            return String::new();
        }
        match self.finish {
            Some(finish) => self.close(&State::Ended(finish)),
            None => self.failed(&unfinished()),
        }
    }

    pub(super) fn failed(&mut self, error: &ApiError) -> String {
        if self.is_over {
            return String::new();
        }
        if self.has_begun {
            return self.close(&State::Failed(error));
        }
        // There is no response yet that could have failed.
        self.is_over = true;
        let told = json!({"code": error.code, "message": error.message, "param": error.param});
        self.say("error", told)
    }

    fn close(&mut self, state: &State<'_>) -> String {
        self.is_over = true;
        let mut out = self.finish_item(state.item());
        let (output, usage) = (std::mem::take(&mut self.done), self.usage.take());
        let response = self.frame.show(state, output, usage.as_ref());
        out += &self.say(&state.event(), json!({"response": response}));
        out
    }

    fn piece(&mut self, piece: Piece) -> Result<String, ApiError> {
        let is_empty = matches!(&piece, Piece::Text { text, .. } if text.is_empty());
        let goes_on = self.open.as_ref().is_some_and(|item| item.goes_on(&piece));
        let mut out = String::new();
        if !goes_on {
            if is_empty {
                return Ok(out);
            }
            out += &self.finish_item(Status::Completed);
            let item = Item::begun(&self.frame.id, self.done.len(), &piece)?;
            let (index, begun, id, part) = (
                self.done.len(),
                item.show(Status::InProgress),
                item.id.clone(),
                item.part(),
            );
            self.open = Some(item);
            out += &self.say(
                "response.output_item.added",
                json!({"output_index": index, "item": begun}),
            );
            if let Some(part) = part {
                let members = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
                out += &self.say("response.content_part.added", members);
            }
        }
        out += &self.delta(&piece);
        if let Some(item) = &mut self.open {
            item.take(piece);
        }
        Ok(out)
    }

    fn delta(&mut self, piece: &Piece) -> String {
        let Some(item) = &self.open else {
            return String::new();
        };
        let (id, index) = (item.id.clone(), self.done.len());
        match piece {
            Piece::Reasoning(text) => {
                let members = json!({"item_id": id, "output_index": index, "content_index": 0, "delta": text});
                self.say("response.reasoning_text.delta", members)
            }
            Piece::Text { text, logprobs } => {
                let logprobs: Vec<Value> = logprobs.iter().map(logprob).collect();
                let members = json!({"item_id": id, "output_index": index, "content_index": 0, "delta": text,
                    "logprobs": logprobs});
                self.say("response.output_text.delta", members)
            }
            Piece::Call(call) if call.arguments.is_empty() => String::new(),
            Piece::Call(call) => {
                let members = json!({"item_id": id, "output_index": index, "delta": call.arguments});
                self.say("response.function_call_arguments.delta", members)
            }
        }
    }

    /// Ends the item that is open, if one is.
    fn finish_item(&mut self, status: Status) -> String {
        let Some(item) = self.open.take() else {
            return String::new();
        };
        let (id, index) = (item.id.clone(), self.done.len());
        let place = || json!({"item_id": id, "output_index": index, "content_index": 0});
        let mut out = match &item.kind {
            Kind::Reasoning { text } => {
                let mut members = place();
                members["text"] = text.as_str().into();
                self.say("response.reasoning_text.done", members)
            }
            Kind::Message { text, logprobs } => {
                let mut members = place();
                members["text"] = text.as_str().into();
                members["logprobs"] = logprobs.clone().into();
                self.say("response.output_text.done", members)
            }
            Kind::Call { name, arguments, .. } => {
                let members = json!({"item_id": id, "output_index": index, "name": name, "arguments": arguments});
                self.say("response.function_call_arguments.done", members)
            }
        };
        if let Some(part) = item.part() {
            let mut members = place();
            members["part"] = part;
            out += &self.say("response.content_part.done", members);
        }
        let shown = item.show(status);
        out += &self.say(
            "response.output_item.done",
            json!({"output_index": index, "item": shown}),
        );
        self.done.push(shown);
        out
    }

    /// An event with its name and number in it, as every event of this interface has them.
    fn say(&mut self, name: &str, members: Value) -> String {
        let mut data = json!({"type": name, "sequence_number": self.number});
        self.number += 1;
        if let (Value::Object(data), Value::Object(members)) = (&mut data, members) {
            data.extend(members);
        }
        encode_event(name, &data.to_string())
    }
}
