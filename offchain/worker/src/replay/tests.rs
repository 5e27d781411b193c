//! The same model answers once more, and what differs is told by its place.

use cocoon_engine::tiny;
use cocoon_openai::sse::encode_data;
use serde_json::{Value, json};

use super::*;

fn asked(endpoint: Endpoint, fields: Value) -> Request {
    Request::parse(endpoint, fields.to_string().as_bytes()).unwrap()
}

fn chat(stream: bool) -> Request {
    let fields = json!({
        "model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12, "temperature": 1.2,
        "n": 2, "logprobs": true, "stream": stream,
    });
    asked(Endpoint::Chat, fields)
}

fn replayer(folder: &std::path::Path) -> Replayer {
    tiny::write_to(folder).unwrap();
    Replayer::load(&EngineConfig::new(folder.to_owned()), &"tiny@local:1".parse().unwrap()).unwrap()
}

/// The difference as a person reads it.
fn told(then: &Said, now: &Said, is_cut: bool) -> Option<String> {
    then.difference(now, is_cut).map(|found| found.to_string())
}

fn recorded(seed: u64) -> Recorded {
    Recorded {
        seed,
        created: 1_790_000_000,
        id: [7; 12],
        usage: cocoon_openai::Usage::default(),
    }
}

#[tokio::test]
async fn the_same_request_gives_the_same_bytes_and_another_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let replayer = replayer(folder.path());
    let first = replayer.local.again(&chat(false), recorded(5)).await.unwrap();
    let second = replayer.local.again(&chat(false), recorded(5)).await.unwrap();
    assert_eq!(first.body, second.body);
    assert_eq!(first.sampling_hash, second.sampling_hash);
    let read = |body: &str| Said::read_whole(Endpoint::Chat, body.as_bytes()).unwrap();
    assert_eq!(read(&first.body).difference(&read(&second.body), false), None);
    // The model may say the same again; it is never as sure of it.
    let mut fields = chat(false).fields().clone();
    fields["messages"] = json!([{"role": "user", "content": "Goodbye, and thanks"}]);
    let other = Request::from_fields(Endpoint::Chat, fields).unwrap();
    let other = replayer.local.again(&other, recorded(5)).await.unwrap();
    let difference = read(&first.body).difference(&read(&other.body), false).unwrap();
    assert!(difference.to_string().starts_with("answer "), "{difference}");
}

/// The events of a stream that a document would have been.
fn as_events(document: &Value, pieces: usize) -> String {
    let mut events = String::new();
    for choice in document["choices"].as_array().unwrap() {
        let text: Vec<char> = choice["message"]["content"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .collect();
        let logprobs = choice["logprobs"]["content"].as_array().unwrap();
        for (at, piece) in text.chunks(text.len().div_ceil(pieces).max(1)).enumerate() {
            let told = if at == 0 { logprobs.as_slice() } else { &[] };
            let piece: String = piece.iter().collect();
            let choice = json!({"index": choice["index"], "delta": {"content": piece}, "logprobs": {"content": told}});
            events += &encode_data(&json!({"id": document["id"], "choices": [choice]}).to_string());
        }
        let end = json!({"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]});
        events += &encode_data(&json!({"id": document["id"], "choices": [end]}).to_string());
    }
    events + &encode_data("[DONE]")
}

#[tokio::test]
async fn a_stream_says_the_same_however_it_was_cut_into_events() {
    let folder = tempfile::tempdir().unwrap();
    let replayer = replayer(folder.path());
    let again = replayer.local.again(&chat(true), recorded(5)).await.unwrap();
    let document: Value = serde_json::from_str(&again.body).unwrap();
    let now = Said::read_whole(Endpoint::Chat, again.body.as_bytes()).unwrap();
    for pieces in 1..5 {
        let events = as_events(&document, pieces);
        let then = Said::read(&chat(true), events.as_bytes()).unwrap();
        assert_eq!((then.id, then.difference(&now, false)), (Some([7; 12]), None));
        // An answer that was cut anywhere is a beginning of the whole one, and nothing else.
        let half: String = events.split_inclusive("\n\n").take(1).collect();
        let cut = Said::read(&chat(true), half.as_bytes()).unwrap();
        assert_eq!(cut.difference(&now, true), None);
        assert!(cut.difference(&now, false).is_some());
    }
}

#[test]
fn the_first_difference_is_told_without_content() {
    let answer = |change: fn(&mut Value)| {
        let mut document = json!({"id": "chatcmpl-x", "created": 5, "choices": [{
            "index": 0, "finish_reason": "tool_calls", "logprobs": {"content": [{"token": "a"}, {"token": "b"}]},
            "message": {"content": "a secret", "reasoning_content": "why", "tool_calls": [
                {"id": "1", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "function": {"name": "g", "arguments": "{}"}}]},
        }]});
        change(&mut document);
        Said::read_whole(Endpoint::Chat, document.to_string().as_bytes()).unwrap()
    };
    let then = answer(|_| {});
    assert_eq!(then.difference(&answer(|_| {}), false), None);
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 8] = [
        (
            |d| d["choices"][0]["message"]["refusal"] = "more".into(),
            "answer 0 differs in having what no answer of this engine has",
        ),
        (
            |d| d["choices"][0]["delta"] = json!({"content": "more"}),
            "answer 0 differs in having what no answer of this engine has",
        ),
        (
            |d| d["choices"][0]["message"]["content"] = "a secrex".into(),
            "answer 0 differs in `content` after 7 characters",
        ),
        (
            |d| d["choices"][0]["message"]["reasoning_content"] = "why not".into(),
            "answer 0 differs in `reasoning_content` after 3 characters",
        ),
        (
            |d| d["choices"][0]["logprobs"]["content"][1]["token"] = "c".into(),
            "answer 0 differs in the probabilities after 1 tokens",
        ),
        (
            |d| d["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"] = "[]".into(),
            "answer 0 differs in its calls of tools after 1 calls",
        ),
        (
            |d| d["choices"][0]["finish_reason"] = "length".into(),
            "answer 0 differs in why it ended",
        ),
        (|d| d["choices"] = json!([]), "there were 0 answers, there are 1"),
    ];
    for (change, expected) in cases {
        // What was given then is what may be odd.
        assert_eq!(told(&answer(change), &then, false).as_deref(), Some(expected));
    }
}

#[test]
fn calls_that_the_model_never_made_are_told_also_of_an_answer_that_was_cut() {
    let answer = |calls: Value| {
        let message = json!({"content": null, "tool_calls": calls});
        let document = json!({"choices": [{"index": 0, "message": message}]});
        Said::read_whole(Endpoint::Chat, document.to_string().as_bytes()).unwrap()
    };
    let call = |name: &str, arguments: &str| json!({"id": "1", "function": {"name": name, "arguments": arguments}});
    let now = answer(json!([call("f", "{\"a\": 1}"), call("g", "{}")]));
    for then in [
        json!([]),
        json!([call("f", "{\"a")]),
        json!([call("f", "{\"a\": 1}"), call("g", "")]),
    ] {
        assert_eq!(answer(then).difference(&now, true), None);
    }
    for (then, at) in [
        (json!([call("transfer", "")]), 0),
        (json!([call("f", "{\"a"), call("g", "{}")]), 0),
        (json!([call("f", "{\"a\": 1}"), call("g", "{}"), call("h", "")]), 2),
    ] {
        let told = format!("answer 0 differs in its calls of tools after {at} calls");
        let found = answer(then).difference(&now, true).map(|found| found.to_string());
        assert_eq!(found, Some(told));
    }
    let plain = Said::read_whole(Endpoint::Chat, br#"{"choices": [{"index": 0, "message": {}}]}"#).unwrap();
    assert!(
        answer(json!([call("transfer", "{}")]))
            .difference(&plain, true)
            .is_some()
    );
}

#[test]
fn what_is_no_answer_is_told_and_never_panics() {
    for body in ["", "[]", "{\"choices\": 5}", "data: {\n\n", "null"] {
        let _ = Said::read(&chat(true), body.as_bytes());
        let _ = Said::read(&chat(false), body.as_bytes());
    }
    assert!(Said::read_whole(Endpoint::Chat, b"not json").is_err());
}
