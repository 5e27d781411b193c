//! What is to be run, and what comes of it.

use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::ApiError;
use cocoon_protocol::answer::FinalInfo;
use cocoon_protocol::http::{Header, NO_CHALLENGE, Request, Response};

use crate::http::provider::Demands;
use crate::receipts::ReceiptNote;

/// What a request needs to run.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) path: &'static str,
    pub(crate) model: String,
    pub(crate) body: Bytes,
    pub(crate) max_coefficient: u32,
    pub(crate) max_tokens: u32,
    pub(crate) timeout: Duration,
    pub(crate) enable_debug: bool,
    pub(crate) config_version: u32,
    /// The quote that it is to be served under.
    pub(crate) quote: Option<[u8; 32]>,
    /// The caller does not want the request to be given to a second worker for comparison.
    pub(crate) refuses_challenge: bool,
    /// Which proxies may get it.
    pub(crate) demands: Demands,
}

/// What the HTTP side gets, in order: a head, body pieces, the end, the receipt; or a failure instead of the rest.
#[derive(Debug)]
pub(crate) enum Piece {
    Head(Response),
    Body(Bytes),
    End(Box<FinalInfo>),
    /// Always follows an end, which does not wait for it; `None` when no receipt came in time, or the proxy knows none.
    Receipt(Option<ReceiptNote>),
    Failed(ApiError),
}

/// How a request ended, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) bytes: usize,
}

/// A request of which nothing was sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Another proxy may take it.
    Elsewhere(ApiError),
    /// No proxy could.
    Never(ApiError),
}

/// The bytes that a job sends to the worker.
pub(crate) fn encode(job: &Job) -> Bytes {
    let mut request = Request::post_json(job.path, job.body.clone());
    if job.refuses_challenge {
        request.headers.push(Header {
            name: NO_CHALLENGE.to_owned(),
            value: "1".to_owned(),
        });
    }
    request.encode()
}
