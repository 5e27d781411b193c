//! Shapes of answers and of streams.

use super::*;
use cocoon_openai::sse::{SseDecoder, SseEvent};
use cocoon_openai::usage::RawCounts;

fn usage() -> Usage {
    Usage::from_counts(RawCounts {
        prompt: 3,
        cached: 0,
        completion: 2,
        reasoning: 1,
    })
}

fn said(text: &str) -> Piece {
    Piece {
        text: text.to_owned(),
        ..Piece::default()
    }
}

fn ended(finish: FinishReason) -> Piece {
    Piece {
        finish: Some(finish),
        ..Piece::default()
    }
}

fn call(index: usize, name: Option<&str>, arguments: &str) -> ToolCallDelta {
    ToolCallDelta {
        index,
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    }
}

fn token(text: &str, logprob: f32) -> TokenLogprob {
    TokenLogprob {
        token: 0,
        bytes: text.as_bytes().to_vec(),
        logprob,
    }
}

/// The events of a stream but for the mark at its end.
fn events(stream: &str) -> Vec<Value> {
    let events = SseDecoder::default().push(stream.as_bytes()).unwrap();
    let data = events.into_iter().map(|event| match event {
        SseEvent::Data(data) => data,
        SseEvent::Comment(_) => panic!("no comments"),
    });
    let data: Vec<String> = data.collect();
    let (last, others) = data.split_last().unwrap();
    assert_eq!(last, DONE);
    others.iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn a_stream_has_role_text_end_usage_and_mark() {
    let mut writer = Writer::new(Endpoint::Chat, "m", 5, [0; 12], 1);
    let mut text = writer.opening();
    text += &writer.more(0, said("hi"));
    text += &writer.more(0, ended(FinishReason::Length));
    text += &writer.closing(usage());
    let json = events(&text);
    assert_eq!(json[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(json[1]["choices"][0]["delta"], json!({"content": "hi"}));
    assert_eq!(json[2]["choices"][0]["finish_reason"], "length");
    assert_eq!(json[3]["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);
    assert!(json.iter().all(|event| event["choices"][0].get("logprobs").is_none()));
}

#[test]
fn calls_and_reasoning_come_in_deltas() {
    let mut writer = Writer::new(Endpoint::Chat, "m", 5, [0xAB; 12], 2);
    let mut text = writer.more(
        1,
        Piece {
            reasoning: "why".to_owned(),
            ..Piece::default()
        },
    );
    text += &writer.more(
        1,
        Piece {
            calls: vec![call(0, Some("f"), "{"), call(1, Some("g"), "")],
            ..Piece::default()
        },
    );
    text += &writer.more(
        1,
        Piece {
            calls: vec![call(1, None, "{}")],
            finish: Some(FinishReason::Stop),
            ..Piece::default()
        },
    );
    text += &writer.more(0, ended(FinishReason::Stop));
    text += &writer.closing(usage());
    let json = events(&text);
    let delta = |at: usize| &json[at]["choices"][0]["delta"];
    assert_eq!(delta(0), &json!({"reasoning_content": "why"}));
    let first = &delta(1)["tool_calls"];
    assert_eq!(first[0]["function"], json!({"name": "f", "arguments": "{"}));
    assert_eq!((&first[0]["type"], &first[1]["index"]), (&json!("function"), &json!(1)));
    assert_ne!(first[0]["id"], first[1]["id"]);
    assert_eq!(
        delta(2)["tool_calls"],
        json!([{"index": 1, "function": {"arguments": "{}"}}])
    );
    assert_eq!(json[3]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        (&json[4]["choices"][0]["index"], &json[4]["choices"][0]["finish_reason"]),
        (&json!(0), &json!("stop"))
    );
}

#[test]
fn a_whole_answer_has_its_parts_and_ids_that_templates_take() {
    let mut writer = Writer::new(Endpoint::Chat, "m", 5, [0xAB; 12], 1).with_tools(Some(ToolFormat::Mistral));
    let mut piece = Piece {
        reasoning: "why".to_owned(),
        calls: vec![call(0, Some("f"), "{\"a\"")],
        ..Piece::default()
    };
    piece.append(Piece {
        calls: vec![call(0, None, ": 1}")],
        finish: Some(FinishReason::Stop),
        ..Piece::default()
    });
    let answer: Value = serde_json::from_str(&writer.whole(vec![piece], usage())).unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert_eq!(
        (&message["content"], &message["reasoning_content"]),
        (&Value::Null, &json!("why"))
    );
    let called = &message["tool_calls"][0];
    assert_eq!(called["function"], json!({"name": "f", "arguments": "{\"a\": 1}"}));
    assert_eq!(called["id"].as_str().unwrap().len(), 9);
    assert!(called.get("index").is_none());
}

#[test]
fn logprobs_have_the_shape_of_their_endpoint() {
    let position = |text: &str, logprob: f32| TokenLogprobs {
        chosen: token(text, logprob),
        top: vec![token("x", -0.5), token(text, logprob)],
    };
    let piece = Piece {
        logprobs: vec![position("é", -1.0), position("b", f32::NEG_INFINITY)],
        ..said("éb")
    };
    let mut writer = Writer::new(Endpoint::Chat, "m", 5, [0; 12], 1).with_logprobs(true);
    let answer: Value = serde_json::from_str(&writer.whole(vec![piece.clone()], usage())).unwrap();
    let content = &answer["choices"][0]["logprobs"]["content"];
    assert_eq!(
        content[0],
        json!({"token": "é", "logprob": -1.0, "bytes": [195, 169], "top_logprobs": [
            {"token": "x", "logprob": -0.5, "bytes": [120]}, {"token": "é", "logprob": -1.0, "bytes": [195, 169]},
        ]})
    );
    assert_eq!(content[1]["logprob"], -9999.0);

    let mut writer = Writer::new(Endpoint::Completion, "m", 5, [0; 12], 1).with_logprobs(true);
    let stream = writer.more(0, piece.clone()) + &writer.more(0, piece) + &writer.closing(usage());
    let json = events(&stream);
    let first = &json[0]["choices"][0];
    assert_eq!(first["text"], "éb");
    assert_eq!(
        first["logprobs"],
        json!({"tokens": ["é", "b"], "token_logprobs": [-1.0, -9999.0], "text_offset": [0, 1],
            "top_logprobs": [{"x": -0.5, "é": -1.0}, {"x": -0.5, "b": -9999.0}]})
    );
    assert_eq!(json[1]["choices"][0]["logprobs"]["text_offset"], json!([2, 3]));
}
