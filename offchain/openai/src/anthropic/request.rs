//! A request for a message, as a chat request.

use serde_json::{Map, Value, json};

use super::answer::MessageWriter;
use super::content::{self, Blocks};
use crate::dialect::Translated;
use crate::error::ApiError;
use crate::fields::CARRIED;
use crate::limits::MAX_STOP;
use crate::request::{Endpoint, Request, parse_object};

/// Hints to the vendor's own servers: nothing of them is promised, and nothing is lost without them.
const HINTS: [&str; 1] = ["cache_control"];

/// Reads the body of a request and translates it.
pub fn read(body: &[u8]) -> Result<Translated, ApiError> {
    let fields = parse_object(body)?;
    let mut chat = Map::new();
    let model = fields.get("model").filter(|model| !model.is_null());
    chat.insert(
        "model".into(),
        model.cloned().ok_or_else(|| ApiError::missing_field("model"))?,
    );
    chat.insert("messages".into(), messages(&fields)?.into());
    if !fields.get("max_tokens").is_some_and(Value::is_u64) {
        return Err(match fields.get("max_tokens") {
            None => ApiError::missing_field("max_tokens"),
            Some(_) => ApiError::invalid_field("max_tokens", "must be a number of tokens, at least 1"),
        });
    }
    for (name, value) in &fields {
        if !value.is_null() {
            take(&mut chat, name, value)?;
        }
    }
    if chat.get("stream") == Some(&Value::Bool(true)) {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
    Ok(Translated {
        request: Request::from_fields(Endpoint::Chat, chat)?,
        translator: Some(Box::new(MessageWriter::default())),
    })
}

fn take(chat: &mut Map<String, Value>, name: &str, value: &Value) -> Result<(), ApiError> {
    let mut set = |name: &str, value: Value| {
        chat.insert(name.to_owned(), value);
        Ok(())
    };
    match name {
        "model" | "messages" | "system" => Ok(()),
        "max_tokens" | "temperature" | "top_p" | "top_k" | "stream" => set(name, value.clone()),
        "stop_sequences" => {
            let texts = value.as_array().filter(|list| list.iter().all(Value::is_string));
            match texts {
                Some(list) if list.len() <= MAX_STOP => set("stop", value.clone()),
                _ => Err(ApiError::invalid_field("stop_sequences", "must be up to 4 strings")),
            }
        }
        "tools" => set("tools", tools(value)?),
        "tool_choice" => tool_choice(chat, value),
        "thinking" => match thinking(value)? {
            Some(wish) => set("chat_template_kwargs", json!({"enable_thinking": wish})),
            None => Ok(()),
        },
        "output_config" => output_config(chat, value),
        // Who asks is nobody's business beyond this machine.
        "metadata" if value.is_object() => Ok(()),
        "metadata" => Err(ApiError::invalid_field("metadata", "must be an object")),
        // There is one tier, and one speed.
        "service_tier" if value == "auto" || value == "standard_only" => Ok(()),
        "speed" if value == "standard" => Ok(()),
        name if HINTS.contains(&name) => Ok(()),
        name if CARRIED.contains(&name) => set(name, value.clone()),
        name => Err(ApiError::unsupported_field(name)),
    }
}

fn messages(fields: &Map<String, Value>) -> Result<Vec<Value>, ApiError> {
    let mut chat = Vec::new();
    match fields.get("system") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => chat.push(json!({"role": "system", "content": text})),
        Some(Value::Array(blocks)) => {
            let texts: Result<Vec<_>, _> = (0..)
                .zip(blocks)
                .map(|(at, block): (usize, _)| content::text(&format!("system[{at}]"), block))
                .collect();
            // Separate blocks are separate instructions.
            chat.push(json!({"role": "system", "content": texts?.join("\n\n")}));
        }
        Some(_) => {
            return Err(ApiError::invalid_field(
                "system",
                "must be a string or an array of text blocks",
            ));
        }
    }
    let list = match fields.get("messages") {
        None => return Err(ApiError::missing_field("messages")),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(ApiError::invalid_field("messages", "must be an array")),
    };
    for (index, message) in list.iter().enumerate() {
        let place = format!("messages[{index}]");
        let members = message
            .as_object()
            .ok_or_else(|| ApiError::invalid_field(place.clone(), "must be an object"))?;
        if let Some(name) = members
            .keys()
            .find(|name| !["role", "content"].contains(&name.as_str()))
        {
            return Err(ApiError::unsupported_field(format!("{place}.{name}")));
        }
        let content = format!("{place}.content");
        let blocks = Blocks::read(&content, &message["content"])?;
        match message["role"].as_str() {
            Some("user") => blocks.of_user(&mut chat)?,
            Some("assistant") if index + 1 == list.len() => {
                // No chat template continues an answer that was begun.
                let problem = "must end with a message of the user: an answer cannot be begun for the model";
                return Err(ApiError::invalid_field("messages", problem));
            }
            Some("assistant") => blocks.of_assistant(&mut chat)?,
            _ => {
                return Err(ApiError::invalid_field(
                    format!("{place}.role"),
                    "must be \"user\" or \"assistant\"",
                ));
            }
        }
    }
    Ok(chat)
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
    let members = tool
        .as_object()
        .ok_or_else(|| ApiError::invalid_field(format!("tools[{at}]"), "must be an object"))?;
    if members
        .get("type")
        .is_some_and(|kind| !kind.is_null() && kind != "custom")
    {
        return Err(ApiError::invalid_field(
            place("type"),
            "must be \"custom\": tools that a vendor runs are not supported",
        ));
    }
    let mut function = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let name = match name.as_str() {
            "type" | "cache_control" | "eager_input_streaming" => continue,
            "input_schema" if value.is_object() => "parameters",
            "input_schema" => return Err(ApiError::invalid_field(place("input_schema"), "must be a JSON schema")),
            "name" | "description" | "strict" => name,
            _ => return Err(ApiError::unsupported_field(place(name))),
        };
        function.insert(name.to_owned(), value.clone());
    }
    for (name, here) in [("name", "name"), ("parameters", "input_schema")] {
        if !function.contains_key(name) {
            return Err(ApiError::missing_field(&place(here)));
        }
    }
    Ok(json!({"type": "function", "function": function}))
}

fn tool_choice(chat: &mut Map<String, Value>, value: &Value) -> Result<(), ApiError> {
    let choice = match value["type"].as_str() {
        Some("auto") => json!("auto"),
        Some("any") => json!("required"),
        Some("none") => json!("none"),
        Some("tool") if value["name"].is_string() => json!({"type": "function", "function": {"name": value["name"]}}),
        _ => {
            return Err(ApiError::invalid_field(
                "tool_choice",
                "must be of type auto, any, none or tool",
            ));
        }
    };
    chat.insert("tool_choice".into(), choice);
    match &value["disable_parallel_tool_use"] {
        Value::Null | Value::Bool(false) => Ok(()),
        Value::Bool(true) => {
            chat.insert("parallel_tool_calls".into(), false.into());
            Ok(())
        }
        _ => Err(ApiError::invalid_field(
            "tool_choice.disable_parallel_tool_use",
            "must be true or false",
        )),
    }
}

/// Whether the model is to think; `None` leaves it to its template. A budget is a wish of the caller that no template knows:
/// `max_tokens` bounds the thoughts too.
fn thinking(value: &Value) -> Result<Option<bool>, ApiError> {
    if value["display"] == "omitted" {
        return Err(ApiError::invalid_field(
            "thinking.display",
            "must be \"summarized\": thoughts are part of what is answered for",
        ));
    }
    match value["type"].as_str() {
        Some("enabled") => Ok(Some(true)),
        Some("disabled") => Ok(Some(false)),
        Some("adaptive") => Ok(None),
        _ => Err(ApiError::invalid_field(
            "thinking.type",
            "must be \"enabled\", \"disabled\" or \"adaptive\"",
        )),
    }
}

fn output_config(chat: &mut Map<String, Value>, value: &Value) -> Result<(), ApiError> {
    let members = value
        .as_object()
        .ok_or_else(|| ApiError::invalid_field("output_config", "must be an object"))?;
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "effort" => {
                let known = ["low", "medium", "high"].map(Value::from).contains(value);
                if !known {
                    return Err(ApiError::invalid_field(
                        "output_config.effort",
                        "must be \"low\", \"medium\" or \"high\"",
                    ));
                }
                chat.insert("reasoning_effort".into(), value.clone());
            }
            "format" if value["type"] == "json_schema" && value["schema"].is_object() => {
                let schema = json!({"name": "answer", "strict": true, "schema": value["schema"]});
                let format = json!({"type": "json_schema", "json_schema": schema});
                chat.insert("response_format".into(), format);
            }
            "format" => {
                return Err(ApiError::invalid_field(
                    "output_config.format",
                    "must be of type json_schema, with a schema",
                ));
            }
            name => return Err(ApiError::unsupported_field(format!("output_config.{name}"))),
        }
    }
    Ok(())
}
