//! The Messages interface of Anthropic, as a translation to a chat request and of its answer.
//!
//! What has no counterpart is refused by name; what is only a hint to the vendor's own servers (`cache_control`, `service_tier`)
//! is left out.

mod answer;
mod content;
mod request;
mod stream;

pub use request::read;

use serde_json::{Value, json};

use crate::error::ApiError;

/// Where the interface is.
pub const PATH: &str = "/v1/messages";
/// Where its tokens would be counted.
pub const COUNT_TOKENS_PATH: &str = "/v1/messages/count_tokens";

/// An error in Anthropic's shape.
pub fn error(error: &ApiError) -> Value {
    json!({"type": "error", "error": {"type": error_type(error.status), "message": error.message}})
}

/// Why tokens are not counted: only a worker has the model's tokenizer, and it counts what it answers.
pub fn cannot_count() -> ApiError {
    ApiError {
        message:
            "This client has no tokenizer of the models, so it cannot count tokens; the usage of an answer tells them."
                .to_owned(),
        ..ApiError::not_found(COUNT_TOKENS_PATH)
    }
}

fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests;
