//! A server with OpenAI's interface beside this program as a backend.

mod meter;

use super::{Asked, Trouble};
use crate::answering::Answering;
use crate::error::WorkerError;
use crate::limits::{HEALTH_TIMEOUT, MAX_UPSTREAM_BODY};
use bytes::{Bytes, BytesMut};
use cocoon_openai::Request;
use cocoon_openai::sse::{DONE, SseDecoder, SseEvent, encode_data};
use cocoon_protocol::http::{Header, Response};
use cocoon_receipt::FinishReason;
use meter::Meter;
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

    /// Whether it lists its models and does not say that it is still loading or warming up: some listen long before they
    /// can answer.
    pub(super) async fn is_healthy(&self) -> bool {
        let get = |path: &str| {
            let request = self.client.get(format!("{}{path}", self.url));
            request.timeout(HEALTH_TIMEOUT).send()
        };
        // Not every server has this page.
        let is_loading = |answer: reqwest::Response| answer.status().is_server_error();
        if get("/health").await.is_ok_and(is_loading) {
            return false;
        }
        let look = async { get("/v1/models").await?.error_for_status()?.bytes().await };
        look.await.is_ok()
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let Asked {
            mut request, headers, ..
        } = asked;
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
        let mut meter = Meter::new(&request);
        if !(streams && status.is_success()) {
            let body = read_whole(answer).await?;
            let document = serde_json::from_slice(&body);
            if let Ok(document) = &document {
                meter.observe(document);
            }
            let failed = !status.is_success() || document.is_err() || meter.failed;
            if !failed {
                out.count(meter.counts());
            }
            out.head(&head).await?;
            let finish = if failed { FinishReason::Failed } else { meter.finish() };
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
            if meter.ended {
                return Ok((held, meter.finish()));
            }
            // Some servers leave the end mark out; callers need it.
            if meter.is_complete() {
                return Ok((format!("\n\n{}", encode_data(DONE)).into(), meter.finish()));
            }
            return Err(failed("ended its stream before its answer"));
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
        if meter.failed {
            // Callers see what the server said.
            out.body(piece).await?;
            return Err(failed("reported an error"));
        }
        if meter.ended {
            held = piece;
        } else {
            out.body(piece).await?;
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
