//! Counts an answer from what the server says of it, and where it says nothing from what came.

use cocoon_bindings::tokens::TokenCounts;
use cocoon_openai::embeddings::Input;
use cocoon_openai::sse::DONE;
use cocoon_openai::usage::{RawCounts, UsageMeter};
use cocoon_openai::{Endpoint, Request};
use cocoon_receipt::FinishReason;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of an answer. Where the server does not count, every number is one that it cannot be below: a client is
/// never charged for more than it got.
pub(super) struct Meter {
    usage: UsageMeter,
    /// llama.cpp's own count.
    timings: UsageMeter,
    /// Tokens of the prompt, at least.
    least_prompt: u64,
    /// Tokens that came, at least: those with logarithms of probabilities one by one, else one for each piece.
    pieces: u64,
    /// Whether the end mark came.
    pub(super) ended: bool,
    /// Whether the server said that it failed.
    pub(super) failed: bool,
    /// Why each choice ended, if it did.
    choices: BTreeMap<u64, Option<FinishReason>>,
    /// Nothing is generated.
    is_embedding: bool,
}

impl Meter {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            usage: UsageMeter::default(),
            timings: UsageMeter::default(),
            least_prompt: least_prompt(request),
            pieces: 0,
            ended: false,
            failed: false,
            choices: BTreeMap::new(),
            is_embedding: request.endpoint() == Endpoint::Embeddings,
        }
    }

    /// Takes an event of a stream.
    pub(super) fn event(&mut self, data: &str) {
        if data == DONE {
            self.ended = true;
        } else if let Ok(document) = serde_json::from_str(data) {
            self.observe(&document);
        }
    }

    /// Takes an event, or a whole answer.
    pub(super) fn observe(&mut self, document: &Value) {
        self.usage.observe(document);
        if let Some(timings) = document.get("timings") {
            self.timings.observe(&as_usage(timings));
        }
        self.failed |= document.get("error").is_some_and(|error| !error.is_null());
        let choices = document.get("choices").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            self.pieces += tokens_of(choice);
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            let word = choice.get("finish_reason").and_then(Value::as_str);
            let finish = self.choices.entry(index).or_default();
            *finish = word.map(FinishReason::from_word).or(*finish);
        }
    }

    /// Whether every choice that began has ended.
    pub(super) fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(Option::is_some)
    }

    /// Why the answer ended: of several choices the one that did not come to its own end.
    pub(super) fn finish(&self) -> FinishReason {
        if self.is_embedding {
            return FinishReason::Stop;
        }
        let mut reasons = self
            .choices
            .values()
            .map(|finish| finish.unwrap_or(FinishReason::Unknown));
        let first = reasons.next().unwrap_or(FinishReason::Unknown);
        reasons.fold(first, |kept, next| match kept {
            FinishReason::Stop | FinishReason::ToolCalls => next,
            _ => kept,
        })
    }

    /// The tokens so far. A part larger than its whole would make every statement invalid.
    pub(super) fn counts(&self) -> TokenCounts {
        let (told, timed) = (self.usage.counts(), self.timings.counts());
        let known = |get: fn(&RawCounts) -> u64, least: u64| match (get(&told), get(&timed)) {
            (0, 0) => least,
            (0, timed) => timed,
            (told, _) => told,
        };
        let prompt = known(|counts| counts.prompt, self.least_prompt);
        let completion = match self.is_embedding {
            true => 0,
            false => known(|counts| counts.completion, self.pieces),
        };
        TokenCounts {
            prompt,
            cached: known(|counts| counts.cached, 0).min(prompt),
            completion,
            reasoning: told.reasoning.min(completion),
        }
    }
}

/// llama.cpp's `timings` in the shape of `usage`: `prompt_n` are the tokens of the prompt that the cache did not have.
fn as_usage(timings: &Value) -> Value {
    let number = |name: &str| timings.get(name).and_then(Value::as_u64).unwrap_or(0);
    let cached = number("cache_n");
    serde_json::json!({ "usage": {
        "prompt_tokens": number("prompt_n").saturating_add(cached),
        "prompt_tokens_details": { "cached_tokens": cached },
        "completion_tokens": number("predicted_n"),
    }})
}

/// Tokens of a piece, or of a whole answer, at least.
fn tokens_of(choice: &Value) -> u64 {
    let at = |path: &[&str]| path.iter().try_fold(choice, |value, key| value.get(key));
    let length = |path: &[&str]| at(path).and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let told = length(&["logprobs", "content"]).max(length(&["logprobs", "tokens"]));
    if told > 0 {
        return told;
    }
    let said = ["delta", "message"].into_iter().flat_map(|side| {
        let parts = ["content", "reasoning_content", "reasoning", "refusal"];
        parts.map(|part| at(&[side, part]).is_some_and(is_text))
    });
    let texts = said.filter(|is_said| *is_said).count() as u64;
    let text = u64::from(at(&["text"]).is_some_and(is_text));
    texts + text + length(&["delta", "tool_calls"]) + length(&["message", "tool_calls"])
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Tokens of the prompt that there must be: all where the caller sent tokens, else one for each text.
fn least_prompt(request: &Request) -> u64 {
    let tokens = match request.endpoint() {
        Endpoint::Chat => request.messages().len(),
        Endpoint::Completion => match request.field("prompt") {
            Some(Value::Array(list)) => list.len(),
            _ => 1,
        },
        Endpoint::Embeddings => {
            let inputs = request.inputs().unwrap_or_default();
            let tokens = inputs.iter().map(|input| match input {
                Input::Tokens(tokens) => tokens.len(),
                Input::Text(text) => usize::from(!text.is_empty()),
            });
            tokens.fold(0, usize::saturating_add)
        }
    };
    tokens as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn meter(endpoint: Endpoint, body: &Value) -> Meter {
        Meter::new(&Request::parse(endpoint, body.to_string().as_bytes()).unwrap())
    }

    fn chat() -> Meter {
        let message = json!({"role": "user", "content": "x"});
        meter(Endpoint::Chat, &json!({"model": "m", "messages": [message, message]}))
    }

    fn counts(prompt: u64, cached: u64, completion: u64, reasoning: u64) -> TokenCounts {
        TokenCounts {
            prompt,
            cached,
            completion,
            reasoning,
        }
    }

    #[test]
    fn pieces_count_until_usage_comes() {
        let mut meter = chat();
        meter.event(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
        meter.event(r#"{"choices":[{"delta":{"content":"a"}}]}"#);
        assert!(!meter.is_complete());
        meter.event(r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}"#);
        assert_eq!(meter.counts(), counts(2, 0, 2, 0));
        meter.event(r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":9}}}"#);
        assert_eq!(meter.counts(), counts(5, 5, 7, 0));
        assert!(!meter.ended && meter.is_complete());
        meter.event("[DONE]");
        assert!(meter.ended && !meter.failed);
        assert_eq!(meter.finish(), FinishReason::Length);
    }

    #[test]
    fn reasoning_calls_and_logarithms_are_tokens_too() {
        let mut meter = chat();
        meter.event(r#"{"choices":[{"index":0,"delta":{"reasoning_content":"a"}}]}"#);
        meter.event(r#"{"choices":[{"index":0,"delta":{"reasoning":"b"}}]}"#);
        meter.event(r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0},{"index":1}]}}]}"#);
        meter.event(r#"{"choices":[{"index":0,"delta":{"content":"abc"},"logprobs":{"content":[{},{},{}]}}]}"#);
        meter.event(r#"{"choices":[{"index":0,"text":"ab","logprobs":{"tokens":["a","b"]}}]}"#);
        assert_eq!(meter.counts().completion, 1 + 1 + 2 + 3 + 2);
        let mut whole = chat();
        whole.observe(
            &json!({"choices": [{"message": {"content": "a", "tool_calls": [{}]}, "finish_reason": "tool_calls"}]}),
        );
        assert_eq!(
            (whole.counts().completion, whole.finish()),
            (2, FinishReason::ToolCalls)
        );
    }

    #[test]
    fn the_choice_that_was_cut_off_gives_the_reason() {
        let mut meter = chat();
        meter.event(r#"{"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":null}]}"#);
        assert!(!meter.is_complete());
        meter.event(r#"{"choices":[{"index":1,"finish_reason":"length"}]}"#);
        meter.event(r#"{"choices":[{"index":2,"finish_reason":"stop"}]}"#);
        assert!(meter.is_complete());
        assert_eq!(meter.finish(), FinishReason::Length);
    }

    #[test]
    fn timings_count_where_usage_is_absent() {
        let mut meter = chat();
        meter.event(r#"{"choices":[{"delta":{"content":"a"}}],"timings":{"cache_n":3,"prompt_n":4,"predicted_n":9}}"#);
        assert_eq!(meter.counts(), counts(7, 3, 9, 0));
        meter.event(r#"{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":10}}"#);
        assert_eq!(meter.counts(), counts(8, 3, 10, 0));
    }

    #[test]
    fn inputs_of_embeddings_count_at_least_what_they_must_be() {
        let body = |input| json!({"model": "m", "input": input});
        for (input, least) in [(json!(["a", "b", ""]), 2), (json!([[1, 2], [3]]), 3), (json!("a"), 1)] {
            assert_eq!(
                meter(Endpoint::Embeddings, &body(input)).counts(),
                counts(least, 0, 0, 0)
            );
        }
        let mut meter = meter(Endpoint::Embeddings, &body(json!("a")));
        meter.observe(&json!({"data": [{}], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}));
        assert_eq!(
            (meter.counts(), meter.finish()),
            (counts(4, 0, 0, 0), FinishReason::Stop)
        );
    }

    #[test]
    fn an_error_in_a_stream_is_noticed() {
        let mut meter = chat();
        meter.event(r#"{"choices":[],"error":null}"#);
        assert!(!meter.failed);
        meter.event(r#"{"error":{"message":"x","code":500}}"#);
        assert!(meter.failed);
    }
}
