//! Errors in OpenAI's shape.

use serde::{Deserialize, Serialize};

/// What a caller gets instead of an answer: an HTTP status and OpenAI's error object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// Machine-readable cause.
    pub code: &'static str,
    /// One sentence for a person. Never contains content.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// Seconds to wait before another try, for the `Retry-After` header.
    pub retry_after: Option<u32>,
}

/// The JSON body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error object.
    pub error: ErrorObject,
}

/// OpenAI's error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// For a person.
    pub message: String,
    /// Kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault.
    pub param: Option<String>,
    /// Machine-readable cause.
    pub code: Option<String>,
}

const INVALID_REQUEST: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// Codes of workers that are kept when their errors are told anew.
const CODES: [&str; 8] = [
    "invalid_json",
    "invalid_value",
    "missing_required_parameter",
    "unsupported_parameter",
    "bad_request",
    "model_not_found",
    "context_length_exceeded",
    "internal_error",
];

impl ApiError {
    fn new(status: u16, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code,
            message: message.into(),
            param: None,
            retry_after: None,
        }
    }

    /// The body is not a JSON object.
    pub fn invalid_json(what: &str) -> Self {
        Self::new(
            400,
            INVALID_REQUEST,
            "invalid_json",
            format!("The body is not a valid JSON object: {what}."),
        )
    }

    /// A field has a wrong value.
    pub fn invalid_field(param: impl Into<String>, problem: &str) -> Self {
        let param = param.into();
        let message = format!("Invalid value for '{param}': {problem}.");
        Self {
            param: Some(param),
            ..Self::new(400, INVALID_REQUEST, "invalid_value", message)
        }
    }

    /// A field is needed.
    pub fn missing_field(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self {
            param: Some(param.to_owned()),
            ..Self::new(400, INVALID_REQUEST, "missing_required_parameter", message)
        }
    }

    /// A field is known to nobody on the way.
    pub fn unsupported_field(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("Unsupported parameter: '{param}'.");
        Self {
            param: Some(param),
            ..Self::new(400, INVALID_REQUEST, "unsupported_parameter", message)
        }
    }

    /// A refusal of the content by the worker, in its words.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, INVALID_REQUEST, "bad_request", message)
    }

    /// No such path.
    pub fn not_found(path: &str) -> Self {
        Self::new(
            404,
            INVALID_REQUEST,
            "not_found",
            format!("There is nothing at {path}."),
        )
    }

    /// The path exists for another method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            INVALID_REQUEST,
            "method_not_allowed",
            "This path does not allow that method.",
        )
    }

    /// Nobody serves this model.
    pub fn unknown_model(message: impl Into<String>) -> Self {
        Self {
            param: Some("model".into()),
            ..Self::new(404, INVALID_REQUEST, "model_not_found", message)
        }
    }

    /// Balance or stake does not cover the request.
    pub fn low_balance(message: impl Into<String>) -> Self {
        Self::new(402, "insufficient_quota", "insufficient_quota", message)
    }

    /// Body or reservation over a limit.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, INVALID_REQUEST, "request_too_large", message)
    }

    /// Too many requests at once.
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(429, "rate_limit_error", "rate_limit_exceeded", message)
        }
    }

    /// The model exists, but no worker can take the request now.
    pub fn no_worker(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(503, SERVER, "no_worker_available", message)
        }
    }

    /// Nobody whom the caller admits serves the request; `param` is the wish that leaves nobody.
    pub fn nobody_admitted(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(404, INVALID_REQUEST, "no_provider_admitted", message)
        }
    }

    /// There is no serving connection to a proxy.
    pub fn not_connected(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(503, SERVER, "not_connected", message)
        }
    }

    /// This node is stopping.
    pub fn draining() -> Self {
        let message = "This client is shutting down.";
        Self {
            retry_after: Some(5),
            ..Self::new(503, SERVER, "draining", message)
        }
    }

    /// The request names a quote that is not known here.
    pub fn quote_unknown(message: impl Into<String>) -> Self {
        Self::new(404, INVALID_REQUEST, "quote_unknown", message)
    }

    /// The request names a quote that was used before.
    pub fn quote_used(message: impl Into<String>) -> Self {
        Self::new(409, INVALID_REQUEST, "quote_used", message)
    }

    /// The request names a quote whose time is over.
    pub fn quote_expired(message: impl Into<String>) -> Self {
        Self::new(410, INVALID_REQUEST, "quote_expired", message)
    }

    /// No API key, or one that does not count.
    pub fn invalid_api_key(message: impl Into<String>) -> Self {
        Self::new(401, INVALID_REQUEST, "invalid_api_key", message)
    }

    /// The API key is not for this.
    pub fn insufficient_permissions(message: impl Into<String>) -> Self {
        Self::new(403, INVALID_REQUEST, "insufficient_permissions", message)
    }

    /// The API key may not use this model or endpoint.
    pub fn model_not_allowed(message: impl Into<String>) -> Self {
        Self::new(403, INVALID_REQUEST, "model_not_allowed", message)
    }

    /// The client is not called by the name that the request has in `Host`.
    pub fn host_not_allowed(message: impl Into<String>) -> Self {
        Self::new(403, INVALID_REQUEST, "host_not_allowed", message)
    }

    /// A web page of another origin sent the request.
    pub fn origin_not_allowed(message: impl Into<String>) -> Self {
        Self::new(403, INVALID_REQUEST, "origin_not_allowed", message)
    }

    /// The idempotency key stands for another request.
    pub fn idempotency_key_reused(message: impl Into<String>) -> Self {
        Self::new(422, INVALID_REQUEST, "idempotency_key_reused", message)
    }

    /// The request with this idempotency key was answered, and its answer is no longer kept.
    pub fn answer_not_kept(message: impl Into<String>) -> Self {
        Self::new(409, INVALID_REQUEST, "answer_not_kept", message)
    }

    /// The request with this idempotency key had left when the client ended.
    pub fn outcome_unknown(message: impl Into<String>) -> Self {
        Self::new(409, INVALID_REQUEST, "outcome_unknown", message)
    }

    /// The answer did not come in time.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(504, SERVER, "timeout", message)
    }

    /// The connection to the proxy died while the request ran.
    pub fn connection_lost(message: impl Into<String>) -> Self {
        Self::new(502, SERVER, "connection_lost", message)
    }

    /// The worker was lost while it answered.
    pub fn worker_lost(message: impl Into<String>) -> Self {
        Self::new(502, SERVER, "worker_lost", message)
    }

    /// A node on the way sent what it must not send.
    pub fn bad_gateway(message: impl Into<String>) -> Self {
        Self::new(502, SERVER, "bad_gateway", message)
    }

    /// The request was stopped by a node.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(502, SERVER, "cancelled", message)
    }

    /// A defect here.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, SERVER, "internal_error", message)
    }

    /// What an error code between nodes means to a caller. The codes are those of the protocol between nodes: the
    /// deployed ones below 700, and our exact ones from 701 on.
    pub fn from_node(code: i32, message: &str) -> Self {
        match code {
            701 => Self::unknown_model(message),
            702 => Self::low_balance(message),
            651 | 703 => Self::no_worker(message),
            704 => Self::too_large(message),
            705 => Self::rate_limited(message),
            706 => Self::worker_lost(message),
            711 => Self::quote_unknown(message),
            712 => Self::quote_used(message),
            713 => Self::quote_expired(message),
            602 | 603 | 621 | 707 => Self::bad_request(message),
            652 => Self::timeout(message),
            653 => Self::cancelled(message),
            _ => Self::bad_gateway(message),
        }
    }

    /// The error that a worker's or an engine's answer tells, if it tells one in OpenAI's shape. Its words are kept; of codes
    /// only those that are known here, others become the usual one of the status.
    pub fn from_body(status: u16, body: &[u8]) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        Self::from_value(status, body.get("error")?)
    }

    /// The same from the error object itself, such as an event of a stream holds it.
    pub fn from_value(status: u16, told: &serde_json::Value) -> Option<Self> {
        let message = told.get("message")?.as_str()?;
        let usual = match status {
            401 => ("authentication_error", "invalid_api_key"),
            402 => ("insufficient_quota", "insufficient_quota"),
            403 => ("permission_error", "permission_denied"),
            404 => (INVALID_REQUEST, "not_found"),
            413 => (INVALID_REQUEST, "request_too_large"),
            429 => ("rate_limit_error", "rate_limit_exceeded"),
            400..500 => (INVALID_REQUEST, "bad_request"),
            503 => (SERVER, "no_worker_available"),
            504 => (SERVER, "timeout"),
            _ => (SERVER, "bad_gateway"),
        };
        let code = told.get("code").and_then(serde_json::Value::as_str);
        let known = code.and_then(|code| CODES.iter().find(|known| **known == code));
        let param = told.get("param").and_then(serde_json::Value::as_str);
        Some(Self {
            param: param.map(str::to_owned),
            ..Self::new(status, usual.0, known.copied().unwrap_or(usual.1), message)
        })
    }

    /// The body as a value.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.message.clone(),
                kind: self.kind.to_owned(),
                param: self.param.clone(),
                code: Some(self.code.to_owned()),
            },
        }
    }

    /// The body as JSON text.
    pub fn to_json(&self) -> String {
        // Strings and options always serialise; the fallback keeps this function total.
        serde_json::to_string(&self.body()).unwrap_or_else(|_| r#"{"error":{"message":"error"}}"#.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_codes_become_the_right_statuses() {
        let status = |code| ApiError::from_node(code, "x").status;
        assert_eq!(status(701), 404);
        assert_eq!(status(702), 402);
        assert_eq!((status(703), status(651)), (503, 503));
        assert_eq!(status(652), 504);
        assert_eq!(status(704), 413);
        assert_eq!(status(705), 429);
        assert_eq!((status(711), status(712), status(713)), (404, 409, 410));
        assert_eq!((status(621), status(707)), (400, 400));
        assert_eq!((status(0), status(-7), status(706)), (502, 502, 502));
    }

    #[test]
    fn the_body_has_the_shape_of_openai() {
        let json = ApiError::invalid_field("top_p", "must be at most 1").to_json();
        let back: ErrorBody = serde_json::from_str(&json).unwrap();
        assert_eq!(back.error.param.as_deref(), Some("top_p"));
        assert_eq!(back.error.kind, "invalid_request_error");
        assert_eq!(back.error.code.as_deref(), Some("invalid_value"));
    }

    #[test]
    fn an_error_that_was_told_is_read_again() {
        for error in [
            ApiError::invalid_field("top_p", "must be at most 1"),
            ApiError::unknown_model("none"),
            ApiError::low_balance("too low"),
        ] {
            let read = ApiError::from_body(error.status, error.to_json().as_bytes());
            assert_eq!(read.as_ref(), Some(&error));
        }
        let foreign = ApiError::from_body(500, br#"{"error":{"message":"m","code":"new","param":7}}"#).unwrap();
        assert_eq!((foreign.code, foreign.param), ("bad_gateway", None));
        assert_eq!(ApiError::from_body(500, br#"{"error":"m"}"#), None);
        assert_eq!(ApiError::from_body(500, b"none"), None);
    }

    #[test]
    fn waiting_errors_say_how_long() {
        assert!(ApiError::rate_limited("x").retry_after.is_some());
        assert!(ApiError::no_worker("x").retry_after.is_some());
        assert!(ApiError::unknown_model("x").retry_after.is_none());
    }
}
