//! A server with OpenAI's interface beside this program as a backend.

use super::{Asked, Trouble};
use crate::answering::Answering;
use crate::error::WorkerError;
use crate::limits::{HEALTH_TIMEOUT, MAX_UPSTREAM_BODY};
use bytes::{Bytes, BytesMut};
use cocoon_bindings::tokens::TokenCounts;
use cocoon_openai::Request;
use cocoon_openai::sse::{DONE, SseDecoder, SseEvent};
use cocoon_openai::usage::{RawCounts, UsageMeter};
use cocoon_protocol::http::{Header, Response};
use cocoon_receipt::FinishReason;
use serde_json::Value;

/// Headers that belong to one connection and are never passed on, in lower case.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where the server is.
pub(crate) struct Upstream {
    client: reqwest::Client,
    url: String,
}

impl Upstream {
    pub(crate) fn new(url: &str) -> Result<Self, WorkerError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(WorkerError::HttpClient)?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    pub(super) async fn is_healthy(&self) -> bool {
        let look = async {
            let answer = self
                .client
                .get(format!("{}/v1/models", self.url))
                .timeout(HEALTH_TIMEOUT)
                .send()
                .await?;
            answer.error_for_status()?.bytes().await
        };
        look.await.is_ok()
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let Asked { mut request, headers } = asked;
        force_usage(&mut request)?;
        let streams = request.stream();
        let mut post = self.client.post(format!("{}{}", self.url, request.endpoint().path()));
        for Header { name, value } in &headers {
            if !is_hop_by_hop(name) && !name.eq_ignore_ascii_case("content-type") {
                post = post.header(name, value);
            }
        }
        let post = post.header("Content-Type", "application/json").body(request.to_json());
        // Errors of the client library may quote the address only; still none of their text is passed on.
        let answer = post.send().await.map_err(|_| failed("cannot be reached"))?;
        let status = answer.status();
        let head = head(&answer, out.started());
        let mut meter = Meter::new();
        if !(streams && status.is_success()) {
            let body = read_whole(answer).await?;
            if let Ok(document) = serde_json::from_slice(&body) {
                meter.observe(&document);
            }
            out.count(meter.counts());
            out.head(&head).await?;
            let finish = if status.is_success() {
                meter.finish
            } else {
                FinishReason::Failed
            };
            return Ok((body, finish));
        }
        out.head(&head).await?;
        relay(answer, &mut meter, out).await
    }
}

/// Passes a stream on as it comes; the piece with the end mark is kept for the last message.
async fn relay(
    mut answer: reqwest::Response,
    meter: &mut Meter,
    out: &mut Answering,
) -> Result<(Bytes, FinishReason), Trouble> {
    let mut decoder = SseDecoder::default();
    let mut held = Bytes::new();
    loop {
        let piece = answer.chunk().await.map_err(|_| failed("broke off its answer"))?;
        let Some(piece) = piece else {
            if !meter.ended {
                return Err(failed("ended its stream without the end mark"));
            }
            return Ok((held, meter.finish));
        };
        let events = decoder.push(&piece).map_err(|_| failed("sent a malformed stream"))?;
        for event in events {
            if let SseEvent::Data(data) = event {
                meter.event(&data);
            }
        }
        out.count(meter.counts());
        if !held.is_empty() {
            out.body(std::mem::take(&mut held)).await?;
        }
        if meter.ended {
            held = piece;
        } else {
            out.body(piece).await?;
        }
    }
}

/// Counts an answer from what the server says, and until it says something from its pieces.
struct Meter {
    usage: UsageMeter,
    /// Pieces with text, each at least one token.
    pieces: u64,
    ended: bool,
    finish: FinishReason,
}

impl Meter {
    fn new() -> Self {
        Self {
            usage: UsageMeter::default(),
            pieces: 0,
            ended: false,
            finish: FinishReason::Unknown,
        }
    }

    fn event(&mut self, data: &str) {
        if data == DONE {
            self.ended = true;
        } else if let Ok(document) = serde_json::from_str(data) {
            self.observe(&document);
        }
    }

    fn observe(&mut self, document: &Value) {
        self.usage.observe(document);
        let Some(choices) = document.get("choices").and_then(Value::as_array) else {
            return;
        };
        for choice in choices {
            let delta = choice.get("delta");
            let texts = [
                delta.and_then(|delta| delta.get("content")),
                delta.and_then(|delta| delta.get("reasoning_content")),
                choice.get("text"),
            ];
            let has_text = texts
                .iter()
                .flatten()
                .any(|text| text.as_str().is_some_and(|text| !text.is_empty()));
            self.pieces += u64::from(has_text);
            if let Some(word) = choice.get("finish_reason").and_then(Value::as_str) {
                self.finish = FinishReason::from_word(word);
            }
        }
    }

    fn counts(&self) -> TokenCounts {
        let RawCounts {
            prompt,
            cached,
            completion,
            reasoning,
        } = self.usage.counts();
        let completion = if completion == 0 { self.pieces } else { completion };
        // A part larger than its whole would make every statement invalid.
        TokenCounts {
            prompt,
            cached: cached.min(prompt),
            completion,
            reasoning: reasoning.min(completion),
        }
    }
}

fn force_usage(request: &mut Request) -> Result<(), Trouble> {
    if request.stream() {
        let mut options = request
            .field("stream_options")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        options.insert("include_usage".to_owned(), true.into());
        request.set("stream_options", options.into())?;
    }
    Ok(())
}

async fn read_whole(mut answer: reqwest::Response) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(|_| failed("broke off its answer"))? {
        if body.len() + piece.len() > MAX_UPSTREAM_BODY {
            return Err(failed("sent too long an answer"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

fn head(answer: &reqwest::Response, started: f64) -> Response {
    let kept = answer
        .headers()
        .iter()
        .filter(|(name, _)| !is_hop_by_hop(name.as_str()));
    let kept = kept.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?.to_owned())));
    let own = [
        ("X-Cocoon-Worker-Start", format!("{started:.6}")),
        ("Transfer-Encoding", "chunked".to_owned()),
    ];
    let headers = kept
        .chain(own)
        .map(|(name, value)| Header {
            name: name.to_owned(),
            value,
        })
        .collect();
    Response::new(
        answer.status().as_u16(),
        answer.status().canonical_reason().unwrap_or_default(),
        headers,
    )
}

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name.to_ascii_lowercase().as_str())
}

fn failed(what: &str) -> Trouble {
    Trouble::Failed(format!("the inference server {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_count_until_usage_comes() {
        let mut meter = Meter::new();
        meter.event(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
        meter.event(r#"{"choices":[{"delta":{"content":"a"}}]}"#);
        meter.event(r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}"#);
        assert_eq!(meter.counts().completion, 2);
        meter.event(r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":9}}}"#);
        assert_eq!(
            meter.counts(),
            TokenCounts {
                prompt: 5,
                cached: 5,
                completion: 7,
                reasoning: 0
            }
        );
        assert!(!meter.ended);
        meter.event("[DONE]");
        assert!(meter.ended);
        assert_eq!(meter.finish, FinishReason::Length);
    }
}
