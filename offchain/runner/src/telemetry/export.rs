//! Sends spans to the collector, in the background and in bundles. What it does not take is dropped and counted: no request waits.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use cocoon_ratls::SharedNetwork;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::span::Finished;
use super::{DROPPED, SENT, otlp};
use crate::limits::{EXPORT_TIMEOUT, SPAN_BUNDLE, SPAN_PATIENCE};
use crate::web::{WebClient, web_client};

/// What sends the spans of one tracer.
#[derive(Debug)]
pub struct Exporter(Option<Sender>);

#[derive(Debug)]
struct Sender {
    url: String,
    role: &'static str,
    client: WebClient,
    finished: mpsc::Receiver<Finished>,
    /// Whether the last bundle was not taken: told once.
    is_failing: bool,
}

impl Exporter {
    pub(super) fn off() -> Self {
        Self(None)
    }

    pub(super) fn new(
        collector: &str,
        role: &'static str,
        network: SharedNetwork,
        finished: mpsc::Receiver<Finished>,
    ) -> Self {
        Self(Some(Sender {
            url: format!("{}/v1/traces", collector.trim_end_matches('/')),
            role,
            client: web_client(network),
            finished,
            is_failing: false,
        }))
    }

    /// Runs until the stop, and sends then what is left, in one bounded attempt.
    pub async fn run(self, stop: CancellationToken) {
        let Some(mut sender) = self.0 else { return };
        while let Some(Some(first)) = stop.run_until_cancelled(sender.finished.recv()).await {
            let mut spans = vec![first];
            let until = Instant::now() + SPAN_PATIENCE;
            while spans.len() < SPAN_BUNDLE && !stop.is_cancelled() {
                match timeout_at(until, sender.finished.recv()).await {
                    Ok(Some(span)) => spans.push(span),
                    Ok(None) | Err(_) => break,
                }
            }
            sender.send(&spans, &stop).await;
        }
        let mut left = Vec::new();
        while let Ok(span) = sender.finished.try_recv() {
            left.push(span);
        }
        for spans in left.chunks(SPAN_BUNDLE) {
            // A collector that does not answer holds the end up once, not for each bundle.
            match sender.is_failing {
                true => sender.count(spans.len(), false),
                false => sender.send(spans, &stop).await,
            }
        }
    }
}

impl Sender {
    async fn send(&mut self, spans: &[Finished], stop: &CancellationToken) {
        let hurry = async {
            stop.cancelled().await;
            sleep(SPAN_PATIENCE).await;
        };
        let is_taken = tokio::select! {
            taken = self.post(otlp::encode(self.role, spans).to_string()) => taken == Some(true),
            () = sleep(EXPORT_TIMEOUT) => false,
            () = hurry => false,
        };
        self.count(spans.len(), is_taken);
        if !is_taken && !self.is_failing {
            tracing::warn!("the collector does not take traces: they are dropped and counted");
        }
        self.is_failing = !is_taken;
    }

    fn count(&self, spans: usize, is_taken: bool) {
        let tally = if is_taken { &SENT } else { &DROPPED };
        tally.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    async fn post(&self, body: String) -> Option<bool> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(self.url.as_str()).ok()?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let answer = self.client.request(request).await.ok()?;
        let is_taken = answer.status().is_success();
        // Read, so that the connection can be used again; what it says is of no interest.
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame.ok()?;
        }
        Some(is_taken)
    }
}
