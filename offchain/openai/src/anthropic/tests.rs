//! The Messages interface: literal requests and answers as the vendor's public documentation shows them, and what holds of all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Translated;
use crate::samples::{any_json, data, samples};

fn translated(body: &Value) -> Result<Translated, ApiError> {
    read(body.to_string().as_bytes())
}

fn chat(body: &Value) -> Value {
    serde_json::from_slice(&translated(body).unwrap().request.to_json()).unwrap()
}

/// A request with these members more, or instead.
fn with(members: Value) -> Value {
    let mut body =
        json!({"model": "tiny", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello, world"}]});
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
        json!({"system": "Be brief.", "stop_sequences": ["\n\nHuman:"], "temperature": 0.5, "top_k": 5,
        "top_p": 0.7, "stream": true, "metadata": {"user_id": "someone"}, "max_coefficient": 2000}),
    );
    assert_eq!(
        chat(&body),
        json!({"model": "tiny", "messages": [{"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello, world"}],
            "max_tokens": 1024, "stop": ["\n\nHuman:"], "temperature": 0.5, "top_k": 5, "top_p": 0.7, "stream": true,
            "max_coefficient": 2000, "stream_options": {"include_usage": true}})
    );
}

#[test]
fn a_conversation_with_tools_becomes_a_chat_with_tools() {
    let body = with(json!({
        "system": [{"type": "text", "text": "One.", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Two."}],
        "tools": [{"name": "get_weather", "description": "Get the current weather in a given location",
            "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}],
        "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is the weather like"}, {"type": "text", "text": " in San Francisco?"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "They ask for the weather.", "signature": ""},
                {"type": "text", "text": "I'll check the current weather in San Francisco for you."},
                {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "get_weather", "input": {"location": "San Francisco, CA"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01A09q90qw90lq917835lq9", "content": "15 degrees"},
                {"type": "tool_result", "tool_use_id": "b", "is_error": true, "content": [{"type": "text", "text": "no such tool"}]},
                {"type": "text", "text": "And now?"}]},
        ],
    }));
    let chat = chat(&body);
    assert_eq!(
        chat["messages"],
        json!([
            {"role": "system", "content": "One.\n\nTwo."},
            {"role": "user", "content": [{"type": "text", "text": "What is the weather like"}, {"type": "text", "text": " in San Francisco?"}]},
            {"role": "assistant", "content": "I'll check the current weather in San Francisco for you.",
                "reasoning_content": "They ask for the weather.",
                "tool_calls": [{"id": "toolu_01A09q90qw90lq917835lq9", "type": "function",
                    "function": {"name": "get_weather", "arguments": "{\"location\":\"San Francisco, CA\"}"}}]},
            {"role": "tool", "tool_call_id": "toolu_01A09q90qw90lq917835lq9", "content": "15 degrees"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: no such tool"},
            {"role": "user", "content": "And now?"},
        ])
    );
    assert_eq!(
        chat["tools"],
        json!([{"type": "function", "function": {"name": "get_weather",
            "description": "Get the current weather in a given location",
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}}])
    );
    assert_eq!(
        chat["tool_choice"],
        json!({"type": "function", "function": {"name": "get_weather"}})
    );
    assert_eq!(chat["parallel_tool_calls"], false);
    assert_eq!(chat["chat_template_kwargs"], json!({"enable_thinking": true}));
    assert_eq!(chat["reasoning_effort"], "low");
    assert_eq!(
        chat["response_format"]["json_schema"]["schema"],
        json!({"type": "object"})
    );
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    let said =
        |content: Value| json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": content}]});
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}});
    assert_eq!(
        fault(said(json!([{"type": "text", "text": "b"}, image]))),
        "messages[1].content[1]"
    );
    assert_eq!(
        fault(said(json!([{"type": "document", "source": {}}]))),
        "messages[1].content[0]"
    );
    let shown = json!([{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image"}]}]);
    assert_eq!(fault(said(shown)), "messages[1].content[0].content[0]");
    assert_eq!(
        fault(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})),
        "tools[0].type"
    );
    assert_eq!(fault(json!({"tools": [{"name": "a"}]})), "tools[0].input_schema");
    assert_eq!(fault(json!({"mcp_servers": []})), "mcp_servers");
    assert_eq!(fault(json!({"container": "a"})), "container");
    assert_eq!(fault(json!({"service_tier": "flex"})), "service_tier");
    assert_eq!(fault(json!({"max_tokens": null})), "max_tokens");
    assert_eq!(fault(json!({"max_tokens": 0})), "max_tokens");
    assert_eq!(fault(json!({"thinking": {"type": "between_tools"}})), "thinking.type");
    assert_eq!(
        fault(json!({"stop_sequences": ["a", "b", "c", "d", "e"]})),
        "stop_sequences"
    );
    assert_eq!(
        fault(json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})),
        "messages"
    );
    assert_eq!(
        fault(json!({"messages": [{"role": "tool", "content": "a"}]})),
        "messages[0].role"
    );
    assert_eq!(
        translated(&json!({"max_tokens": 1, "messages": []})).unwrap_err().code,
        "missing_required_parameter"
    );
}

#[test]
fn a_whole_answer_becomes_a_message() {
    let mut writer = translated(&with(json!({}))).unwrap().translator.unwrap();
    let answer = br#"{"id":"chatcmpl-0a1b","object":"chat.completion","created":5,"model":"tiny","choices":[{"index":0,
        "message":{"role":"assistant","content":"Hi!","reasoning_content":"why","tool_calls":[{"id":"call_1","type":"function",
        "function":{"name":"get_weather","arguments":"{\"location\": \"Oslo\"}"}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":30,"completion_tokens":8,"total_tokens":38,"prompt_tokens_details":{"cached_tokens":12},
        "completion_tokens_details":{"reasoning_tokens":3},"total_cost":400}}"#;
    let message: Value = serde_json::from_slice(&writer.whole(answer).unwrap()).unwrap();
    assert_eq!(
        message,
        json!({"id": "msg_0a1b", "type": "message", "role": "assistant", "model": "tiny",
            "content": [{"type": "thinking", "thinking": "why", "signature": ""}, {"type": "text", "text": "Hi!"},
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"location": "Oslo"}}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 18, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 12, "output_tokens": 8,
                "output_tokens_details": {"thinking_tokens": 3}, "total_cost": 400}})
    );
}

#[test]
fn arguments_that_were_cut_are_given_as_text() {
    let mut writer = translated(&with(json!({}))).unwrap().translator.unwrap();
    let answer = br#"{"id":"a","choices":[{"index":0,"message":{"tool_calls":[{"id":"c","function":{"name":"f",
        "arguments":"{\"loc"}}]},"finish_reason":"length"}]}"#;
    let message: Value = serde_json::from_slice(&writer.whole(answer).unwrap()).unwrap();
    assert_eq!(message["content"][0]["input"], json!({"INVALID_JSON": "{\"loc"}));
    assert_eq!(message["stop_reason"], "max_tokens");
}

#[test]
fn a_stream_has_the_events_of_the_documentation() {
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let mut out = String::new();
    for event in [
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop","stop_reason":"END"}]}"#,
        r#"{"id":"chatcmpl-0a1b","model":"tiny","choices":[],"usage":{"prompt_tokens":25,"completion_tokens":15}}"#,
        "[DONE]",
    ] {
        out += &writer.event(event);
    }
    out += &writer.end();
    let none = json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0,
        "output_tokens_details": {"thinking_tokens": 0}});
    let mut all = none.clone();
    all["input_tokens"] = 25.into();
    all["output_tokens"] = 15.into();
    assert_eq!(
        data(&out),
        [
            json!({"type": "message_start", "message": {"id": "msg_0a1b", "type": "message", "role": "assistant",
                "model": "tiny", "content": [], "stop_reason": null, "stop_sequence": null, "usage": none}}),
            json!({"type": "ping"}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "!"}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}, "usage": all}),
            json!({"type": "message_stop"}),
        ]
    );
}

#[test]
fn a_stream_that_breaks_off_ends_with_an_error_and_nothing_after_it() {
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let begun = writer.event(r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}"#);
    assert_eq!(data(&begun).len(), 4);
    let failed = writer.failed(&ApiError::worker_lost("The worker was lost."));
    assert_eq!(
        data(&failed),
        [json!({"type": "error", "error": {"type": "api_error", "message": "The worker was lost."}})]
    );
    assert_eq!(
        writer.event(r#"{"id":"a","choices":[]}"#) + &writer.end() + &writer.failed(&ApiError::draining()),
        ""
    );
    // An error that the engine told in its stream, and an end that comes too early.
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    let told = writer.event(r#"{"error":{"message":"out of memory","code":"x"}}"#);
    assert_eq!(data(&told)[0]["error"]["message"], "out of memory");
    let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
    writer.event(r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}"#);
    assert_eq!(data(&writer.end())[0]["type"], "error");
}

#[test]
fn errors_have_the_types_of_the_documentation() {
    let kind = |error: ApiError| super::error(&error)["error"]["type"].clone();
    assert_eq!(kind(ApiError::invalid_json("x")), "invalid_request_error");
    assert_eq!(kind(ApiError::low_balance("x")), "billing_error");
    assert_eq!(kind(ApiError::unknown_model("x")), "not_found_error");
    assert_eq!(kind(ApiError::too_large("x")), "request_too_large");
    assert_eq!(kind(ApiError::rate_limited("x")), "rate_limit_error");
    assert_eq!(kind(ApiError::no_worker("x")), "overloaded_error");
    assert_eq!(kind(ApiError::timeout("x")), "timeout_error");
    assert_eq!(kind(ApiError::internal("x")), "api_error");
    assert_eq!(cannot_count().status, 404);
}

/// The message that a stream adds up to, as packages do it.
fn added_up(events: &[Value]) -> Value {
    let mut message = events[0]["message"].clone();
    let mut input = String::new();
    for event in events {
        let blocks = message["content"].as_array_mut().unwrap();
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(blocks.len(), index);
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert_eq!(blocks.len(), index + 1);
                let delta = &event["delta"];
                if let Some(json) = delta["partial_json"].as_str() {
                    input += json;
                }
                for name in ["text", "thinking"] {
                    if let Some(more) = delta[name].as_str() {
                        let sofar = blocks[index][name].as_str().unwrap().to_owned();
                        blocks[index][name] = (sofar + more).into();
                    }
                }
            }
            "content_block_stop" if !input.is_empty() => {
                blocks[index]["input"] = serde_json::from_str(&std::mem::take(&mut input)).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["usage"] = event["usage"].clone();
            }
            _ => {}
        }
    }
    message
}

proptest! {
    #[test]
    fn a_stream_adds_up_to_the_whole_answer(sample in samples()) {
        let mut writer = translated(&with(json!({"stream": true}))).unwrap().translator.unwrap();
        let stream: String = sample.events().iter().map(|event| writer.event(event)).collect();
        let events = data(&(stream + &writer.end()));
        let mut writer = translated(&with(json!({}))).unwrap().translator.unwrap();
        let whole: Value = serde_json::from_slice(&writer.whole(&sample.whole()).unwrap()).unwrap();
        prop_assert_eq!(added_up(&events), whole);
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
