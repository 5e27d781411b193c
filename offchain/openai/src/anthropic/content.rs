//! The blocks of a message.

use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// The content of one message, with its place in the request.
pub(super) struct Blocks<'a> {
    place: &'a str,
    list: Vec<Block>,
}

/// One block that a chat has a counterpart of.
enum Block {
    Text(String),
    Thinking(String),
    /// A call of a tool, in the words of a chat.
    Call(Value),
    /// The message with the result of a call.
    Result(Value),
}

impl<'a> Blocks<'a> {
    /// Reads a text, or an array of blocks.
    pub(super) fn read(place: &'a str, content: &Value) -> Result<Self, ApiError> {
        let list = match content {
            Value::String(text) => vec![Block::Text(text.clone())],
            Value::Array(blocks) => {
                let one = |(at, value): (usize, &Value)| block(&format!("{place}[{at}]"), value);
                blocks.iter().enumerate().map(one).collect::<Result<_, _>>()?
            }
            _ => return Err(ApiError::invalid_field(place, "must be a string or an array of blocks")),
        };
        Ok(Self { place, list })
    }

    /// Adds what a user said: results of tools are messages of their own, in their order.
    pub(super) fn of_user(self, chat: &mut Vec<Value>) -> Result<(), ApiError> {
        let mut texts = Vec::new();
        for block in self.list {
            match block {
                Block::Text(text) => texts.push(text),
                Block::Result(message) => {
                    say(chat, &mut texts);
                    chat.push(message);
                }
                Block::Call(_) | Block::Thinking(_) => {
                    let problem = "may hold texts and results of tools, as a user's message";
                    return Err(ApiError::invalid_field(self.place, problem));
                }
            }
        }
        say(chat, &mut texts);
        Ok(())
    }

    /// Adds what the model said: one message with its thoughts, its text and its calls.
    pub(super) fn of_assistant(self, chat: &mut Vec<Value>) -> Result<(), ApiError> {
        let (mut thoughts, mut texts, mut calls) = (String::new(), Vec::new(), Vec::new());
        for block in self.list {
            match block {
                Block::Text(text) => texts.push(text),
                Block::Thinking(text) => thoughts += &text,
                Block::Call(call) => calls.push(call),
                Block::Result(_) => {
                    let problem = "may hold texts, thoughts and calls of tools, as the model's message";
                    return Err(ApiError::invalid_field(self.place, problem));
                }
            }
        }
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        message.insert("content".into(), joined(texts));
        if !thoughts.is_empty() {
            message.insert("reasoning_content".into(), thoughts.into());
        }
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
        chat.push(message.into());
        Ok(())
    }
}

fn say(chat: &mut Vec<Value>, texts: &mut Vec<String>) {
    if !texts.is_empty() {
        chat.push(json!({"role": "user", "content": joined(std::mem::take(texts))}));
    }
}

/// One text as it is, several as parts, so that none is lost between them.
fn joined(mut texts: Vec<String>) -> Value {
    match texts.len() {
        0 => Value::Null,
        1 => texts.pop().into(),
        _ => texts
            .into_iter()
            .map(|text| json!({"type": "text", "text": text}))
            .collect(),
    }
}

/// The text of a block that must be one.
pub(super) fn text(place: &str, block: &Value) -> Result<String, ApiError> {
    match (block["type"].as_str(), block["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        (Some("text"), None) => Err(ApiError::invalid_field(format!("{place}.text"), "must be a string")),
        _ => Err(other(place, block)),
    }
}

fn block(place: &str, value: &Value) -> Result<Block, ApiError> {
    let member = |name: &str| {
        let named = || format!("{place}.{name}");
        let found = value[name].as_str().map(str::to_owned);
        found.ok_or_else(|| ApiError::invalid_field(named(), "must be a string"))
    };
    match value["type"].as_str() {
        Some("text") => Ok(Block::Text(member("text")?)),
        Some("thinking") => Ok(Block::Thinking(member("thinking")?)),
        Some("tool_use") => {
            if !value["input"].is_object() {
                return Err(ApiError::invalid_field(format!("{place}.input"), "must be an object"));
            }
            let function = json!({"name": member("name")?, "arguments": value["input"].to_string()});
            Ok(Block::Call(
                json!({"id": member("id")?, "type": "function", "function": function}),
            ))
        }
        Some("tool_result") => {
            let content = result(place, value)?;
            let id = member("tool_use_id")?;
            Ok(Block::Result(
                json!({"role": "tool", "tool_call_id": id, "content": content}),
            ))
        }
        _ => Err(other(place, value)),
    }
}

/// What a tool gave. A chat has no mark for a failure: the words of one begin so.
fn result(place: &str, value: &Value) -> Result<Value, ApiError> {
    let place = format!("{place}.content");
    let mut texts = match &value["content"] {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            let one = |(at, block): (usize, &Value)| text(&format!("{place}[{at}]"), block);
            blocks.iter().enumerate().map(one).collect::<Result<_, _>>()?
        }
        _ => {
            return Err(ApiError::invalid_field(
                place,
                "must be a string or an array of text blocks",
            ));
        }
    };
    if value["is_error"] == true {
        texts.insert(0, "Error: ".to_owned());
        texts = vec![texts.concat()];
    }
    match joined(texts) {
        Value::Null => Ok("".into()),
        content => Ok(content),
    }
}

fn other(place: &str, block: &Value) -> ApiError {
    let kind = block["type"].as_str();
    // What it is called comes from the caller: only names that the vendor has are repeated.
    let known = [
        "image",
        "document",
        "search_result",
        "redacted_thinking",
        "server_tool_use",
        "container_upload",
    ];
    match kind.and_then(|kind| known.into_iter().find(|known| *known == kind)) {
        Some(kind) => ApiError::invalid_field(place, &format!("is of type `{kind}`, which is not supported here")),
        None => ApiError::invalid_field(place, "is of a type that is not supported here"),
    }
}
