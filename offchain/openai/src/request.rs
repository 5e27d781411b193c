//! A request body: validated once, kept whole.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::limits::{MAX_MESSAGES, MAX_MODEL_NAME, MAX_STOP, MAX_TOKENS};

/// Which of the inference paths a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Completion,
    /// `/v1/embeddings`, which deployed workers do not have.
    Embeddings,
}

impl Endpoint {
    /// The path on the wire.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completion => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    /// From a path; a query string makes it unknown, as deployed.
    pub fn from_path(path: &str) -> Option<Self> {
        [Self::Chat, Self::Completion, Self::Embeddings]
            .into_iter()
            .find(|endpoint| endpoint.path() == path)
    }
}

/// A request body that passed validation. Equal to what the caller sent, field by field and in order.
#[derive(Clone, PartialEq)]
pub struct Request {
    endpoint: Endpoint,
    fields: Map<String, Value>,
}

impl Request {
    /// Parses and validates a body.
    pub fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Self, ApiError> {
        Self::from_fields(endpoint, parse_object(body)?)
    }

    /// Validates an object.
    pub fn from_fields(endpoint: Endpoint, fields: Map<String, Value>) -> Result<Self, ApiError> {
        let request = Self { endpoint, fields };
        request.check()?;
        Ok(request)
    }

    /// Which path it is for.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        self.fields.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// The answer is wanted as a stream of events.
    pub fn stream(&self) -> bool {
        self.flag("stream")
    }

    /// A stream shall end with usage.
    pub fn include_usage(&self) -> bool {
        self.field("stream_options")
            .and_then(|o| o.get("include_usage"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The caller's bound on generated tokens: `max_completion_tokens` goes before `max_tokens`.
    pub fn max_tokens(&self) -> Option<u64> {
        ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|name| self.field(name)?.as_u64())
    }

    /// Sampling temperature.
    pub fn temperature(&self) -> Option<f64> {
        self.number("temperature")
    }

    /// Nucleus sampling.
    pub fn top_p(&self) -> Option<f64> {
        self.number("top_p")
    }

    /// Top-k sampling.
    pub fn top_k(&self) -> Option<u64> {
        self.field("top_k")?.as_u64()
    }

    /// Seed of the sampler.
    pub fn seed(&self) -> Option<i64> {
        self.field("seed")?.as_i64()
    }

    /// Presence penalty.
    pub fn presence_penalty(&self) -> Option<f64> {
        self.number("presence_penalty")
    }

    /// Frequency penalty.
    pub fn frequency_penalty(&self) -> Option<f64> {
        self.number("frequency_penalty")
    }

    /// Number of alternatives, 1 unless named.
    pub fn n(&self) -> u64 {
        self.field("n").and_then(Value::as_u64).unwrap_or(1)
    }

    /// Strings that end the answer.
    pub fn stop(&self) -> Vec<&str> {
        match self.field("stop") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The conversation of a chat request.
    pub fn messages(&self) -> &[Value] {
        self.field("messages")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The text of a completion request, when it is one text.
    pub fn prompt(&self) -> Option<&str> {
        match self.field("prompt")? {
            Value::String(text) => Some(text),
            Value::Array(one) => match one.as_slice() {
                [Value::String(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// A field; `null` counts as absent.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// All fields, in the caller's order.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Takes a field out, keeping the order of the others.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name)
    }

    /// Sets a field, in place if it is there.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), ApiError> {
        let mut changed = self.clone();
        changed.fields.insert(name.to_owned(), value);
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        // A map of JSON values always serialises; the fallback keeps this function total.
        serde_json::to_vec(&self.fields).unwrap_or_else(|_| b"{}".to_vec())
    }

    fn check(&self) -> Result<(), ApiError> {
        self.check_model()?;
        match self.endpoint {
            Endpoint::Chat => self.check_messages()?,
            Endpoint::Completion => self.check_prompt()?,
            Endpoint::Embeddings => self.check_embeddings()?,
        }
        for name in ["max_tokens", "max_completion_tokens"] {
            self.check_count(name, 1, MAX_TOKENS)?;
        }
        self.check_count("n", 1, 128)?;
        self.check_count("top_logprobs", 0, 20)?;
        self.check_range("temperature", 0.0, 2.0)?;
        self.check_range("top_p", 0.0, 1.0)?;
        self.check_range("frequency_penalty", -2.0, 2.0)?;
        self.check_range("presence_penalty", -2.0, 2.0)?;
        for name in ["stream", "parallel_tool_calls", "echo", "store"] {
            self.check_kind(name, Value::is_boolean, "must be true or false")?;
        }
        for name in ["stream_options", "response_format", "chat_template_kwargs", "metadata"] {
            self.check_kind(name, Value::is_object, "must be an object")?;
        }
        self.check_kind("seed", Value::is_i64, "must be an integer")?;
        self.check_kind("user", Value::is_string, "must be a string")?;
        self.check_stop()
    }

    fn check_model(&self) -> Result<(), ApiError> {
        match self.field("model") {
            None => Err(ApiError::missing_field("model")),
            Some(Value::String(name)) if name.is_empty() || name.len() > MAX_MODEL_NAME => {
                Err(ApiError::invalid_field("model", "must have between 1 and 256 bytes"))
            }
            Some(Value::String(_)) => Ok(()),
            Some(_) => Err(ApiError::invalid_field("model", "must be a string")),
        }
    }

    fn check_messages(&self) -> Result<(), ApiError> {
        let messages = match self.field("messages") {
            None => return Err(ApiError::missing_field("messages")),
            Some(Value::Array(messages)) => messages,
            Some(_) => return Err(ApiError::invalid_field("messages", "must be an array")),
        };
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            return Err(ApiError::invalid_field(
                "messages",
                "must have between 1 and 4096 messages",
            ));
        }
        for (index, message) in messages.iter().enumerate() {
            if !message.is_object() {
                return Err(ApiError::invalid_field(
                    format!("messages[{index}]"),
                    "must be an object",
                ));
            }
            if !message.get("role").is_some_and(Value::is_string) {
                return Err(ApiError::invalid_field(
                    format!("messages[{index}].role"),
                    "must be a string",
                ));
            }
            let content = message.get("content").unwrap_or(&Value::Null);
            if !(content.is_string() || content.is_array() || content.is_null()) {
                return Err(ApiError::invalid_field(
                    format!("messages[{index}].content"),
                    "must be a string or an array of parts",
                ));
            }
        }
        Ok(())
    }

    fn check_prompt(&self) -> Result<(), ApiError> {
        match self.field("prompt") {
            None => Err(ApiError::missing_field("prompt")),
            Some(Value::String(_) | Value::Array(_)) => Ok(()),
            Some(_) => Err(ApiError::invalid_field("prompt", "must be a string or an array")),
        }
    }

    fn check_stop(&self) -> Result<(), ApiError> {
        let allowed = match self.field("stop") {
            None | Some(Value::String(_)) => true,
            Some(Value::Array(many)) => many.len() <= MAX_STOP && many.iter().all(Value::is_string),
            Some(_) => false,
        };
        if allowed {
            Ok(())
        } else {
            Err(ApiError::invalid_field("stop", "must be a string or up to 4 strings"))
        }
    }

    pub(crate) fn check_count(&self, name: &str, min: u64, max: u64) -> Result<(), ApiError> {
        match self.field(name) {
            None => Ok(()),
            Some(value) if value.as_u64().is_some_and(|n| (min..=max).contains(&n)) => Ok(()),
            Some(_) => Err(ApiError::invalid_field(
                name,
                &format!("must be an integer from {min} to {max}"),
            )),
        }
    }

    fn check_range(&self, name: &str, min: f64, max: f64) -> Result<(), ApiError> {
        match self.field(name) {
            None => Ok(()),
            Some(value) if value.as_f64().is_some_and(|n| (min..=max).contains(&n)) => Ok(()),
            Some(_) => Err(ApiError::invalid_field(
                name,
                &format!("must be a number from {min} to {max}"),
            )),
        }
    }

    fn check_kind(&self, name: &str, is_kind: fn(&Value) -> bool, problem: &str) -> Result<(), ApiError> {
        match self.field(name) {
            Some(value) if !is_kind(value) => Err(ApiError::invalid_field(name, problem)),
            _ => Ok(()),
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.field(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.field(name)?.as_f64()
    }
}

/// The fields of a body, in the caller's order.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|e| {
        // The error's own text may quote the input: only the place is said.
        ApiError::invalid_json(&format!("line {}, column {}", e.line(), e.column()))
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::invalid_json("it is not an object")),
    }
}

/// Names of fields only: their values are content.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Request({:?}, fields {:?})",
            self.endpoint,
            self.fields.keys().collect::<Vec<_>>()
        )
    }
}

#[cfg(test)]
mod tests;
