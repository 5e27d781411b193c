//! What is asked of models: chats, completions and embeddings, in whatever interface they are asked.

mod answer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use cocoon_openai::options::RunOptions;
use cocoon_openai::parts::refuse_other_than_text;
use cocoon_openai::{ApiError, Dialect, Request, Translated, Translator};
use cocoon_protocol::http::NO_CHALLENGE;
use cocoon_ratls::SharedClock;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

pub(super) use self::answer::{copy_headers, debug_records};
use super::provider::Demands;
use super::reply::{RECEIPT, reply_in};
use super::{App, cost, guard, provider, quote};
use crate::access::attempt::Asker;
use crate::access::gate::Place;
use crate::calls::RequestId;
use crate::connection::ProxyConnection;
use crate::driver::{self, Job, Piece, Unsent};
use crate::quotes::Usable;

/// How long a caller may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How much of a body that is too large is still read, and thrown away, so that the refusal reaches the caller.
const MAX_DISCARDED_BYTES: usize = 32 << 20;

/// Runs a request.
pub(super) async fn run(State(app): State<Arc<App>>, dialect: Dialect, request: axum::extract::Request) -> Response {
    match begin(&app, dialect, request).await {
        Ok(running) => running.respond().await,
        Err(error) => {
            app.stats.refused(app.context.clock.now_f64());
            reply_in(dialect, &error)
        }
    }
}

/// A request that was sent to the proxy.
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) dialect: Dialect,
    /// Writes the answer, if it has to be written anew.
    pub(super) translator: Option<Box<dyn Translator>>,
    app: Arc<App>,
    pieces: mpsc::Receiver<Piece>,
    begun: Instant,
    /// Whether a part of the answer's body has come.
    has_body: bool,
    pub(super) wants_debug: bool,
    wants_stream: bool,
    /// Whether a whole answer waits for its receipt.
    wants_receipt: bool,
    pub(super) clock: SharedClock,
    /// The place among the requests at once; kept until the caller has everything.
    _slot: OwnedSemaphorePermit,
    /// The same among those of its key.
    _place: Option<Place>,
}

/// A request as it was read: what its caller wants of us, and what a worker is asked.
struct Asked {
    dialect: Dialect,
    request: Request,
    options: RunOptions,
    translator: Option<Box<dyn Translator>>,
    quote: Option<Usable>,
    wants_receipt: bool,
    refuses_challenge: bool,
}

async fn begin(app: &Arc<App>, dialect: Dialect, request: axum::extract::Request) -> Result<Running, ApiError> {
    if app.stop.is_cancelled() || !app.is_enabled.load(Ordering::Relaxed) {
        return Err(ApiError::draining());
    }
    let slot = Arc::clone(&app.slots)
        .try_acquire_owned()
        .map_err(|_| ApiError::rate_limited("This client runs as many requests as it may."))?;
    let (head, body) = request.into_parts();
    let asked = read(app, dialect, &head.headers, body).await?;
    // Over the administration socket nobody shows a key.
    let asker = head.extensions.get::<Asker>().cloned().unwrap_or_default();
    start(app, slot, asked, asker).await
}

/// Reads all of a request and translates it. Nothing has left this machine after it.
async fn read(app: &App, dialect: Dialect, headers: &HeaderMap, body: Body) -> Result<Asked, ApiError> {
    let quote = quote::named(app, headers)?;
    let live = app.live.get();
    let wants_receipt = live.wait_for_receipts || asks_for_receipt(headers)?;
    let refuses_challenge = headers.contains_key(NO_CHALLENGE);
    let body = read_body(body, live.max_body_bytes).await?;
    let Translated {
        mut request,
        translator,
    } = dialect.read(&body)?;
    let options = RunOptions::take_from(&mut request)?;
    // No listing tells which models take more than texts, so that none is asked to unless its caller knows: a deployed engine behind a
    // worker gets such a body unchanged, and nobody else's prompt leaves only to be refused.
    refuse_other_than_text(&request, &options.provider.input_modalities)?;
    if quote
        .as_ref()
        .is_some_and(|quote| quote.coefficient > options.max_coefficient)
    {
        return Err(ApiError::invalid_field(
            "max_coefficient",
            "is below the price of the quote",
        ));
    }
    Ok(Asked {
        dialect,
        request,
        options,
        translator,
        quote,
        wants_receipt,
        refuses_challenge,
    })
}

/// Sends a request to a proxy.
async fn start(app: &Arc<App>, slot: OwnedSemaphorePermit, asked: Asked, asker: Asker) -> Result<Running, ApiError> {
    let place = app.access.gate.begin(&asker.caller, asked.request.model());
    let place = place.map_err(|refusal| guard::refused(app, refusal))?;
    let Asked {
        request,
        options,
        quote,
        ..
    } = asked;
    let demands = Demands::read(&options.provider)?;
    let connection = match &quote {
        Some(quote) => app.connection_of(quote)?,
        None => app.connection_for(&[], Some(&demands))?,
    };
    if !demands.admit(&connection) {
        let refusal = demands.refusal(&[connection]);
        return Err(refusal.unwrap_or_else(|| ApiError::not_connected("The proxy of this quote is gone.")));
    }
    let mut job = Job {
        path: request.endpoint().path(),
        model: request.model().to_owned(),
        body: request.to_json().into(),
        max_coefficient: quote
            .as_ref()
            .map_or(options.max_coefficient, |quote| quote.coefficient),
        max_tokens: options.max_tokens,
        timeout: Duration::try_from_secs_f64(options.timeout_seconds).unwrap_or(Duration::from_secs(120)),
        enable_debug: options.enable_debug,
        config_version: app.context.root().version,
        quote: quote.as_ref().map(|quote| quote.id),
        refuses_challenge: asked.refuses_challenge,
        demands,
    };
    provider::restrict(app, &connection, &options.provider, quote.as_ref(), &mut job).await?;
    let (begun, started) = (app.context.clock.now_f64(), Instant::now());
    app.stats.begun(job.body.len(), begun);
    let counted = Arc::clone(app);
    let ended = move |outcome: driver::Outcome| {
        let now = counted.context.clock.now_f64();
        counted.stats.ended(outcome.success, outcome.bytes, now - begun, now);
    };
    let (id, pieces) = send(app, connection, job, &asker, ended).await?;
    Ok(Running {
        id,
        dialect: asked.dialect,
        translator: asked.translator,
        app: Arc::clone(app),
        pieces,
        begun: started,
        has_body: false,
        wants_debug: options.enable_debug,
        wants_stream: request.stream(),
        wants_receipt: asked.wants_receipt,
        clock: app.context.clock.clone(),
        _slot: slot,
        _place: place,
    })
}

/// Whether the caller asks for the receipt's name in the head of the answer. A value that is not known is an error: whoever
/// misspells it would wait for a header that never comes.
fn asks_for_receipt(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(RECEIPT) {
        None => Ok(false),
        Some(value) if value.as_bytes() == b"wait" => Ok(true),
        Some(_) => Err(ApiError::invalid_field(RECEIPT, "must be \"wait\" or left out")),
    }
}

/// Gives a request to a proxy, and to another one as long as nothing of it was sent.
async fn send(
    app: &App,
    mut connection: Arc<ProxyConnection>,
    job: Job,
    asker: &Asker,
    ended: impl FnOnce(driver::Outcome) + Clone + Send + 'static,
) -> Result<(RequestId, mpsc::Receiver<Piece>), ApiError> {
    let request = driver::encode(&job);
    let mut tried = Vec::new();
    let failure = loop {
        let id: RequestId = rand::random();
        // Of each attempt anew: another proxy is another channel, and what was left may be spent meanwhile.
        let begun = match cost::hold(app, asker, &connection, id, (&job, request.len())).await {
            Ok(attempt) => {
                let sent = (id, request.clone());
                let (to, ended) = (Arc::clone(&connection), ended.clone());
                driver::start(&app.requests, to, sent, job.clone(), attempt, ended).await
            }
            Err(unsent) => Err(unsent),
        };
        match begun {
            Ok(pieces) => return Ok((id, pieces)),
            Err(Unsent::Never(error)) => break error,
            // Another proxy knows nothing of the quote.
            Err(Unsent::Elsewhere(error)) if job.quote.is_some() || !job.demands.allow_fallbacks => break error,
            Err(Unsent::Elsewhere(error)) => {
                tried.push(connection);
                match app.connection_for(&tried, Some(&job.demands)) {
                    Ok(other) => connection = other,
                    Err(_) => break error,
                }
            }
        }
    };
    ended(driver::Outcome {
        success: false,
        bytes: 0,
    });
    Err(failure)
}

pub(super) async fn read_body(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let read = async {
        let mut stream = body.into_data_stream();
        let (mut bytes, mut length) = (BytesMut::new(), 0_usize);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| ApiError::invalid_json("it was not sent to the end"))?;
            length += chunk.len();
            if length <= limit {
                bytes.extend_from_slice(&chunk);
            } else if length > limit.saturating_add(MAX_DISCARDED_BYTES) {
                break;
            } else {
                // Read on: a caller that is cut off while it writes never sees why.
                bytes.clear();
            }
        }
        if length > limit {
            return Err(ApiError::too_large(format!("The body is larger than {limit} bytes.")));
        }
        Ok(bytes.freeze())
    };
    let slow = || Err(ApiError::invalid_json("it was not sent in time"));
    tokio::time::timeout(BODY_TIMEOUT, read)
        .await
        .unwrap_or_else(|_| slow())
}
