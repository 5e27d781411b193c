//! An answer taken apart, from one document or from the events of a stream, so that the two can be compared.
//!
//! What is told of a difference is its place, never content.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sse::{SseDecoder, SseEvent};
use crate::{Endpoint, Request, Usage};

/// Texts of one choice that are compared, in this order.
const TEXTS: [&str; 3] = ["reasoning_content", "content", "text"];

/// Where a choice says something.
#[derive(Clone, Copy)]
enum Form {
    Chat,
    Chunk,
    Completion,
}

impl Form {
    fn of(endpoint: Endpoint, is_stream: bool) -> Self {
        match (endpoint, is_stream) {
            (Endpoint::Chat, true) => Self::Chunk,
            (Endpoint::Chat, false) => Self::Chat,
            _ => Self::Completion,
        }
    }

    /// What a choice of this form says.
    fn part(self, choice: &Value) -> &Value {
        match self {
            Self::Chat => &choice["message"],
            Self::Chunk => &choice["delta"],
            Self::Completion => choice,
        }
    }

    /// Whether all members are those that an answer of this engine has, and texts are texts.
    fn knows(self, choice: &Value) -> bool {
        let common = ["index", "finish_reason", "logprobs"];
        let (own, said): (&[&str], &[&str]) = match self {
            Self::Chat => (&["message"], &["role", "content", "reasoning_content", "tool_calls"]),
            Self::Chunk => (&["delta"], &["role", "content", "reasoning_content", "tool_calls"]),
            Self::Completion => (&["text"], &[]),
        };
        let is_of = |value: &Value, names: &[&[&str]]| {
            let mut members = value.as_object().into_iter().flatten();
            members.all(|(name, value)| value.is_null() || names.iter().any(|names| names.contains(&name.as_str())))
        };
        let part = self.part(choice);
        let are_texts = TEXTS.iter().all(|name| part[name].is_null() || part[name].is_string());
        let is_said = matches!(self, Self::Completion) || is_of(part, &[said]);
        is_of(choice, &[&common, own]) && is_said && are_texts
    }
}

/// What was given is no answer of a chat or a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not one of a chat or a completion")]
pub struct Unreadable;

/// Where two answers part, without content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// One has more choices than the other.
    Count {
        /// Choices of the first.
        then: usize,
        /// Choices of the second.
        now: usize,
    },
    /// A choice has what no answer of this engine has.
    Odd {
        /// Its number.
        answer: u64,
    },
    /// Texts part.
    Text {
        /// Number of the choice.
        answer: u64,
        /// Name of the text.
        name: &'static str,
        /// Characters that are the same.
        after: usize,
    },
    /// Probabilities part.
    Probabilities {
        /// Number of the choice.
        answer: u64,
        /// Tokens that are the same.
        after: usize,
    },
    /// Calls of tools part.
    Calls {
        /// Number of the choice.
        answer: u64,
        /// Calls that are the same.
        after: usize,
    },
    /// All is the same but why it ended.
    Finish {
        /// Number of the choice.
        answer: u64,
    },
}

impl Difference {
    /// How many characters, tokens or calls are the same before it; 0 where nothing is counted.
    pub fn after(&self) -> usize {
        match *self {
            Self::Text { after, .. } | Self::Probabilities { after, .. } | Self::Calls { after, .. } => after,
            Self::Count { .. } | Self::Odd { .. } | Self::Finish { .. } => 0,
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count { then, now } => write!(f, "there were {then} answers, there are {now}"),
            Self::Odd { answer } => {
                write!(f, "answer {answer} differs in having what no answer of this engine has")
            }
            Self::Text { answer, name, after } => {
                write!(f, "answer {answer} differs in `{name}` after {after} characters")
            }
            Self::Probabilities { answer, after } => {
                write!(f, "answer {answer} differs in the probabilities after {after} tokens")
            }
            Self::Calls { answer, after } => {
                write!(f, "answer {answer} differs in its calls of tools after {after} calls")
            }
            Self::Finish { answer } => write!(f, "answer {answer} differs in why it ended"),
        }
    }
}

/// All that one answer says.
#[derive(Default)]
pub struct Said {
    /// Of its name, if a worker of this kind gave it.
    pub id: Option<[u8; 12]>,
    /// Unix seconds.
    pub created: u64,
    /// What it cost.
    pub usage: Usage,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Default)]
struct Choice {
    texts: BTreeMap<&'static str, String>,
    calls: Vec<Call>,
    /// Lists by name: what is told of each token.
    logprobs: BTreeMap<String, Vec<Value>>,
    finish: Option<String>,
    /// Something is there that no answer of this engine has.
    is_odd: bool,
}

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Said {
    /// The body of an answer to this request.
    pub fn read(request: &Request, body: &[u8]) -> Result<Self, Unreadable> {
        let form = Form::of(request.endpoint(), request.stream());
        if request.stream() {
            Self::read_stream(form, body)
        } else {
            Self::read_document(form, body)
        }
    }

    /// One document, whatever form the request asked for.
    pub fn read_whole(endpoint: Endpoint, body: &[u8]) -> Result<Self, Unreadable> {
        Self::read_document(Form::of(endpoint, false), body)
    }

    fn read_document(form: Form, body: &[u8]) -> Result<Self, Unreadable> {
        let document = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let mut answer = Self::default();
        answer.take(form, &document);
        Ok(answer)
    }

    /// Events, the last of which may be missing.
    fn read_stream(form: Form, body: &[u8]) -> Result<Self, Unreadable> {
        let mut answer = Self::default();
        for event in SseDecoder::default().push(body).map_err(|_| Unreadable)? {
            if let SseEvent::Data(data) = event
                && data != "[DONE]"
            {
                answer.take(form, &serde_json::from_str(&data).map_err(|_| Unreadable)?);
            }
        }
        Ok(answer)
    }

    fn take(&mut self, form: Form, document: &Value) {
        let id = document["id"].as_str().and_then(|id| id.split_once('-'));
        self.id = id.and_then(|(_, hex)| decode_id(hex)).or(self.id);
        self.created = document["created"].as_u64().unwrap_or(self.created);
        if let Some(usage) = document.get("usage").filter(|usage| usage.is_object()) {
            self.usage = serde_json::from_value(usage.clone()).unwrap_or_default();
        }
        for choice in document["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            self.choices.entry(index).or_default().take(form, choice);
        }
    }

    /// Without the names that calls of tools have by chance: two runs of one request give different ones.
    pub fn without_names(mut self) -> Self {
        let calls = self.choices.values_mut().flat_map(|choice| &mut choice.calls);
        calls.for_each(|call| call.id.clear());
        self
    }

    /// The first difference from the answer of now. One that was cut may end anywhere.
    pub fn difference(&self, now: &Self, is_cut: bool) -> Option<Difference> {
        let is_other = |index: &&u64| !now.choices.contains_key(index);
        let missing = self.choices.keys().find(is_other);
        let count = now.choices.len();
        if missing.is_some() || (!is_cut && self.choices.len() != count) {
            return Some(Difference::Count {
                then: self.choices.len(),
                now: count,
            });
        }
        let both = self
            .choices
            .iter()
            .filter_map(|(index, then)| Some((index, then, now.choices.get(index)?)));
        both.into_iter()
            .find_map(|(index, then, now)| then.difference(*index, now, is_cut))
    }
}

impl Choice {
    /// Adds a whole choice or the next piece of one.
    fn take(&mut self, form: Form, choice: &Value) {
        self.is_odd |= !form.knows(choice);
        let part = form.part(choice);
        for name in TEXTS {
            if let Some(text) = part[name].as_str() {
                self.texts.entry(name).or_default().push_str(text);
            }
        }
        for (at, call) in part["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let index = call["index"]
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .unwrap_or(at);
            // A number that leaves out others is as good as the next one.
            let index = index.min(self.calls.len());
            if index == self.calls.len() {
                self.calls.push(Call::default());
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let known = &mut self.calls[index];
            known.id += &text(&call["id"]);
            known.name += &text(&call["function"]["name"]);
            known.arguments += &text(&call["function"]["arguments"]);
        }
        for (name, list) in choice["logprobs"].as_object().into_iter().flatten() {
            let list = list.as_array().cloned().unwrap_or_default();
            self.logprobs.entry(name.clone()).or_default().extend(list);
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
    }

    fn difference(&self, answer: u64, now: &Self, is_cut: bool) -> Option<Difference> {
        if self.is_odd {
            return Some(Difference::Odd { answer });
        }
        for name in TEXTS {
            let text = |choice: &'_ Self| choice.texts.get(name).cloned().unwrap_or_default();
            if let Some(after) = first_other(text(self).chars(), text(now).chars(), is_cut) {
                return Some(Difference::Text { answer, name, after });
            }
        }
        for (name, list) in &self.logprobs {
            let others = now.logprobs.get(name).into_iter().flatten();
            if let Some(after) = first_other(list.iter(), others, is_cut) {
                return Some(Difference::Probabilities { answer, after });
            }
        }
        if let Some(after) = self.other_call(now, is_cut) {
            return Some(Difference::Calls { answer, after });
        }
        if is_cut {
            return None;
        }
        (self.finish != now.finish).then_some(Difference::Finish { answer })
    }
}

impl Choice {
    /// The first call that is another one. Of an answer that was cut, the last call may be a beginning.
    fn other_call(&self, now: &Self, is_cut: bool) -> Option<usize> {
        let last = self.calls.len().checked_sub(1);
        let is_same = |at: usize, then: &Call, now: &Call| {
            let begins = |then: &str, now: &str| then == now || (is_cut && Some(at) == last && now.starts_with(then));
            begins(&then.id, &now.id) && begins(&then.name, &now.name) && begins(&then.arguments, &now.arguments)
        };
        let both = self.calls.iter().zip(&now.calls).enumerate();
        let mut others = both.filter(|(at, (then, now))| !is_same(*at, then, now));
        let count = now.calls.len();
        let is_longer = self.calls.len() > count || (!is_cut && self.calls.len() < count);
        let other = others.next().map(|(at, _)| at);
        other.or(is_longer.then(|| self.calls.len().min(count)))
    }
}

/// Where two rows part; the first may be the shorter one if it was cut.
fn first_other<T: PartialEq>(
    then: impl Iterator<Item = T>,
    mut now: impl Iterator<Item = T>,
    is_cut: bool,
) -> Option<usize> {
    let mut count = 0;
    for item in then {
        if now.next().is_none_or(|other| other != item) {
            return Some(count);
        }
        count += 1;
    }
    (!is_cut && now.next().is_some()).then_some(count)
}

fn decode_id(hex: &str) -> Option<[u8; 12]> {
    if hex.len() != 24 || !hex.is_ascii() {
        return None;
    }
    let mut id = [0; 12];
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read_whole(Endpoint::Chat, body.as_bytes()).unwrap()
    }

    #[test]
    fn names_of_calls_are_left_out_of_the_comparison_of_two_workers() {
        let call = |id: &str, name: &str| {
            said(&format!(
                r#"{{"choices":[{{"index":0,"message":{{"content":null,"tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}]}},"finish_reason":"tool_calls"}}]}}"#
            ))
        };
        let (one, other) = (call("call_1", "look"), call("call_2", "look"));
        assert_eq!(
            one.difference(&other, false),
            Some(Difference::Calls { answer: 0, after: 0 })
        );
        let (one, other) = (one.without_names(), other.without_names());
        assert_eq!(one.difference(&other, false), None);
        let third = call("call_1", "listen").without_names();
        assert_eq!(one.difference(&third, false).map(|found| found.after()), Some(0));
    }

    #[test]
    fn a_difference_tells_its_place_and_no_content() {
        let say = |text: &str| {
            said(&format!(
                r#"{{"choices":[{{"index":0,"message":{{"content":"{text}"}},"finish_reason":"stop"}}]}}"#
            ))
        };
        let found = say("secret one").difference(&say("secret two"), false).unwrap();
        assert_eq!(found.to_string(), "answer 0 differs in `content` after 7 characters");
        assert!(Said::read_whole(Endpoint::Chat, b"no JSON").is_err());
    }
}
