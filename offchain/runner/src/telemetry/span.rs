//! Spans: what took how long, with figures and fixed words.

use std::sync::Arc;

use super::{Hop, Recorder, root_span_id, trace_id};

/// What a span says. There is no variant for a text of somebody's: names are those of models that a root contract lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Count(u64),
    Word(&'static str),
    Model(String),
    Flag(bool),
}

/// Which side of a call a span is, by OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Unix milliseconds.
    pub(super) begin_ms: u64,
    pub(super) end_ms: u64,
    pub(super) is_failed: bool,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) link: Option<([u8; 16], [u8; 8])>,
}

/// The trace of one request, as one hop sees it.
#[derive(Debug, Clone)]
pub struct Trace {
    recorder: Arc<Recorder>,
    id: [u8; 16],
    root: [u8; 8],
    request: [u8; 32],
}

/// A span that has begun. It is sent when it [ends](Self::end), and not at all if it is dropped before.
#[derive(Debug)]
pub struct Span {
    recorder: Arc<Recorder>,
    span: Finished,
}

impl Trace {
    pub(super) fn new(recorder: Arc<Recorder>, id: [u8; 16], root: [u8; 8], request: [u8; 32]) -> Self {
        Self {
            recorder,
            id,
            root,
            request,
        }
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.recorder.clock.now_ms()
    }

    /// The hop's own span, around all its others; `caller` is the hop that asked, if it knows the same request id.
    pub fn whole(&self, name: &'static str, caller: Option<Hop>, begin_ms: u64) -> Span {
        let parent = caller.map(|hop| root_span_id(hop, &self.request));
        self.span(self.root, parent, name, Kind::Server, begin_ms)
    }

    /// A part of it.
    pub fn part(&self, name: &'static str, begin_ms: u64) -> Span {
        self.span(rand::random(), Some(self.root), name, Kind::Internal, begin_ms)
    }

    /// A part that asks another hop, which knows the request by an id of its own.
    pub fn call(&self, name: &'static str, callee: Hop, request: &[u8; 32], begin_ms: u64) -> Span {
        let mut span = self.span(rand::random(), Some(self.root), name, Kind::Client, begin_ms);
        span.span.link = Some((trace_id(request).0, root_span_id(callee, request)));
        span
    }

    fn span(&self, id: [u8; 8], parent: Option<[u8; 8]>, name: &'static str, kind: Kind, begin_ms: u64) -> Span {
        let span = Finished {
            trace: self.id,
            id,
            parent,
            name,
            kind,
            begin_ms,
            end_ms: begin_ms,
            is_failed: false,
            attributes: Vec::new(),
            link: None,
        };
        let recorder = Arc::clone(&self.recorder);
        Span { recorder, span }
    }
}

impl Span {
    /// Says how many.
    #[must_use]
    pub fn count(self, name: &'static str, count: u64) -> Self {
        self.with(name, Value::Count(count))
    }

    /// Says which of some known words.
    #[must_use]
    pub fn word(self, name: &'static str, word: &'static str) -> Self {
        self.with(name, Value::Word(word))
    }

    /// Says whether.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: bool) -> Self {
        self.with(name, Value::Flag(flag))
    }

    /// Says which model: a name that the network knows, never one that a caller made up.
    #[must_use]
    pub fn model(self, name: &str) -> Self {
        self.with("cocoon.model", Value::Model(name.to_owned()))
    }

    /// Says whether it went well.
    #[must_use]
    pub fn success(mut self, is_success: bool) -> Self {
        self.span.is_failed = !is_success;
        self
    }

    /// Ends now.
    pub fn end(self) {
        let now = self.recorder.clock.now_ms();
        self.end_at(now);
    }

    /// Ended at a time, in Unix milliseconds.
    pub fn end_at(mut self, end_ms: u64) {
        self.span.end_ms = end_ms.max(self.span.begin_ms);
        self.recorder.record(self.span);
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.span.attributes.push((name, value));
        self
    }
}
