//! An answer taken apart, from one document or from the events of a stream, so that the two can be compared.

use std::collections::BTreeMap;

use cocoon_openai::sse::{SseDecoder, SseEvent};
use cocoon_openai::{Request, Usage};
use serde_json::Value;

use super::ReplayError;

/// Texts of one choice that are compared, in this order.
const TEXTS: [&str; 3] = ["reasoning_content", "content", "text"];

/// All that one answer says.
#[derive(Default)]
pub(super) struct Answer {
    /// Of its name, if a worker of this kind gave it.
    pub(super) id: Option<[u8; 12]>,
    /// Unix seconds.
    pub(super) created: u64,
    pub(super) usage: Usage,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Default)]
struct Choice {
    texts: BTreeMap<&'static str, String>,
    calls: Vec<Call>,
    /// Lists by name: what is told of each token.
    logprobs: BTreeMap<String, Vec<Value>>,
    finish: Option<String>,
}

#[derive(Default, PartialEq)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Answer {
    /// The body of an answer to this request.
    pub(super) fn read(request: &Request, body: &[u8]) -> Result<Self, ReplayError> {
        if request.stream() {
            Self::read_stream(body)
        } else {
            Self::read_whole(body)
        }
    }

    /// One document.
    pub(super) fn read_whole(body: &[u8]) -> Result<Self, ReplayError> {
        let document = serde_json::from_slice(body).map_err(|_| unreadable())?;
        let mut answer = Self::default();
        answer.take(&document);
        Ok(answer)
    }

    /// Events, the last of which may be missing.
    fn read_stream(body: &[u8]) -> Result<Self, ReplayError> {
        let mut answer = Self::default();
        for event in SseDecoder::default().push(body).map_err(|_| unreadable())? {
            if let SseEvent::Data(data) = event
                && data != "[DONE]"
            {
                answer.take(&serde_json::from_str(&data).map_err(|_| unreadable())?);
            }
        }
        Ok(answer)
    }

    fn take(&mut self, document: &Value) {
        let id = document["id"].as_str().and_then(|id| id.split_once('-'));
        self.id = id.and_then(|(_, hex)| decode_id(hex)).or(self.id);
        self.created = document["created"].as_u64().unwrap_or(self.created);
        if let Some(usage) = document.get("usage").filter(|usage| usage.is_object()) {
            self.usage = serde_json::from_value(usage.clone()).unwrap_or_default();
        }
        for choice in document["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap_or(0);
            self.choices.entry(index).or_default().take(choice);
        }
    }

    /// The first difference from the answer of now, told without content. One that was cut may end anywhere.
    pub(super) fn difference(&self, now: &Self, is_cut: bool) -> Option<String> {
        let is_other = |index: &&u64| !now.choices.contains_key(index);
        let missing = self.choices.keys().find(is_other);
        let count = now.choices.len();
        if missing.is_some() || (!is_cut && self.choices.len() != count) {
            return Some(format!("there were {} answers, there are {count}", self.choices.len()));
        }
        let both = self
            .choices
            .iter()
            .filter_map(|(index, then)| Some((index, then, now.choices.get(index)?)));
        both.into_iter()
            .find_map(|(index, then, now)| Some(format!("answer {index} differs {}", then.difference(now, is_cut)?)))
    }
}

impl Choice {
    /// Adds a whole choice or the next piece of one.
    fn take(&mut self, choice: &Value) {
        let part = ["message", "delta"]
            .into_iter()
            .find_map(|name| choice.get(name))
            .unwrap_or(choice);
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

    fn difference(&self, now: &Self, is_cut: bool) -> Option<String> {
        for name in TEXTS {
            let text = |choice: &'_ Self| choice.texts.get(name).cloned().unwrap_or_default();
            if let Some(at) = first_other(text(self).chars(), text(now).chars(), is_cut) {
                return Some(format!("in `{name}` after {at} characters"));
            }
        }
        for (name, list) in &self.logprobs {
            let others = now.logprobs.get(name).into_iter().flatten();
            if let Some(at) = first_other(list.iter(), others, is_cut) {
                return Some(format!("in the probabilities after {at} tokens"));
            }
        }
        if is_cut {
            return None;
        }
        if let Some(at) = first_other(self.calls.iter(), now.calls.iter(), false) {
            return Some(format!("in its calls of tools after {at} calls"));
        }
        (self.finish != now.finish).then(|| "in why it ended".to_owned())
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
    let mut id = [0; 12];
    hex::decode_to_slice(hex, &mut id).ok().map(|()| id)
}

fn unreadable() -> ReplayError {
    ReplayError::NotReplayable("the answer is not one of a chat or a completion")
}
