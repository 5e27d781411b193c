//! A server with OpenAI's interface beside this program as a backend.

mod meter;
mod summary;

use super::{Asked, Trouble};
use crate::answering::Answering;
use crate::limits::{HEALTH_TIMEOUT, MAX_HELD_BODY};
use bytes::{Bytes, BytesMut};
use cocoon_openai::sse::{DONE, SseDecoder, SseEvent, encode_data};
use cocoon_openai::{ApiError, Request};
use cocoon_protocol::http::{Header, Response};
use cocoon_ratls::SharedNetwork;
use cocoon_receipt::FinishReason;
use cocoon_runner::web::{WebClient, web_client};
use http::StatusCode;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use meter::Meter;
use serde_json::Value;
use summary::Summary;

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

/// Head and body of what the server says.
type Answer = http::Response<Incoming>;

/// Where the server is.
pub(crate) struct Upstream {
    client: WebClient,
    url: String,
}

impl Upstream {
    pub(crate) fn new(network: SharedNetwork, url: &str) -> Self {
        Self {
            client: web_client(network),
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// Whether it lists its models and does not say that it is still loading or warming up: some listen long before they
    /// can answer.
    pub(super) async fn is_healthy(&self) -> bool {
        let get = async |path: &str| {
            let request = http::Request::get(format!("{}{path}", self.url)).body(Full::default());
            let answer = self.client.request(request.ok()?).await.ok()?;
            let status = answer.status();
            answer.into_body().collect().await.ok().map(|_| status)
        };
        let within = async |path| tokio::time::timeout(HEALTH_TIMEOUT, get(path)).await.ok().flatten();
        // Not every server has this page.
        if within("/health").await.is_some_and(|status| status.is_server_error()) {
            return false;
        }
        let is_fine = |status: StatusCode| !status.is_client_error() && !status.is_server_error();
        within("/v1/models").await.is_some_and(is_fine)
    }

    pub(super) async fn answer(&self, asked: Asked, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
        let Asked {
            mut request, headers, ..
        } = asked;
        force_usage(&mut request)?;
        let streams = request.stream();
        let mut post = http::Request::post(format!("{}{}", self.url, request.endpoint().path()));
        for Header { name, value } in &headers {
            if !is_hop_by_hop(name) && !name.eq_ignore_ascii_case("content-type") {
                post = post.header(name.as_str(), value.as_str());
            }
        }
        let body = Full::from(Bytes::from(request.to_json()));
        let post = post.header("Content-Type", "application/json").body(body);
        let post = post.map_err(|_| ApiError::bad_request("a header is not one of HTTP"))?;
        // Errors of the client library may quote the address only; still none of their text is passed on.
        let sent = self.client.request(post).await;
        let answer = sent.map_err(|_| failed("cannot be reached"))?;
        let status = answer.status();
        let head = head(&answer, out.started());
        let mut meter = Meter::new(&request);
        if !(streams && status.is_success()) {
            let mut answer = answer.into_body();
            let (body, is_whole) = read(&mut answer).await?;
            if !is_whole {
                if !status.is_success() {
                    return Err(failed("sent too long an error"));
                }
                out.head(&head).await?;
                return relay_document(body, answer, meter, out).await;
            }
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
async fn relay(answer: Answer, meter: &mut Meter, out: &mut Answering) -> Result<(Bytes, FinishReason), Trouble> {
    let mut answer = answer.into_body();
    let mut decoder = SseDecoder::default();
    let mut held = Bytes::new();
    loop {
        let piece = chunk(&mut answer).await?;
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

/// The next piece of a body.
async fn chunk(body: &mut Incoming) -> Result<Option<Bytes>, Trouble> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| failed("broke off its answer"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// A body, or as much of it as is held, and whether that is all.
async fn read(answer: &mut Incoming) -> Result<(Bytes, bool), Trouble> {
    let mut body = BytesMut::new();
    while let Some(piece) = chunk(answer).await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_HELD_BODY {
            return Ok((body.freeze(), false));
        }
    }
    Ok((body.freeze(), true))
}

/// Passes a document on that is too long to be held; `begun` is what came of it. It is counted at its end.
async fn relay_document(
    begun: Bytes,
    mut answer: Incoming,
    mut meter: Meter,
    out: &mut Answering,
) -> Result<(Bytes, FinishReason), Trouble> {
    let mut summary = Summary::default();
    let mut held = begun;
    loop {
        summary.take(&held);
        let Some(next) = chunk(&mut answer).await? else { break };
        out.body(std::mem::replace(&mut held, next)).await?;
    }
    let document = summary.document().ok_or_else(|| failed("sent a malformed document"))?;
    meter.observe(&document);
    if meter.failed {
        return Err(failed("reported an error"));
    }
    out.count(meter.counts());
    Ok((held, meter.finish()))
}

fn head(answer: &Answer, started: f64) -> Response {
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
