//! The HTTP exchange that travels inside the messages.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};

use crate::codec::{DecodeError, blob, decode, encode, list, text};

/// A caller's header, in lower case: the request is not given to a second worker to compare what both answer.
pub const NO_CHALLENGE: &str = "x-cocoon-no-challenge";

/// One header line.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct Header {
    #[tl(with = "text")]
    pub name: String,
    #[tl(with = "text")]
    pub value: String,
}

/// A request as the client sends it and the worker receives it, byte for byte.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "http.request", scheme = "../schema/cocoon.tl")]
pub struct Request {
    #[tl(with = "text")]
    pub method: String,
    #[tl(with = "text")]
    pub url: String,
    #[tl(with = "text")]
    pub http_version: String,
    #[tl(with = "list")]
    pub headers: Vec<Header>,
    #[tl(with = "blob")]
    pub payload: Bytes,
}

/// The head of a response; the body follows in parts, `payload` is used only by answers without parts.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "http.response", scheme = "../schema/cocoon.tl")]
pub struct Response {
    #[tl(with = "text")]
    pub http_version: String,
    pub status_code: i32,
    #[tl(with = "text")]
    pub reason: String,
    #[tl(with = "list")]
    pub headers: Vec<Header>,
    #[tl(with = "blob")]
    pub payload: Bytes,
}

impl Request {
    /// A POST with a JSON body, as the client runner makes it.
    pub fn post_json(url: impl Into<String>, payload: Bytes) -> Self {
        let headers = vec![
            Header {
                name: "Content-Type".into(),
                value: "application/json".into(),
            },
            Header {
                name: "Content-Length".into(),
                value: payload.len().to_string(),
            },
        ];
        Self {
            method: "POST".into(),
            url: url.into(),
            http_version: "HTTP/1.1".into(),
            headers,
            payload,
        }
    }

    /// Reads a request.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        decode(data)
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl Response {
    /// A head without a body.
    pub fn new(status_code: u16, reason: impl Into<String>, headers: Vec<Header>) -> Self {
        Self {
            http_version: "HTTP/1.1".into(),
            status_code: i32::from(status_code),
            reason: reason.into(),
            headers,
            payload: Bytes::new(),
        }
    }

    /// Reads a response.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        decode(data)
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case(name))
        .map(|h| h.value.as_str())
}

/// Shows sizes only: headers and bodies are users' content.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            method,
            url,
            headers,
            payload,
            ..
        } = self;
        write!(
            f,
            "Request({method} {url}, {} headers, {} bytes)",
            headers.len(),
            payload.len()
        )
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Response({}, {} headers, {} bytes)",
            self.status_code,
            self.headers.len(),
            self.payload.len()
        )
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({})", self.name)
    }
}
