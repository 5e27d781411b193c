//! Chat answers for the tests of translations: the same answer whole, and as a stream cut in pieces.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sse::{SseDecoder, SseEvent};

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) reasoning: String,
    pub(crate) text: String,
    /// Names, and members of the arguments.
    pub(crate) calls: Vec<(String, u32)>,
    pub(crate) is_cut: bool,
    /// Of prompt, cache, answer and reasoning.
    pub(crate) counts: [u64; 4],
    /// Characters in each piece.
    pub(crate) step: usize,
}

pub(crate) fn samples() -> impl Strategy<Value = Sample> {
    let calls = proptest::collection::vec(("[a-z]{1,9}", any::<u32>()), 0..4);
    let counts = (0..1u64 << 40, 0..1u64 << 20, 0..1u64 << 40, 0..1u64 << 20);
    let texts = ("\\PC{0,30}", "(?s).{0,60}");
    (texts, calls, any::<bool>(), counts, 1..20usize).prop_map(|(texts, calls, is_cut, counts, step)| Sample {
        reasoning: texts.0,
        text: texts.1,
        calls,
        is_cut,
        counts: [counts.0 + counts.1, counts.1, counts.2 + counts.3, counts.3],
        step,
    })
}

impl Sample {
    fn usage(&self) -> Value {
        let [prompt, cached, completion, reasoning] = self.counts;
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
            "total_cost": 7,
        })
    }

    fn finish(&self) -> &'static str {
        match (self.is_cut, self.calls.is_empty()) {
            (true, _) => "length",
            (false, true) => "stop",
            (false, false) => "tool_calls",
        }
    }

    pub(crate) fn arguments(&self) -> Vec<Value> {
        self.calls.iter().map(|(_, number)| json!({"number": number})).collect()
    }

    pub(crate) fn whole(&self) -> Vec<u8> {
        let calls = self.calls.iter().zip(self.arguments()).enumerate();
        let calls: Vec<Value> = calls
            .map(|(at, ((name, _), arguments))| {
                json!({"id": format!("call_{at}"), "type": "function",
                    "function": {"name": name, "arguments": arguments.to_string()}})
            })
            .collect();
        let mut message = json!({"role": "assistant", "content": self.text, "reasoning_content": self.reasoning});
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice = json!({"index": 0, "message": message, "finish_reason": self.finish()});
        let answer = json!({"id": "chatcmpl-0a1b", "object": "chat.completion", "created": 5, "model": "tiny",
            "choices": [choice], "usage": self.usage()});
        answer.to_string().into_bytes()
    }

    /// The data of the events of the same answer.
    pub(crate) fn events(&self) -> Vec<String> {
        let chunk = |choices: Value, usage: Value| {
            json!({"id": "chatcmpl-0a1b", "object": "chat.completion.chunk", "created": 5, "model": "tiny",
                "choices": choices, "usage": usage})
            .to_string()
        };
        let delta = |delta: Value| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        };
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}))];
        events.extend(
            self.cut(&self.reasoning)
                .map(|text| delta(json!({"reasoning_content": text}))),
        );
        events.extend(self.cut(&self.text).map(|text| delta(json!({"content": text}))));
        for (at, ((name, _), arguments)) in self.calls.iter().zip(self.arguments()).enumerate() {
            let function = json!({"name": name, "arguments": ""});
            let call = json!({"index": at, "id": format!("call_{at}"), "type": "function", "function": function});
            events.push(delta(json!({"tool_calls": [call]})));
            events.extend(
                self.cut(&arguments.to_string())
                    .map(|text| delta(json!({"tool_calls": [{"index": at, "function": {"arguments": text}}]}))),
            );
        }
        let last = json!([{"index": 0, "delta": {}, "finish_reason": self.finish()}]);
        events.push(chunk(last, Value::Null));
        events.push(chunk(json!([]), self.usage()));
        events.push("[DONE]".to_owned());
        events
    }

    fn cut(&self, text: &str) -> impl Iterator<Item = String> {
        let characters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = characters
            .chunks(self.step)
            .map(|piece| piece.iter().collect())
            .collect();
        pieces.into_iter()
    }
}

/// The data of the events of a stream. Each must be named as its data says.
pub(crate) fn data(stream: &str) -> Vec<Value> {
    let events = SseDecoder::default().push(stream.as_bytes()).unwrap();
    let data: Vec<Value> = events
        .into_iter()
        .map(|event| match event {
            SseEvent::Data(data) => serde_json::from_str(&data).unwrap(),
            SseEvent::Comment(_) => panic!("no comments"),
        })
        .collect();
    let names = stream.lines().filter_map(|line| line.strip_prefix("event: "));
    assert!(names.eq(data.iter().map(|data| data["type"].as_str().unwrap())));
    data
}

/// Any JSON, of some depth.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let names = "type|role|content|text|input|name|id|tools|messages|model|usage|choices|delta|index|[a-z]{0,4}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "text|user|assistant|function|tool_use|tool_result|reasoning|message|\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((names, inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
