//! The input of a request, as the messages of a chat.

use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// The conversation that a request brings.
pub(super) fn messages(fields: &Map<String, Value>) -> Result<Vec<Value>, ApiError> {
    let mut chat = Chat::default();
    match fields.get("instructions") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => chat.say(json!({"role": "system", "content": text})),
        Some(_) => return Err(ApiError::invalid_field("instructions", "must be a string")),
    }
    match fields.get("input") {
        None | Some(Value::Null) => return Err(ApiError::missing_field("input")),
        Some(Value::String(text)) => chat.say(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                chat.take(&format!("input[{at}]"), item)?;
            }
        }
        Some(_) => {
            return Err(ApiError::invalid_field(
                "input",
                "must be a string or an array of items",
            ));
        }
    }
    Ok(chat.ended())
}

/// Messages, with the thoughts that belong to the next one of the model.
#[derive(Default)]
struct Chat {
    messages: Vec<Value>,
    thoughts: String,
}

impl Chat {
    fn take(&mut self, place: &str, item: &Value) -> Result<(), ApiError> {
        let member = |name: &str| {
            let text = item[name].as_str().map(str::to_owned);
            text.ok_or_else(|| ApiError::invalid_field(format!("{place}.{name}"), "must be a string"))
        };
        match item["type"].as_str() {
            // A message may leave its type out.
            None | Some("message") if item["role"].is_string() => self.message(place, item),
            Some("function_call") => {
                let function = json!({"name": member("name")?, "arguments": member("arguments")?});
                let call = json!({"id": member("call_id")?, "type": "function", "function": function});
                self.call(call);
                Ok(())
            }
            Some("function_call_output") => {
                let content = content(&format!("{place}.output"), &item["output"])?;
                let message = json!({"role": "tool", "tool_call_id": member("call_id")?, "content": content});
                self.say(message);
                Ok(())
            }
            Some("reasoning") => self.reasoning(place, item),
            Some("item_reference") => Err(ApiError::invalid_field(
                place,
                "refers to an item of an earlier response, and none is kept",
            )),
            _ => Err(ApiError::invalid_field(
                format!("{place}.type"),
                "must be message, function_call, function_call_output or reasoning",
            )),
        }
    }

    fn message(&mut self, place: &str, item: &Value) -> Result<(), ApiError> {
        let role = match item["role"].as_str() {
            // Chat templates know one role for instructions.
            Some("system" | "developer") => "system",
            Some("user") => "user",
            Some("assistant") => "assistant",
            _ => {
                return Err(ApiError::invalid_field(
                    format!("{place}.role"),
                    "must be user, assistant, system or developer",
                ));
            }
        };
        let content = content(&format!("{place}.content"), &item["content"])?;
        let mut message = Map::new();
        message.insert("role".into(), role.into());
        message.insert("content".into(), content);
        if role == "assistant" {
            self.think(&mut message);
        }
        self.say(message.into());
        Ok(())
    }

    /// Calls belong to what the model said just before, or are all that it said.
    fn call(&mut self, call: Value) {
        let last = self.messages.last_mut().and_then(Value::as_object_mut);
        match last.filter(|last| last["role"] == "assistant") {
            Some(last) if self.thoughts.is_empty() => match last.get_mut("tool_calls").and_then(Value::as_array_mut) {
                Some(calls) => calls.push(call),
                None => {
                    last.insert("tool_calls".into(), json!([call]));
                }
            },
            _ => {
                let mut message = Map::new();
                message.insert("role".into(), "assistant".into());
                message.insert("content".into(), Value::Null);
                self.think(&mut message);
                message.insert("tool_calls".into(), json!([call]));
                self.messages.push(message.into());
            }
        }
    }

    fn reasoning(&mut self, place: &str, item: &Value) -> Result<(), ApiError> {
        if !item["encrypted_content"].is_null() {
            let place = format!("{place}.encrypted_content");
            return Err(ApiError::invalid_field(place, "cannot be read here"));
        }
        let parts = item["content"].as_array().into_iter().flatten();
        for (at, part) in parts.enumerate() {
            match (part["type"].as_str(), part["text"].as_str()) {
                (Some("reasoning_text"), Some(text)) => self.thoughts += text,
                _ => {
                    let place = format!("{place}.content[{at}]");
                    return Err(ApiError::invalid_field(place, "must be a reasoning_text"));
                }
            }
        }
        Ok(())
    }

    fn think(&mut self, message: &mut Map<String, Value>) {
        if !self.thoughts.is_empty() {
            let thoughts = std::mem::take(&mut self.thoughts);
            message.insert("reasoning_content".into(), thoughts.into());
        }
    }

    fn say(&mut self, message: Value) {
        // Thoughts that led to nothing are of no turn that is still open.
        self.thoughts.clear();
        self.messages.push(message);
    }

    fn ended(self) -> Vec<Value> {
        self.messages
    }
}

/// A text as it is, parts as a chat has them.
fn content(place: &str, content: &Value) -> Result<Value, ApiError> {
    let parts = match content {
        Value::String(_) => return Ok(content.clone()),
        Value::Array(parts) => parts,
        _ => return Err(ApiError::invalid_field(place, "must be a string or an array of parts")),
    };
    let part = |(at, part): (usize, &Value)| {
        let place = format!("{place}[{at}]");
        let (name, text) = match part["type"].as_str() {
            Some("input_text" | "output_text" | "text") => ("text", &part["text"]),
            Some("refusal") => ("refusal", &part["refusal"]),
            Some("input_image") => {
                return Err(ApiError::invalid_field(
                    place,
                    "is an image, which is not supported here",
                ));
            }
            Some("input_file") => return Err(ApiError::invalid_field(place, "is a file, which is not supported here")),
            Some("input_audio") => return Err(ApiError::invalid_field(place, "is audio, which is not supported here")),
            _ => {
                return Err(ApiError::invalid_field(
                    place,
                    "is of a type that is not supported here",
                ));
            }
        };
        match text.as_str() {
            Some(text) => Ok(json!({"type": "text", "text": text})),
            None => Err(ApiError::invalid_field(format!("{place}.{name}"), "must be a string")),
        }
    };
    let mut parts: Vec<Value> = parts.iter().enumerate().map(part).collect::<Result<_, _>>()?;
    // One text is the same as a list of it, and deployed engines know it better.
    match parts.len() {
        1 => Ok(parts.pop().map(|mut part| part["text"].take()).unwrap_or_default()),
        _ => Ok(parts.into()),
    }
}
