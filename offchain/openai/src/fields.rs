//! Which fields of a request workers take. Deployed workers refuse a request with any other field.

use serde_json::{Map, Value};

use crate::request::Endpoint;

/// Fields of a chat request that deployed workers take.
pub const CHAT: &[&str] = &[
    "messages",
    "model",
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "verbosity",
    "chat_template_kwargs",
];

/// Fields of a completion request that deployed workers take.
pub const COMPLETION: &[&str] = &[
    "prompt",
    "model",
    "best_of",
    "echo",
    "frequency_penalty",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "suffix",
    "skip_special_tokens",
];

/// Fields of a request for embeddings that our workers take; deployed workers have no such path.
pub const EMBEDDINGS: &[&str] = &["input", "model", "dimensions", "encoding_format", "user"];

/// Fields that our workers take besides, in the other two: what the engine can do, and fields of common SDKs that change nothing.
pub const OURS: &[&str] = &[
    "seed",
    "top_k",
    "min_p",
    "repetition_penalty",
    "logit_bias",
    "logprobs",
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "tools",
    "tool_choice",
    "user",
    "metadata",
    "store",
];

/// Fields that requests of the translated interfaces may have besides their own, as a chat has them: what is meant for the client
/// runner, and how the engine samples.
pub const CARRIED: &[&str] = &[
    "max_coefficient",
    "timeout",
    "enable_debug",
    "request_guid",
    "provider",
    "seed",
    "min_p",
    "repetition_penalty",
    "logit_bias",
];

/// The first field that no worker of the deployed network takes.
pub fn not_deployed(endpoint: Endpoint, fields: &Map<String, Value>) -> Option<&str> {
    let known = deployed(endpoint);
    fields.keys().map(String::as_str).find(|name| !known.contains(name))
}

/// The first field that our workers do not take.
pub fn unsupported(endpoint: Endpoint, fields: &Map<String, Value>) -> Option<&str> {
    let (known, ours) = match endpoint {
        Endpoint::Embeddings => (EMBEDDINGS, &[][..]),
        _ => (deployed(endpoint), OURS),
    };
    fields
        .keys()
        .map(String::as_str)
        .find(|name| !known.contains(name) && !ours.contains(name))
}

fn deployed(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Chat => CHAT,
        Endpoint::Completion => COMPLETION,
        Endpoint::Embeddings => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_unknown_field_is_named() {
        let Value::Object(fields) = json!({"model": "m", "messages": [], "audio": {}, "seed": 1}) else {
            panic!()
        };
        assert_eq!(not_deployed(Endpoint::Chat, &fields), Some("audio"));
        assert_eq!(unsupported(Endpoint::Chat, &fields), Some("audio"));
        let Value::Object(fields) = json!({"model": "m", "messages": [], "seed": 1}) else {
            panic!()
        };
        assert_eq!(not_deployed(Endpoint::Chat, &fields), Some("seed"));
        assert_eq!(unsupported(Endpoint::Chat, &fields), None);
        let Value::Object(fields) = json!({"model": "m", "input": "x", "seed": 1}) else {
            panic!()
        };
        assert_eq!(not_deployed(Endpoint::Embeddings, &fields), Some("model"));
        assert_eq!(unsupported(Endpoint::Embeddings, &fields), Some("seed"));
    }
}
