//! Traces of requests, for a collector that takes OTLP over HTTP. Off unless a collector is named.
//!
//! A trace's id is a hash of the request id that two hops share anyway, so nothing is added to the wire. A worker knows
//! another id than the client, on purpose: its spans are a trace of their own, and only the proxy, which knows both ids, links to
//! them. A span holds times, counts, names of models and fixed words; its type has no room for a prompt, an answer, a key or an
//! address.
//!
//! OTLP has an encoding in JSON that is fully specified: a page of types here, where the libraries for it bring a tree of
//! crates, gRPC among them.

mod export;
mod otlp;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cocoon_ratls::{SharedClock, SharedNetwork};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

pub use export::Exporter;
pub use span::{Span, Trace};

use crate::RunnerError;
use crate::limits::SPAN_QUEUE;
use span::Finished;

/// `[telemetry]` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// URL of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Off if left out. It learns when
    /// requests come, how large they are and what they cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collector: Option<String>,
    /// One request in so many is traced; 1: all. A client and its proxies with the same number choose the same requests.
    pub one_in: u32,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            collector: None,
            one_in: 1,
        }
    }
}

impl TelemetryConfig {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// The key that cannot.
    pub fn check(&self) -> Result<(), RunnerError> {
        let wrong = |key: &str, problem: &str| {
            Err(RunnerError::ConfigValue {
                key: format!("telemetry.{key}"),
                problem: problem.to_owned(),
            })
        };
        if self.one_in == 0 {
            return wrong("one_in", "must be at least 1");
        }
        // A password would be sent in the clear, and shown by `config show`.
        let names_nobody = |uri: ::http::Uri| uri.authority().is_some_and(|place| !place.as_str().contains('@'));
        let is_plain = |url: &String| url.starts_with("http://") && url.parse().is_ok_and(names_nobody);
        if !self.collector.as_ref().is_none_or(is_plain) {
            return wrong(
                "collector",
                "must be a URL that begins with http:// and has no password; a collector on this machine can speak TLS to others",
            );
        }
        Ok(())
    }
}

/// A part of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The client.
    Client,
    /// The proxy.
    Proxy,
    /// A worker.
    Worker,
}

impl Hop {
    fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Worker => "worker",
        }
    }
}

/// What became of the spans of this process.
static SENT: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Spans that a collector took, and that none did.
pub(crate) fn tally() -> (u64, u64) {
    (SENT.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed))
}

/// Begins traces; cheap to clone. One that is off does nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Recorder>>);

struct Recorder {
    hop: Hop,
    one_in: u64,
    clock: SharedClock,
    queue: mpsc::Sender<Finished>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("hop", &self.hop).finish()
    }
}

impl Tracer {
    /// A tracer as it is configured, and what sends its spans away, to be run until the stop.
    ///
    /// # Errors
    ///
    /// A value of the configuration that cannot work.
    pub fn new(
        config: &TelemetryConfig,
        hop: Hop,
        clock: SharedClock,
        network: SharedNetwork,
    ) -> Result<(Self, Exporter), RunnerError> {
        config.check()?;
        let Some(collector) = &config.collector else {
            return Ok((Self::default(), Exporter::off()));
        };
        let (queue, finished) = mpsc::channel(SPAN_QUEUE);
        let recorder = Recorder {
            hop,
            one_in: config.one_in.into(),
            clock,
            queue,
        };
        tracing::info!(one_in = config.one_in, "traces of requests go to a collector");
        let exporter = Exporter::new(collector, hop.word(), network, finished);
        Ok((Self(Some(Arc::new(recorder))), exporter))
    }

    /// The trace of a request, by the id that this hop knows it by; nothing if it is not traced.
    pub fn trace(&self, request: &[u8; 32]) -> Option<Trace> {
        let recorder = self.0.as_ref()?;
        let (id, chance) = trace_id(request);
        chance
            .is_multiple_of(recorder.one_in)
            .then(|| Trace::new(Arc::clone(recorder), id, root_span_id(recorder.hop, request), *request))
    }
}

impl Recorder {
    /// Never waits: what does not fit is dropped and counted.
    fn record(&self, span: Finished) {
        if self.queue.try_send(span).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The id of a request's trace, and the number by which it is chosen. The request's own id, by which a client gives receipts out, does
/// not follow from it.
fn trace_id(request: &[u8; 32]) -> ([u8; 16], u64) {
    let hash = Sha256::new()
        .chain_update(b"cocoon.trace.v1\0")
        .chain_update(request)
        .finalize();
    let (mut id, mut chance) = ([0; 16], [0; 8]);
    id.copy_from_slice(&hash[..16]);
    chance.copy_from_slice(&hash[16..24]);
    (id, u64::from_be_bytes(chance))
}

/// The id of a hop's first span, which the next hop knows as well.
fn root_span_id(hop: Hop, request: &[u8; 32]) -> [u8; 8] {
    let hash = Sha256::new()
        .chain_update(b"cocoon.span.v1\0")
        .chain_update(hop.word())
        .chain_update(request)
        .finalize();
    let mut id = [0; 8];
    id.copy_from_slice(&hash[..8]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_that_share_a_request_id_share_the_trace_and_others_do_not() {
        let (one, two) = ([1; 32], [2; 32]);
        assert_eq!(trace_id(&one), trace_id(&one));
        assert_ne!(trace_id(&one).0, trace_id(&two).0);
        assert_ne!(root_span_id(Hop::Client, &one), root_span_id(Hop::Proxy, &one));
        assert_ne!(hex::encode(trace_id(&one).0), hex::encode(&one[..16]));
    }

    #[test]
    fn a_collector_that_cannot_be_asked_is_refused() {
        let config = |collector: &str, one_in| TelemetryConfig {
            collector: Some(collector.into()),
            one_in,
        };
        config("http://127.0.0.1:4318", 1).check().unwrap();
        TelemetryConfig::default().check().unwrap();
        for wrong in [
            config("https://x", 1),
            config("127.0.0.1:4318", 1),
            config("http://x", 0),
        ] {
            assert!(
                matches!(wrong.check(), Err(RunnerError::ConfigValue { .. })),
                "{wrong:?}"
            );
        }
    }
}
