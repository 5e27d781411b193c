//! The fields of a body that are meant for the client runner: read, and taken out before the request leaves.

use serde_json::Value;

use crate::error::ApiError;
use crate::limits::{
    DEFAULT_MAX_COEFFICIENT, DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT_SECONDS, MAX_GUID, MAX_TIMEOUT_SECONDS, MAX_TOKENS,
};
use crate::provider::Provider;
use crate::request::{Endpoint, Request};

/// How the client runner shall run one request.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// Highest price that is accepted, thousandths.
    pub max_coefficient: u32,
    /// Tokens to reserve for the answer, or for all of them if several are wanted.
    pub max_tokens: u32,
    /// Seconds for the whole request.
    pub timeout_seconds: f64,
    /// Debug records of all nodes are wanted.
    pub enable_debug: bool,
    /// The caller's own name for the request.
    pub request_guid: Option<String>,
    /// Who may serve it, and at what price of each class of tokens.
    pub provider: Provider,
}

impl RunOptions {
    /// Reads the options and removes them from the request. As deployed, `max_completion_tokens` deletes `max_tokens`,
    /// and a bound that the caller did not name is not added to the body.
    pub fn take_from(request: &mut Request) -> Result<Self, ApiError> {
        let max_coefficient = match taken(request, "max_coefficient") {
            None => DEFAULT_MAX_COEFFICIENT,
            Some(value) => value
                .as_u64()
                .filter(|n| *n <= i32::MAX as u64)
                .ok_or_else(|| ApiError::invalid_field("max_coefficient", "must be an integer from 0 to 2147483647"))?,
        };
        let timeout_seconds = match taken(request, "timeout") {
            None => DEFAULT_TIMEOUT_SECONDS,
            Some(value) => value
                .as_f64()
                .filter(|s| *s > 0.0 && *s <= MAX_TIMEOUT_SECONDS)
                .ok_or_else(|| ApiError::invalid_field("timeout", "must be a number of seconds, at most 3600"))?,
        };
        let enable_debug = match taken(request, "enable_debug") {
            None => false,
            Some(value) => value
                .as_bool()
                .ok_or_else(|| ApiError::invalid_field("enable_debug", "must be true or false"))?,
        };
        let request_guid = match taken(request, "request_guid") {
            None => None,
            Some(Value::String(guid)) if guid.len() <= MAX_GUID => Some(guid),
            Some(_) => {
                return Err(ApiError::invalid_field(
                    "request_guid",
                    "must be a string of at most 128 bytes",
                ));
            }
        };
        let provider = match taken(request, "provider") {
            None => Provider::default(),
            Some(value) => Provider::read(&value)?,
        };
        let max_tokens = match request.endpoint() {
            // Nothing is generated: the size of the request bounds what it costs.
            Endpoint::Embeddings => 0,
            _ => request
                .max_tokens()
                .unwrap_or(DEFAULT_MAX_TOKENS)
                .saturating_mul(request.n()),
        };
        let max_tokens = max_tokens.min(MAX_TOKENS);
        if request.field("max_completion_tokens").is_some() {
            request.remove("max_tokens");
        }
        Ok(Self {
            // Both are bounded by 2^31 - 1 above.
            max_coefficient: u32::try_from(max_coefficient).unwrap_or(i32::MAX as u32),
            max_tokens: u32::try_from(max_tokens).unwrap_or(i32::MAX as u32),
            timeout_seconds,
            enable_debug,
            request_guid,
            provider,
        })
    }
}

fn taken(request: &mut Request, name: &str) -> Option<Value> {
    request.remove(name).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(extra: &str) -> Request {
        let body = format!(r#"{{"model":"m","prompt":"p"{extra}}}"#);
        Request::parse(Endpoint::Completion, body.as_bytes()).unwrap()
    }

    #[test]
    fn defaults_are_the_deployed_ones() {
        let mut request = request("");
        let options = RunOptions::take_from(&mut request).unwrap();
        assert_eq!((options.max_coefficient, options.max_tokens), (4000, 1000));
        assert_eq!(options.timeout_seconds, 120.0);
        assert_eq!(request.to_json(), br#"{"model":"m","prompt":"p"}"#);
    }

    #[test]
    fn options_are_taken_out_of_the_body() {
        let mut request = request(
            r#","timeout":4,"max_coefficient":2000,"enable_debug":true,"request_guid":"g","provider":{"allow_fallbacks":false},"max_tokens":9,"seed":1"#,
        );
        let options = RunOptions::take_from(&mut request).unwrap();
        assert_eq!(
            (options.max_coefficient, options.max_tokens, options.timeout_seconds),
            (2000, 9, 4.0)
        );
        assert!(options.enable_debug);
        assert_eq!(options.request_guid.as_deref(), Some("g"));
        assert!(!options.provider.allow_fallbacks);
        assert_eq!(
            request.to_json(),
            br#"{"model":"m","prompt":"p","max_tokens":9,"seed":1}"#
        );
    }

    #[test]
    fn the_newer_bound_deletes_the_older() {
        let mut request = request(r#","max_tokens":9,"max_completion_tokens":8"#);
        assert_eq!(RunOptions::take_from(&mut request).unwrap().max_tokens, 8);
        assert_eq!(request.field("max_tokens"), None);
        assert_eq!(request.max_tokens(), Some(8));
    }

    #[test]
    fn several_answers_reserve_several_times() {
        let reserved = |extra| RunOptions::take_from(&mut request(extra)).unwrap().max_tokens;
        assert_eq!(reserved(r#","max_tokens":9,"n":3"#), 27);
        assert_eq!(reserved(r#","n":2"#), 2000);
        assert_eq!(reserved(r#","max_tokens":2147483647,"n":128"#), i32::MAX as u32);
    }

    #[test]
    fn embeddings_reserve_nothing_for_an_answer() {
        let mut request = Request::parse(Endpoint::Embeddings, br#"{"model":"m","input":"x"}"#).unwrap();
        assert_eq!(RunOptions::take_from(&mut request).unwrap().max_tokens, 0);
    }

    #[test]
    fn bad_options_name_their_field() {
        for (extra, name) in [
            (r#","timeout":-1"#, "timeout"),
            (r#","timeout":1e9"#, "timeout"),
            (r#","max_coefficient":"x""#, "max_coefficient"),
            (r#","max_coefficient":4294967296"#, "max_coefficient"),
            (r#","enable_debug":1"#, "enable_debug"),
            (r#","request_guid":1"#, "request_guid"),
            (r#","provider":1"#, "provider"),
            (r#","provider":{"quantizations":["fp8"]}"#, "provider.quantizations"),
        ] {
            let error = RunOptions::take_from(&mut request(extra)).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(name));
        }
    }
}
