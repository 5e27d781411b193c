//! The engine's pieces in OpenAI's shape.

use cocoon_engine::{FinishReason, TokenLogprob, TokenLogprobs, ToolCallDelta, ToolFormat};
use cocoon_openai::answer::{AnswerHead, ChatChoice, ChatMessage, ChunkChoice, CompletionChoice, Delta};
use cocoon_openai::sse::{DONE, encode_data};
use cocoon_openai::{Endpoint, Usage};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What is new in one of the answers to a request, or all of it.
#[derive(Default, Clone)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<ToolCallDelta>,
    pub(super) logprobs: Vec<TokenLogprobs>,
    pub(super) finish: Option<FinishReason>,
}

impl Piece {
    /// Adds what comes after it.
    pub(super) fn append(&mut self, next: Self) {
        self.text += &next.text;
        self.reasoning += &next.reasoning;
        self.logprobs.extend(next.logprobs);
        self.finish = next.finish.or(self.finish);
        for call in next.calls {
            match self.calls.last_mut() {
                Some(last) if last.index == call.index => last.arguments += &call.arguments,
                _ => self.calls.push(call),
            }
        }
    }

    fn has_content(&self) -> bool {
        !(self.text.is_empty() && self.reasoning.is_empty() && self.calls.is_empty() && self.logprobs.is_empty())
    }
}

/// What one answer has so far, as far as its next piece depends on it.
#[derive(Default, Clone)]
struct Written {
    /// Characters of the tokens whose logarithms were told.
    characters: usize,
    calls: usize,
}

/// Writes the answers to one request in the shape that its endpoint has.
pub(super) struct Writer {
    is_chat: bool,
    head: AnswerHead,
    /// How the model writes calls: Mistral's templates take ids of nine characters only.
    format: Option<ToolFormat>,
    with_logprobs: bool,
    written: Vec<Written>,
}

impl Writer {
    /// For as many answers as `choices` says.
    pub(super) fn new(endpoint: Endpoint, model: &str, created: u64, id: [u8; 12], choices: usize) -> Self {
        let is_chat = endpoint == Endpoint::Chat;
        let prefix = if is_chat { "chatcmpl" } else { "cmpl" };
        let head = AnswerHead {
            id: format!("{prefix}-{}", hex::encode(id)),
            created,
            model: model.to_owned(),
        };
        Self {
            is_chat,
            head,
            format: None,
            with_logprobs: false,
            written: vec![Written::default(); choices],
        }
    }

    /// Writes calls of tools as the model's template can read them later.
    pub(super) fn with_tools(self, format: Option<ToolFormat>) -> Self {
        Self { format, ..self }
    }

    /// Writes logarithms of probabilities.
    pub(super) fn with_logprobs(self, with_logprobs: bool) -> Self {
        Self { with_logprobs, ..self }
    }

    /// Whole answers.
    pub(super) fn whole(&mut self, pieces: Vec<Piece>, usage: Usage) -> String {
        let usage = Some(usage);
        if self.is_chat {
            let choices = (0..).zip(pieces).map(|(at, piece)| self.chat_choice(at, piece));
            let choices = choices.collect();
            json(&self.head.chat(choices, usage))
        } else {
            let choices = (0..).zip(pieces).map(|(at, piece)| self.completion_choice(at, piece));
            let choices = choices.collect();
            json(&self.head.completion(choices, usage))
        }
    }

    /// The events that open a stream, where there are some.
    pub(super) fn opening(&self) -> String {
        if !self.is_chat {
            return String::new();
        }
        let event = |at| {
            let delta = Delta {
                role: Some("assistant".to_owned()),
                content: Some(String::new()),
                ..Delta::default()
            };
            self.chunk(at, delta, None, None)
        };
        (0..self.written.len()).map(event).collect()
    }

    /// What is new in answer `at`, and why it ended if it did.
    pub(super) fn more(&mut self, at: usize, mut piece: Piece) -> String {
        let finish = piece.finish.take();
        let mut events = String::new();
        if !self.is_chat {
            if piece.has_content() {
                let choice = self.completion_choice(at, piece);
                events += &event(&self.head.completion(vec![choice], None));
            }
            if finish.is_some() {
                let piece = Piece {
                    finish,
                    ..Piece::default()
                };
                let choice = self.completion_choice(at, piece);
                events += &event(&self.head.completion(vec![choice], None));
            }
            return events;
        }
        if piece.has_content() {
            let mut delta = Delta::default();
            if !piece.reasoning.is_empty() {
                delta
                    .extra
                    .insert("reasoning_content".to_owned(), piece.reasoning.into());
            }
            if !piece.calls.is_empty() {
                let calls: Vec<Value> = piece.calls.iter().map(|call| self.call_delta(at, call)).collect();
                delta.extra.insert("tool_calls".to_owned(), calls.into());
            }
            delta.content = (!piece.text.is_empty() || delta.extra.is_empty()).then_some(piece.text);
            events += &self.chunk(at, delta, Some(&piece.logprobs), None);
        }
        if let Some(finish) = finish {
            events += &self.chunk(at, Delta::default(), None, Some(self.word(at, finish)));
        }
        events
    }

    /// The events that close a stream: usage, the mark.
    pub(super) fn closing(&self, usage: Usage) -> String {
        let usage = Some(usage);
        let used = match self.is_chat {
            true => event(&self.head.chat_chunk(Vec::new(), usage)),
            false => event(&self.head.completion(Vec::new(), usage)),
        };
        used + &encode_data(DONE)
    }

    /// Whether answer `at` has called a tool.
    pub(super) fn has_called(&self, at: usize) -> bool {
        self.written.get(at).is_some_and(|written| written.calls > 0)
    }

    fn chunk(&self, at: usize, delta: Delta, logprobs: Option<&[TokenLogprobs]>, finish: Option<&str>) -> String {
        let choice = ChunkChoice {
            index: number(at),
            delta,
            finish_reason: finish.map(str::to_owned),
            extra: self.chat_logprobs(logprobs.unwrap_or_default()),
        };
        event(&self.head.chat_chunk(vec![choice], None))
    }

    fn chat_choice(&mut self, at: usize, piece: Piece) -> ChatChoice {
        let mut extra = Map::new();
        if !piece.reasoning.is_empty() {
            extra.insert("reasoning_content".to_owned(), piece.reasoning.into());
        }
        let has_calls = !piece.calls.is_empty();
        if has_calls {
            let mut calls: Vec<Value> = piece.calls.iter().map(|call| self.call_delta(at, call)).collect();
            // Places are numbered in streams only.
            for call in calls.iter_mut().filter_map(Value::as_object_mut) {
                call.shift_remove("index");
            }
            extra.insert("tool_calls".to_owned(), calls.into());
        }
        let message = ChatMessage {
            role: "assistant".to_owned(),
            content: (!has_calls || !piece.text.is_empty()).then_some(piece.text),
            extra,
        };
        ChatChoice {
            index: number(at),
            message,
            finish_reason: piece.finish.map(|finish| self.word(at, finish).to_owned()),
            extra: self.chat_logprobs(&piece.logprobs),
        }
    }

    fn call_delta(&mut self, at: usize, call: &ToolCallDelta) -> Value {
        let Some(name) = &call.name else {
            return json!({"index": call.index, "function": {"arguments": call.arguments}});
        };
        if let Some(written) = self.written.get_mut(at) {
            written.calls = written.calls.max(call.index + 1);
        }
        let random = self.head.id.rsplit('-').next().unwrap_or_default();
        let id = match self.format {
            Some(ToolFormat::Mistral) => format!("{:.5}{at:02x}{:02x}", random, call.index & 0xFF),
            _ => format!("call_{random}{at:02x}{:04x}", call.index & 0xFFFF),
        };
        json!({
            "index": call.index,
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": call.arguments},
        })
    }

    fn completion_choice(&mut self, at: usize, piece: Piece) -> CompletionChoice {
        let mut extra = Map::new();
        if self.with_logprobs {
            extra.insert("logprobs".to_owned(), self.completion_logprobs(at, &piece.logprobs));
        }
        CompletionChoice {
            index: number(at),
            text: piece.text,
            finish_reason: piece.finish.map(|finish| self.word(at, finish).to_owned()),
            extra,
        }
    }

    fn chat_logprobs(&self, logprobs: &[TokenLogprobs]) -> Map<String, Value> {
        let mut extra = Map::new();
        if self.with_logprobs {
            let one = |one: &TokenLogprob| json!({"token": text(one), "logprob": finite(one), "bytes": one.bytes});
            let tokens = logprobs.iter().map(|position| {
                let mut token = one(&position.chosen);
                token["top_logprobs"] = position.top.iter().map(one).collect();
                token
            });
            let told = match logprobs {
                [] => Value::Null,
                _ => json!({"content": tokens.collect::<Vec<_>>(), "refusal": null}),
            };
            extra.insert("logprobs".to_owned(), told);
        }
        extra
    }

    fn completion_logprobs(&mut self, at: usize, logprobs: &[TokenLogprobs]) -> Value {
        if logprobs.is_empty() {
            return Value::Null;
        }
        let tokens: Vec<String> = logprobs.iter().map(|position| text(&position.chosen)).collect();
        let mut offsets = Vec::new();
        if let Some(written) = self.written.get_mut(at) {
            for token in &tokens {
                offsets.push(written.characters);
                written.characters += token.chars().count();
            }
        }
        let top = |position: &TokenLogprobs| -> Map<String, Value> {
            position.top.iter().map(|one| (text(one), finite(one).into())).collect()
        };
        json!({
            "tokens": tokens,
            "token_logprobs": logprobs.iter().map(|position| finite(&position.chosen)).collect::<Vec<_>>(),
            "top_logprobs": logprobs.iter().map(top).collect::<Vec<_>>(),
            "text_offset": offsets,
        })
    }

    fn word(&self, at: usize, finish: FinishReason) -> &'static str {
        match finish {
            FinishReason::Length => "length",
            _ if self.has_called(at) => "tool_calls",
            _ => "stop",
        }
    }
}

/// The text of a token; parts of characters are replaced, their bytes stand beside it.
fn text(one: &TokenLogprob) -> String {
    String::from_utf8_lossy(&one.bytes).into_owned()
}

/// JSON has no infinity: OpenAI writes -9999.
fn finite(one: &TokenLogprob) -> f32 {
    one.logprob.max(-9999.0)
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn event(value: &impl Serialize) -> String {
    encode_data(&json(value))
}

fn json(value: &impl Serialize) -> String {
    // These are plain structures of strings and numbers.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
