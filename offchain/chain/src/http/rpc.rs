//! One JSON-RPC call: time limits, size limits, retries.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::is_refusal;
use crate::limits::{
    CONNECT_TIMEOUT, MAX_ERROR_CHARS, MAX_RESPONSE_BYTES, REQUEST_ATTEMPTS, REQUEST_TIMEOUT, RETRY_PAUSE,
};
use crate::{ChainError, Retry};

/// Path of the API on servers whose URL names none.
const DEFAULT_PATH: &str = "/api/v2/jsonRPC";

/// A connection pool to one server.
#[derive(Clone)]
pub(super) struct Rpc {
    url: Url,
    client: Client,
}

impl Rpc {
    pub(super) fn new(url: &str, api_key: Option<&str>) -> Result<Self, ChainError> {
        let refused = |reason: String| ChainError::Url {
            url: url.to_owned(),
            reason,
        };
        let mut parsed = Url::parse(url).map_err(|error| refused(error.to_string()))?;
        if parsed.scheme() == "https" {
            return Err(refused(
                "TLS is not built in; reach the server over a local TLS proxy".to_owned(),
            ));
        }
        if parsed.scheme() != "http" || parsed.host_str().is_none() {
            return Err(refused("it must start with http://".to_owned()));
        }
        if matches!(parsed.path(), "" | "/") {
            parsed.set_path(DEFAULT_PATH);
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut key = HeaderValue::from_str(key).map_err(|_| refused("unprintable API key".to_owned()))?;
            key.set_sensitive(true);
            headers.insert("x-api-key", key);
        }
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self { url: parsed, client })
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Calls a method, again if that may help. All methods that we use may be repeated: a message that is sent twice is
    /// executed once.
    pub(super) async fn call(&self, method: &'static str, params: Value) -> Result<Value, ChainError> {
        let mut pause = RETRY_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.call_once(method, &params).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let refused = matches!(&error, ChainError::ServerRefused { message, .. } if is_refusal(message));
            if refused || error.retry() == Retry::Never || attempt >= REQUEST_ATTEMPTS {
                return Err(error);
            }
            tracing::debug!(method, attempt, %error, "asking the chain server again");
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn call_once(&self, method: &'static str, params: &Value) -> Result<Value, ChainError> {
        let body = json!({ "id": "1", "jsonrpc": "2.0", "method": method, "params": params });
        let sent = self.client.post(self.url.clone()).json(&body).send().await;
        let response = sent.map_err(|error| self.transport(method, &error))?;
        let status = response.status().as_u16();
        let bytes = self.read(method, response).await?;
        let answer: Answer = match serde_json::from_slice(&bytes) {
            Ok(answer) => answer,
            Err(_) if status != 200 => {
                return Err(ChainError::ServerRefused {
                    method,
                    code: i64::from(status),
                    message: shorten(&String::from_utf8_lossy(&bytes)),
                });
            }
            Err(error) => {
                return Err(ChainError::Response {
                    method,
                    reason: error.to_string(),
                });
            }
        };
        match (answer.ok, answer.result) {
            (true, Some(result)) => Ok(result),
            (true, None) => Err(ChainError::Response {
                method,
                reason: "it has no result".to_owned(),
            }),
            (false, _) => {
                let message = match answer.error {
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                    None => "no reason given".to_owned(),
                };
                let code = answer.code.unwrap_or(i64::from(status));
                Err(ChainError::ServerRefused {
                    method,
                    code,
                    message: shorten(&message),
                })
            }
        }
    }

    /// Reads an answer chunk by chunk, so that a server cannot fill our memory.
    async fn read(&self, method: &'static str, mut response: Response) -> Result<Vec<u8>, ChainError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(method, &error))? {
            if bytes.len().saturating_add(chunk.len()) > MAX_RESPONSE_BYTES {
                return Err(ChainError::Response {
                    method,
                    reason: format!("it exceeds {MAX_RESPONSE_BYTES} bytes"),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn transport(&self, method: &'static str, error: &reqwest::Error) -> ChainError {
        let url = self.url.to_string();
        if error.is_timeout() {
            return ChainError::Timeout {
                url,
                method,
                seconds: seconds(REQUEST_TIMEOUT),
            };
        }
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            reason = cause.to_string();
            source = cause.source();
        }
        ChainError::Unreachable { url, reason }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// What every answer looks like.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Value>,
    error: Option<Value>,
    code: Option<i64>,
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs()
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_ERROR_CHARS).collect()
}
