//! The bytes that a receipt's two content hashes are over, as the worker saw them or as a caller of the client has them.
//!
//! The request's hash is over the boxed `http.request` that the client sends: method, path, two headers, and the caller's JSON
//! with the client's own fields taken out. That is computed here, by the code with which the client does it, so that a page
//! needs nobody's word for it. The answer's hash is over the worker's body, which the client hands on unchanged; to a stream it
//! adds comments at the end, which are taken off here.

use cocoon_openai::options::RunOptions;
use cocoon_openai::{ApiError, Endpoint, Request};
use cocoon_protocol::http;

/// What a caller sent to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent<'a> {
    /// The boxed `http.request` itself.
    Exactly(&'a [u8]),
    /// A body that was posted to one of the client's paths.
    ToClient {
        /// The path, such as `/v1/chat/completions`.
        path: &'a str,
        /// The JSON.
        body: &'a [u8],
    },
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received<'a> {
    /// The worker's body.
    Exactly(&'a [u8]),
    /// The client's body.
    FromClient(&'a [u8]),
}

/// Why the bytes of a request cannot be computed.
pub(crate) enum Unmade {
    /// The client does not hand requests on from this path as they are.
    Path,
    /// The client would not have sent this.
    Refused(ApiError),
}

impl Sent<'_> {
    /// The bytes that are hashed.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Unmade> {
        let (path, body) = match self {
            Self::Exactly(bytes) => return Ok(bytes.to_vec()),
            Self::ToClient { path, body } => (*path, *body),
        };
        let endpoint = Endpoint::from_path(path).ok_or(Unmade::Path)?;
        let mut request = Request::parse(endpoint, body).map_err(Unmade::Refused)?;
        RunOptions::take_from(&mut request).map_err(Unmade::Refused)?;
        let request = http::Request::post_json(endpoint.path(), request.to_json().into());
        Ok(request.encode().to_vec())
    }
}

impl<'a> Received<'a> {
    /// What may have been hashed: of an event stream that the worker ended without a blank line the client adds one.
    pub(crate) fn candidates(&self) -> Vec<&'a [u8]> {
        let bytes = match self {
            Self::Exactly(bytes) => return vec![bytes],
            Self::FromClient(bytes) => *bytes,
        };
        let body = end_comments(bytes);
        let mut candidates = vec![body];
        candidates.extend(body.strip_suffix(b"\n\n"));
        if body.len() != bytes.len() {
            candidates.push(bytes);
        }
        candidates
    }
}

/// The bytes without the client's comments at their end, each `: cocoon-...` and a blank line.
fn end_comments(mut bytes: &[u8]) -> &[u8] {
    const MARK: &[u8] = b": cocoon-";
    while let Some(body) = bytes.strip_suffix(b"\n\n") {
        let line = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if !body[line..].starts_with(MARK) {
            break;
        }
        bytes = &bytes[..line];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_clients_own_comments_are_taken_off() {
        let body = b"data: {}\n\ndata: [DONE]\n\n";
        let with = [&body[..], b": cocoon-debug {}\n\n: cocoon-receipt-id 12\n\n"].concat();
        assert_eq!(end_comments(&with), body);
        assert_eq!(end_comments(body), body);
        assert_eq!(end_comments(b": keep-alive\n\n"), b": keep-alive\n\n");
        assert_eq!(end_comments(b": cocoon-receipt-id 12\n\n"), b"");
    }

    #[test]
    fn the_clients_own_fields_are_not_sent() {
        let with = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"timeout":5}"#;
        let without = br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
        let path = "/v1/chat/completions";
        let bytes = |body| Sent::ToClient { path, body }.bytes().ok();
        assert!(bytes(with).is_some());
        assert_eq!(bytes(with), bytes(without));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_not(path: String, body: Vec<u8>) {
            let _ = Sent::ToClient { path: &path, body: &body }.bytes().is_ok();
            let _ = Sent::ToClient { path: "/v1/chat/completions", body: &body }.bytes().is_ok();
            prop_assert!(Received::FromClient(&body).candidates().iter().all(|bytes| body.starts_with(bytes)));
        }
    }
}
