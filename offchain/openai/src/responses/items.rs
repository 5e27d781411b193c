//! What an answer is made of: items, as they are while they are written and when they are done.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::pieces::{CallPiece, Piece, unreadable};

/// One item of an answer.
pub(super) struct Item {
    /// Its name.
    pub(super) id: String,
    pub(super) kind: Kind,
}

/// What an item says.
pub(super) enum Kind {
    Reasoning {
        text: String,
    },
    Message {
        text: String,
        /// As the interface has them.
        logprobs: Vec<Value>,
    },
    Call {
        /// Its number among the calls of the chat answer.
        index: u64,
        call_id: String,
        name: String,
        arguments: String,
    },
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Item {
    /// An item that begins with this piece, of which nothing is said yet. `number` makes its name its own.
    pub(super) fn begun(answer: &str, number: usize, piece: &Piece) -> Result<Self, ApiError> {
        let (prefix, kind) = match piece {
            Piece::Reasoning(_) => ("rs", Kind::Reasoning { text: String::new() }),
            Piece::Text { .. } => {
                let (text, logprobs) = (String::new(), Vec::new());
                ("msg", Kind::Message { text, logprobs })
            }
            Piece::Call(CallPiece {
                index,
                id: Some(id),
                name: Some(name),
                ..
            }) => {
                let kind = Kind::Call {
                    index: *index,
                    call_id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                };
                ("fc", kind)
            }
            // More of a call that is done already, or of none.
            Piece::Call(_) => return Err(unreadable()),
        };
        Ok(Self {
            id: format!("{prefix}_{answer}_{number}"),
            kind,
        })
    }

    /// Whether a piece goes on with this item.
    pub(super) fn goes_on(&self, piece: &Piece) -> bool {
        match (&self.kind, piece) {
            (Kind::Reasoning { .. }, Piece::Reasoning(_)) | (Kind::Message { .. }, Piece::Text { .. }) => true,
            (Kind::Call { index, .. }, Piece::Call(call)) => *index == call.index,
            _ => false,
        }
    }

    /// Adds a piece that goes on with it.
    pub(super) fn take(&mut self, piece: Piece) {
        match (&mut self.kind, piece) {
            (Kind::Reasoning { text }, Piece::Reasoning(more)) => *text += &more,
            (
                Kind::Message { text, logprobs },
                Piece::Text {
                    text: more,
                    logprobs: told,
                },
            ) => {
                *text += &more;
                logprobs.extend(told.iter().map(logprob));
            }
            (Kind::Call { arguments, .. }, Piece::Call(call)) => *arguments += &call.arguments,
            _ => {}
        }
    }

    /// The item as far as it is.
    pub(super) fn show(&self, status: Status) -> Value {
        let mut content = Vec::new();
        if status != Status::InProgress {
            content.extend(self.part());
        }
        let mut shown = Map::new();
        let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        show("id", self.id.clone().into());
        match &self.kind {
            Kind::Reasoning { .. } => {
                show("type", "reasoning".into());
                show("summary", json!([]));
                show("content", content.into());
            }
            Kind::Message { .. } => {
                show("type", "message".into());
                show("role", "assistant".into());
                show("content", content.into());
            }
            Kind::Call {
                call_id,
                name,
                arguments,
                ..
            } => {
                let arguments = if status == Status::InProgress { "" } else { arguments };
                show("type", "function_call".into());
                show("call_id", call_id.clone().into());
                show("name", name.clone().into());
                show("arguments", arguments.into());
            }
        }
        show("status", status.word().into());
        shown.into()
    }

    /// Its content part, if it has one.
    pub(super) fn part(&self) -> Option<Value> {
        match &self.kind {
            Kind::Reasoning { text } => Some(json!({"type": "reasoning_text", "text": text})),
            Kind::Message { text, logprobs } => {
                Some(json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}))
            }
            Kind::Call { .. } => None,
        }
    }
}

/// What is told of one token: the members that this interface has.
pub(super) fn logprob(told: &Value) -> Value {
    let one = |told: &Value| json!({"token": told["token"], "bytes": told["bytes"], "logprob": told["logprob"]});
    let mut shown = one(told);
    let others = told["top_logprobs"].as_array().into_iter().flatten();
    shown["top_logprobs"] = others.map(one).collect();
    shown
}
