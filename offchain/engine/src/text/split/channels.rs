//! Answers in OpenAI's harmony format, which GPT-OSS writes: messages, each with a header and a channel.
//!
//! ```text
//! <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.NAME <|constrain|>json
//! <|message|>{…}<|call|>
//! ```
//!
//! `analysis` is reasoning, `final` is the answer, `commentary` is a call if it has a recipient and else words before one.
//! The prompt ends with the begin of the first header, `<|start|>assistant`.

use super::{Parts, ToolCallDelta};
use std::ops::Range;

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
/// What a message ends with.
const ENDS: [&str; 4] = ["<|end|>", "<|call|>", "<|return|>", START];
/// The recipient of calls of the request's functions begins so.
const FUNCTIONS: &str = "functions.";
/// Bytes of a header: the longest name of a function and what stands around it take far fewer.
const MAX_HEADER: usize = 512;

/// Takes messages apart. What may become a mark is held back.
#[derive(Default)]
pub(super) struct Channels {
    at: At,
    held: String,
    /// Calls that have begun.
    calls: usize,
    /// Whether there was reasoning, whether there was text: their next message begins a paragraph.
    begun: [bool; 2],
}

/// Where the reader stands.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the first header; an answer without headers is a text.
    #[default]
    First,
    /// In the header of a message.
    Header,
    /// In a message; true until its first character has come.
    Message(Kind, bool),
    /// Behind a message.
    Between,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reasoning,
    Text,
    Call,
}

impl Channels {
    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &str, parts: &mut Parts) {
        self.held.push_str(piece);
        while self.step(parts) {}
    }

    /// The rest, when the answer ends.
    pub(super) fn finish(&mut self, parts: &mut Parts) {
        let held = std::mem::take(&mut self.held);
        match self.at {
            At::First => parts.text += &held,
            At::Message(kind, is_first) => {
                self.give(kind, is_first, &held, parts);
                self.end(parts);
            }
            At::Header | At::Between => {}
        }
        self.at = At::Between;
    }

    /// One transition, or one piece given out. False when more has to come first.
    fn step(&mut self, parts: &mut Parts) -> bool {
        if self.held.is_empty() {
            return false;
        }
        match self.at {
            At::First | At::Header => self.header(parts),
            At::Message(kind, is_first) => self.message(kind, is_first, parts),
            At::Between => {
                // Nothing stands between messages; what does is passed over.
                if let Some((_, header)) = self.held.split_once(START) {
                    self.held = header.to_owned();
                    self.at = At::Header;
                    return true;
                }
                let free = self.held.len() - beginning(&self.held, &[START]);
                self.held.drain(..free);
                false
            }
        }
    }

    fn header(&mut self, parts: &mut Parts) -> bool {
        if self.at == At::First {
            let begin = self.held.trim_start();
            let may_be = |mark: &str| begin.starts_with(mark) || mark.starts_with(begin);
            if ![START, CHANNEL, MESSAGE, "to="].into_iter().any(may_be) {
                self.at = At::Message(Kind::Text, true);
                return true;
            }
        }
        let end = self.held.find(MESSAGE);
        if end.unwrap_or(self.held.len().saturating_sub(MESSAGE.len())) > MAX_HEADER {
            self.at = At::Message(Kind::Text, true);
            return true;
        }
        let Some((header, rest)) = self.held.split_once(MESSAGE) else {
            return false;
        };
        let (kind, name) = kind_of(header);
        self.held = rest.to_owned();
        self.at = At::Message(kind, true);
        if let Some(name) = name {
            self.calls += 1;
            parts.calls.push(ToolCallDelta {
                index: self.calls - 1,
                name: Some(name),
                arguments: String::new(),
            });
        }
        true
    }

    fn message(&mut self, kind: Kind, is_first: bool, parts: &mut Parts) -> bool {
        let mark = ENDS
            .iter()
            .filter_map(|mark| Some((self.held.find(mark)?, *mark)))
            .min();
        if let Some((at, mark)) = mark {
            let inside = self.held[..at].to_owned();
            // The begin of the next message ends this one too, where the model has left the end out.
            let rest = at + if mark == START { 0 } else { mark.len() };
            self.held.drain(..rest);
            self.give(kind, is_first, &inside, parts);
            self.end(parts);
            self.at = At::Between;
            return true;
        }
        let free = self.held.len() - beginning(&self.held, &ENDS);
        let inside: String = self.held.drain(..free).collect();
        self.give(kind, is_first, &inside, parts);
        false
    }

    fn give(&mut self, kind: Kind, is_first: bool, inside: &str, parts: &mut Parts) {
        if inside.is_empty() {
            return;
        }
        self.at = At::Message(kind, false);
        let (place, to) = match kind {
            Kind::Reasoning => (0, &mut parts.reasoning),
            Kind::Text => (1, &mut parts.text),
            Kind::Call => {
                let index = self.calls.saturating_sub(1);
                match parts.calls.last_mut() {
                    Some(last) if last.index == index => last.arguments += inside,
                    _ => parts.calls.push(ToolCallDelta {
                        index,
                        name: None,
                        arguments: inside.to_owned(),
                    }),
                }
                return;
            }
        };
        if std::mem::replace(&mut self.begun[place], true) && is_first {
            to.push_str("\n\n");
        }
        to.push_str(inside);
    }

    /// The end of a message: a call without arguments gets an empty object.
    fn end(&mut self, parts: &mut Parts) {
        if let At::Message(Kind::Call, true) = self.at {
            self.give(Kind::Call, true, "{}", parts);
        }
    }
}

/// What a message with this header is, and the name of the function that it calls.
fn kind_of(header: &str) -> (Kind, Option<String>) {
    let word = |range: Range<usize>| {
        let rest = &header[range];
        let end = rest.find(|c: char| c.is_whitespace() || c == '<').unwrap_or(rest.len());
        &rest[..end]
    };
    let after = |mark: &str| Some(header.find(mark)? + mark.len());
    if let Some(at) = after("to=") {
        let recipient = word(at..header.len());
        let name = recipient.strip_prefix(FUNCTIONS).unwrap_or(recipient);
        if !name.is_empty() {
            return (Kind::Call, Some(name.to_owned()));
        }
    }
    match after(CHANNEL).map(|at| word(at..header.len())) {
        Some("analysis") => (Kind::Reasoning, None),
        _ => (Kind::Text, None),
    }
}

/// How many bytes at the end of `text` may be the beginning of a mark.
fn beginning(text: &str, marks: &[&str]) -> usize {
    let of = |mark: &&str| (1..mark.len()).rev().find(|length| text.ends_with(&mark[..*length]));
    marks.iter().filter_map(of).max().unwrap_or(0)
}
