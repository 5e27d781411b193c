//! The Responses interface: literal requests and answers as the vendor's public documentation shows them, and what holds of all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::samples::{any_json, data, samples};
use crate::{ApiError, Translated};

fn translated(body: &Value) -> Result<Translated, ApiError> {
    read(body.to_string().as_bytes())
}

fn chat(body: &Value) -> Value {
    serde_json::from_slice(&translated(body).unwrap().request.to_json()).unwrap()
}

/// A request with these members more, or instead.
fn with(members: Value) -> Value {
    let mut body = json!({"model": "tiny", "input": "Tell me a story."});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn fault(members: Value) -> String {
    let error = translated(&with(members)).unwrap_err();
    assert_eq!(error.status, 400);
    error.param.unwrap()
}

#[test]
fn a_plain_request_becomes_a_chat() {
    let body = with(
        json!({"instructions": "Talk like a pirate.", "max_output_tokens": 64, "temperature": 0, "stream": true,
        "store": false, "previous_response_id": null, "metadata": {"a": "b"}, "user": "someone",
        "text": {"format": {"type": "json_schema", "name": "answer", "strict": true, "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "summary": null}, "include": ["message.output_text.logprobs"], "top_logprobs": 2,
        "truncation": "disabled", "stream_options": {"include_obfuscation": false}}),
    );
    assert_eq!(
        chat(&body),
        json!({"model": "tiny", "messages": [{"role": "system", "content": "Talk like a pirate."},
                {"role": "user", "content": "Tell me a story."}],
            "max_completion_tokens": 64, "temperature": 0, "stream": true,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {"type": "object"}}},
            "reasoning_effort": "low", "logprobs": true, "top_logprobs": 2, "stream_options": {"include_usage": true}})
    );
}

#[test]
fn a_conversation_of_items_becomes_messages() {
    let body = with(json!({
        "tools": [{"type": "function", "name": "get_weather", "description": null, "strict": true,
            "parameters": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather"}, {"type": "input_text", "text": "?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Look it up."}]},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "One moment.", "annotations": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather", "arguments": "{}", "status": "completed"},
            {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "sun"}]},
        ],
    }));
    let chat = chat(&body);
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}});
    assert_eq!(
        chat["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Weather"}, {"type": "text", "text": "?"}]},
            {"role": "assistant", "content": "One moment.", "reasoning_content": "Look it up.",
                "tool_calls": [call("call_1", "{}"), call("call_2", "{\"a\":1}")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
        ])
    );
    assert_eq!(
        chat["tools"],
        json!([{"type": "function", "function": {"name": "get_weather", "strict": true, "parameters": {"type": "object", "properties": {}}}}])
    );
    assert_eq!(
        chat["tool_choice"],
        json!({"type": "function", "function": {"name": "get_weather"}})
    );
}

#[test]
fn thoughts_before_a_call_belong_to_its_message() {
    let chat = chat(&with(json!({"input": [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "why"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]})));
    assert_eq!(chat["messages"][1]["reasoning_content"], "why");
    assert_eq!(chat["messages"][1]["content"], Value::Null);
    assert_eq!(chat["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn what_would_have_to_be_kept_is_refused_by_name() {
    for (name, value) in [
        ("store", json!(true)),
        ("background", json!(true)),
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("prompt", json!({"id": "pmpt_1"})),
    ] {
        let error = translated(&with(json!({name: value}))).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(name));
        assert!(error.message.contains("no answer is kept"), "{}", error.message);
    }
    assert_eq!(
        fault(json!({"input": [{"type": "item_reference", "id": "msg_1"}]})),
        "input[0]"
    );
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    assert_eq!(fault(json!({"tools": [{"type": "web_search"}]})), "tools[0].type");
    assert_eq!(fault(json!({"tool_choice": {"type": "web_search"}})), "tool_choice");
    assert_eq!(fault(json!({"truncation": "auto"})), "truncation");
    assert_eq!(fault(json!({"service_tier": "priority"})), "service_tier");
    assert_eq!(fault(json!({"include": ["reasoning.encrypted_content"]})), "include[0]");
    assert_eq!(fault(json!({"reasoning": {"summary": "auto"}})), "reasoning.summary");
    assert_eq!(fault(json!({"max_tool_calls": 1})), "max_tool_calls");
    assert_eq!(fault(json!({"text": {"format": {"type": "grammar"}}})), "text.format");
    let image = json!({"type": "input_image", "image_url": "data:"});
    let said = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}, image]}]});
    assert_eq!(fault(said), "input[0].content[1]");
    assert_eq!(fault(json!({"input": [{"type": "computer_call"}]})), "input[0].type");
    assert_eq!(fault(json!({"input": null})), "input");
}

#[test]
fn a_whole_answer_becomes_a_response() {
    let mut writer = translated(&with(json!({"temperature": 1, "metadata": {"a": "b"}})))
        .unwrap()
        .translator
        .unwrap();
    let answer = br#"{"id":"chatcmpl-0a1b","object":"chat.completion","created":5,"model":"tiny","choices":[{"index":0,
        "message":{"role":"assistant","content":"Hi!","reasoning_content":"why","tool_calls":[{"id":"call_1","type":"function",
        "function":{"name":"f","arguments":"{}"}}]},"logprobs":{"content":[{"token":"Hi!","logprob":-0.5,"bytes":[72],
        "top_logprobs":[]}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":30,"completion_tokens":8,"total_tokens":38,"prompt_tokens_details":{"cached_tokens":12},
        "completion_tokens_details":{"reasoning_tokens":3},"total_cost":400}}"#;
    let response: Value = serde_json::from_slice(&writer.whole(answer).unwrap()).unwrap();
    assert_eq!(
        response,
        json!({"id": "resp_0a1b", "object": "response", "created_at": 5, "status": "completed", "error": null,
            "incomplete_details": null, "model": "tiny", "output": [
                {"id": "rs_0a1b_0", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "why"}], "status": "completed"},
                {"id": "msg_0a1b_1", "type": "message", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "Hi!", "annotations": [],
                        "logprobs": [{"token": "Hi!", "logprob": -0.5, "bytes": [72], "top_logprobs": []}]}]},
                {"id": "fc_0a1b_2", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed"}],
            "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 0}, "output_tokens": 8,
                "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 38, "total_cost": 400},
            "instructions": null, "max_output_tokens": null, "metadata": {"a": "b"}, "parallel_tool_calls": true,
            "prompt_cache_key": null, "reasoning": {"effort": null, "summary": null}, "safety_identifier": null,
            "temperature": 1, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0,
            "top_p": null, "user": null, "background": false, "previous_response_id": null, "service_tier": "default",
            "store": false, "truncation": "disabled"})
    );
}

#[test]
fn a_stream_has_the_events_of_the_documentation() {
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let mut out = String::new();
    for event in [
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"length"}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[],"usage":{"prompt_tokens":25,"completion_tokens":15}}"#,
        "[DONE]",
    ] {
        out += &writer.event(event);
    }
    out += &writer.end();
    let events = data(&out);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.incomplete",
        ]
    );
    assert!(
        events
            .iter()
            .zip(0..)
            .all(|(event, number)| event["sequence_number"] == number)
    );
    assert_eq!(events[0]["response"]["status"], "in_progress");
    let part = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
    assert_eq!(events[3]["part"], part);
    assert_eq!(
        events[4],
        json!({"type": "response.output_text.delta", "sequence_number": 4, "item_id": "msg_0a1b_0", "output_index": 0,
            "content_index": 0, "delta": "Hi", "logprobs": []})
    );
    assert_eq!(
        (&events[8]["output_index"], &events[8]["item"]["arguments"]),
        (&json!(1), &json!(""))
    );
    let last = &events[12]["response"];
    assert_eq!(last["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(
        (&last["output"][0]["status"], &last["output"][1]["status"]),
        (&json!("completed"), &json!("incomplete"))
    );
    assert_eq!(last["usage"]["total_tokens"], 40);
}

#[test]
fn a_stream_that_breaks_off_says_so_once() {
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let begun = writer.event(r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}"#);
    assert_eq!(data(&begun).len(), 5);
    let failed = data(&writer.failed(&ApiError::worker_lost("The worker was lost.")));
    let last = failed.last().unwrap();
    assert_eq!(
        (&last["type"], &last["sequence_number"]),
        (&json!("response.failed"), &json!(8))
    );
    assert_eq!(
        last["response"]["error"],
        json!({"code": "server_error", "message": "The worker was lost."})
    );
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "x");
    assert_eq!(
        writer.event("{}") + &writer.end() + &writer.failed(&ApiError::draining()),
        ""
    );
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let failed = data(&writer.failed(&ApiError::no_worker("None.")));
    assert_eq!(
        (&failed[0]["type"], &failed[0]["code"]),
        (&json!("error"), &json!("no_worker_available"))
    );
}

/// The items that a stream adds up to, from its pieces alone.
fn added_up(events: &[Value]) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    for event in events {
        let index = usize::try_from(event["output_index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!(items.len(), index);
                items.push(event["item"].clone());
            }
            "response.content_part.added" => items[index]["content"] = json!([event["part"]]),
            "response.output_text.delta" | "response.reasoning_text.delta" => {
                let text = items[index]["content"][0]["text"].as_str().unwrap().to_owned();
                items[index]["content"][0]["text"] = (text + event["delta"].as_str().unwrap()).into();
            }
            "response.function_call_arguments.delta" => {
                let sofar = items[index]["arguments"].as_str().unwrap().to_owned();
                items[index]["arguments"] = (sofar + event["delta"].as_str().unwrap()).into();
            }
            "response.output_item.done" => {
                items[index]["status"] = event["item"]["status"].clone();
                assert_eq!(items[index], event["item"]);
            }
            _ => {}
        }
    }
    items
}

proptest! {
    #[test]
    fn a_stream_adds_up_to_the_whole_answer(sample in samples()) {
        let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
        let stream: String = sample.events().iter().map(|event| writer.event(event)).collect();
        let events = data(&(stream + &writer.end()));
        let mut writer = translated(&with(json!({}))).unwrap().translator.unwrap();
        let whole: Value = serde_json::from_slice(&writer.whole(&sample.whole()).unwrap()).unwrap();
        prop_assert_eq!(&added_up(&events), whole["output"].as_array().unwrap());
        prop_assert_eq!(&events.last().unwrap()["response"], &whole);
    }

    #[test]
    fn any_json_gives_a_request_or_an_error(body in any_json(), members in any_json()) {
        let _ = translated(&body);
        if members.is_object() {
            let _ = translated(&with(members));
        }
    }

    #[test]
    fn any_json_gives_events_or_an_error(answers in proptest::collection::vec(any_json(), 0..6)) {
        let mut writer = translated(&with(json!({}))).unwrap().translator.unwrap();
        for answer in &answers {
            let _ = writer.whole(answer.to_string().as_bytes());
        }
        let stream: String = answers.iter().map(|answer| writer.event(&answer.to_string())).collect();
        data(&(stream + &writer.end()));
    }
}
