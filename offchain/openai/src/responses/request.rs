//! A request for a response, as a chat request.

use serde_json::{Map, Value, json};

use super::answer::ResponseWriter;
use super::input;
use crate::dialect::Translated;
use crate::error::ApiError;
use crate::fields::CARRIED;
use crate::request::{Endpoint, Request, parse_object};

/// Why whatever needs an earlier request is refused.
const NOTHING_KEPT: &str =
    "is not supported: no answer is kept for a later request, on purpose; send the whole conversation";

/// Reads the body of a request and translates it.
pub fn read(body: &[u8]) -> Result<Translated, ApiError> {
    let fields = parse_object(body)?;
    let mut chat = Map::new();
    let model = fields.get("model").filter(|model| !model.is_null());
    chat.insert(
        "model".into(),
        model.cloned().ok_or_else(|| ApiError::missing_field("model"))?,
    );
    chat.insert("messages".into(), input::messages(&fields)?.into());
    for (name, value) in &fields {
        if !value.is_null() {
            take(&mut chat, name, value)?;
        }
    }
    if chat.contains_key("top_logprobs") {
        chat.insert("logprobs".into(), true.into());
    }
    if chat.get("stream") == Some(&Value::Bool(true)) {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let writer = ResponseWriter::new(&fields);
    Ok(Translated {
        request: Request::from_fields(Endpoint::Chat, chat)?,
        translator: Some(Box::new(writer)),
    })
}

fn take(chat: &mut Map<String, Value>, name: &str, value: &Value) -> Result<(), ApiError> {
    let mut set = |name: &str, value: Value| {
        chat.insert(name.to_owned(), value);
        Ok(())
    };
    let only = |allowed: bool, problem: &str| match allowed {
        true => Ok(()),
        false => Err(ApiError::invalid_field(name, problem)),
    };
    match name {
        "model" | "input" | "instructions" => Ok(()),
        "temperature" | "top_p" | "stream" | "parallel_tool_calls" | "top_logprobs" => set(name, value.clone()),
        "max_output_tokens" if value.is_u64() => set("max_completion_tokens", value.clone()),
        "max_output_tokens" => only(false, "must be a number of tokens, at least 1"),
        "tools" => set("tools", tools(value)?),
        "tool_choice" => set("tool_choice", tool_choice(value)?),
        "reasoning" => reasoning(chat, value),
        "text" => text(chat, value),
        "include" => include(chat, value),
        "store" | "background" => only(value == false, NOTHING_KEPT),
        "previous_response_id" | "conversation" | "prompt" => only(false, NOTHING_KEPT),
        "truncation" => only(
            value == "disabled",
            "must be \"disabled\": no part of a conversation is left out",
        ),
        "service_tier" => only(
            value == "auto" || value == "default",
            "must be \"auto\" or \"default\": there is one tier",
        ),
        "stream_options" => {
            let is_plain = value.as_object().is_some_and(|options| {
                let mut options = options.iter();
                options.all(|(name, value)| name == "include_obfuscation" && (value == false || value.is_null()))
            });
            only(
                is_plain,
                "may hold only `include_obfuscation`, false: TLS to the proxy has frames of its own",
            )
        }
        "metadata" => only(value.is_object(), "must be an object"),
        // Who asks is nobody's business beyond this machine; caches work without a key.
        "user" | "safety_identifier" | "prompt_cache_key" => only(value.is_string(), "must be a string"),
        name if CARRIED.contains(&name) => set(name, value.clone()),
        name => Err(ApiError::unsupported_field(name)),
    }
}

fn tools(value: &Value) -> Result<Value, ApiError> {
    let list = value
        .as_array()
        .ok_or_else(|| ApiError::invalid_field("tools", "must be an array"))?;
    let tools: Result<Vec<_>, _> = list.iter().enumerate().map(|(at, tool)| one_tool(at, tool)).collect();
    tools.map(Value::from)
}

fn one_tool(at: usize, tool: &Value) -> Result<Value, ApiError> {
    let place = |name: &str| format!("tools[{at}].{name}");
    if tool["type"] != "function" {
        return Err(ApiError::invalid_field(
            place("type"),
            "must be \"function\": tools that a vendor runs are not supported",
        ));
    }
    if !tool["name"].is_string() {
        return Err(ApiError::invalid_field(place("name"), "must be a string"));
    }
    let mut function = Map::new();
    for (name, value) in tool.as_object().into_iter().flatten() {
        match name.as_str() {
            "type" => {}
            _ if value.is_null() => {}
            "name" | "description" | "parameters" | "strict" => {
                function.insert(name.clone(), value.clone());
            }
            _ => return Err(ApiError::unsupported_field(place(name))),
        }
    }
    Ok(json!({"type": "function", "function": function}))
}

fn tool_choice(value: &Value) -> Result<Value, ApiError> {
    let words = ["none", "auto", "required"];
    match value {
        Value::String(word) if words.contains(&word.as_str()) => Ok(value.clone()),
        Value::Object(choice)
            if choice.get("type").is_some_and(|kind| kind == "function") && value["name"].is_string() =>
        {
            Ok(json!({"type": "function", "function": {"name": value["name"]}}))
        }
        _ => Err(ApiError::invalid_field(
            "tool_choice",
            "must be none, auto, required or one of the functions",
        )),
    }
}

fn reasoning(chat: &mut Map<String, Value>, value: &Value) -> Result<(), ApiError> {
    let members = value
        .as_object()
        .ok_or_else(|| ApiError::invalid_field("reasoning", "must be an object"))?;
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "effort" if value.is_string() => {
                chat.insert("reasoning_effort".into(), value.clone());
            }
            "effort" => return Err(ApiError::invalid_field("reasoning.effort", "must be a string")),
            "summary" | "generate_summary" => {
                let problem = "is not supported: thoughts are given as they are, in the content of reasoning items";
                return Err(ApiError::invalid_field(format!("reasoning.{name}"), problem));
            }
            _ => return Err(ApiError::unsupported_field(format!("reasoning.{name}"))),
        }
    }
    Ok(())
}

fn text(chat: &mut Map<String, Value>, value: &Value) -> Result<(), ApiError> {
    let members = value
        .as_object()
        .ok_or_else(|| ApiError::invalid_field("text", "must be an object"))?;
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "format" => {
                if let Some(format) = format(value)? {
                    chat.insert("response_format".into(), format);
                }
            }
            "verbosity" => {
                chat.insert("verbosity".into(), value.clone());
            }
            _ => return Err(ApiError::unsupported_field(format!("text.{name}"))),
        }
    }
    Ok(())
}

fn format(value: &Value) -> Result<Option<Value>, ApiError> {
    match value["type"].as_str() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "json_object"}))),
        Some("json_schema") if value["schema"].is_object() => {
            let mut schema = value.as_object().cloned().unwrap_or_default();
            schema.shift_remove("type");
            Ok(Some(json!({"type": "json_schema", "json_schema": schema})))
        }
        _ => Err(ApiError::invalid_field(
            "text.format",
            "must be of type text, json_object, or json_schema with a schema",
        )),
    }
}

fn include(chat: &mut Map<String, Value>, value: &Value) -> Result<(), ApiError> {
    let list = value
        .as_array()
        .ok_or_else(|| ApiError::invalid_field("include", "must be an array"))?;
    for (at, wish) in list.iter().enumerate() {
        if wish != "message.output_text.logprobs" {
            let problem = "is not supported; only \"message.output_text.logprobs\" is";
            return Err(ApiError::invalid_field(format!("include[{at}]"), problem));
        }
        chat.insert("logprobs".into(), true.into());
    }
    Ok(())
}
