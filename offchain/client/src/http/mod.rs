//! The HTTP interface: OpenAI's paths, ours under `/v1/cocoon`, and the statistics of the deployed runner.
//!
//! Nothing that changes state is reachable by GET, and no header allows pages of other origins to call it.

mod attestation;
mod channel;
mod claims;
pub(crate) mod contract;
mod cost;
pub(crate) mod figures;
mod guard;
mod holds;
mod inclusion;
mod inference;
pub(crate) mod keys;
mod models;
mod openapi;
mod operated;
mod page;
pub(crate) mod provider;
mod quote;
mod receipt;
mod reply;
mod report;
mod stream;
mod verification;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cocoon_bindings::ton::Address;
use cocoon_chain::ClientAccount;
use cocoon_explorer::Explorer;
use cocoon_openai::{ApiError, Dialect, Endpoint, anthropic};
use cocoon_runner::admin::{Live, Operated};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::attempt::Access;
use crate::account::Accounts;
use crate::channel::Book;
use crate::config::ClientConfig;
use crate::connection::ProxyConnection;
use crate::context::Context;
use crate::dialer::Upstream;
use crate::logs::{Keys, Logs};
use crate::quotes::{KnownQuotes, Usable};
use crate::stats::Stats;
use provider::Demands;
use reply::{reply, reply_in};

/// What the handlers share.
pub(crate) struct App {
    pub(crate) context: Arc<Context>,
    pub(crate) upstream: watch::Receiver<Upstream>,
    pub(crate) accounts: watch::Receiver<Accounts>,
    pub(crate) stats: Stats,
    pub(crate) quotes: KnownQuotes,
    pub(crate) logs: Arc<Logs>,
    pub(crate) proxy_keys: Arc<Keys>,
    pub(crate) slots: Arc<Semaphore>,
    /// Requests, until their receipts are taken.
    pub(crate) requests: TaskTracker,
    /// The operator's switch.
    pub(crate) is_enabled: AtomicBool,
    /// The configuration with what was reloaded since the start.
    pub(crate) live: Live<ClientConfig>,
    pub(crate) owner: String,
    /// Operations on the client contracts that a person asked for.
    pub(crate) book: Arc<Book>,
    /// The view of the network, which asks nothing until somebody looks.
    pub(crate) explorer: Explorer,
    pub(crate) stop: CancellationToken,
    /// Who may ask, how fast, and for how much.
    pub(crate) access: Access,
    /// When contracts that seemed to hold too little were read anew, and what was read.
    pub(crate) channels_looked: tokio::sync::Mutex<BTreeMap<Address, (Instant, Option<ClientAccount>)>>,
}

impl App {
    /// The connection with the fewest requests, or the error that says why there is none.
    fn connection(&self) -> Result<Arc<ProxyConnection>, ApiError> {
        self.connection_for(&[], None)
    }

    /// The connection to the proxy that gave a quote.
    fn connection_of(&self, quote: &Usable) -> Result<Arc<ProxyConnection>, ApiError> {
        let contracts = self.upstream.borrow().by_contract();
        let living = contracts
            .get(&quote.contract)
            .filter(|connection| !connection.is_closed());
        let lost = || ApiError::not_connected("There is no connection to the proxy that gave this quote.");
        living.cloned().ok_or_else(lost)
    }

    /// The same, but none of `tried`, and none that a request does not admit.
    fn connection_for(
        &self,
        tried: &[Arc<ProxyConnection>],
        demands: Option<&Demands>,
    ) -> Result<Arc<ProxyConnection>, ApiError> {
        let upstream = self.upstream.borrow();
        let is_admitted = |connection: &ProxyConnection| demands.is_none_or(|demands| demands.admit(connection));
        upstream.least_busy(tried, is_admitted).ok_or_else(|| {
            if let Some(refusal) = demands.and_then(|demands| demands.refusal(&upstream.connections)) {
                return refusal;
            }
            let why = upstream.problem.as_deref().unwrap_or("it is being dialed");
            ApiError::not_connected(format!("There is no connection to a proxy: {why}."))
        })
    }
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(
            "/v1/chat/completions",
            post(|app, request| inference::run(app, Dialect::OpenAi(Endpoint::Chat), request)),
        )
        .route(
            "/v1/completions",
            post(|app, request| inference::run(app, Dialect::OpenAi(Endpoint::Completion), request)),
        )
        .route(
            "/v1/embeddings",
            post(|app, request| inference::run(app, Dialect::OpenAi(Endpoint::Embeddings), request)),
        )
        .route(
            "/v1/messages",
            post(|app, request| inference::run(app, Dialect::Messages, request)),
        )
        .route("/v1/messages/count_tokens", post(cannot_count))
        .route(
            "/v1/responses",
            post(|app, request| inference::run(app, Dialect::Responses, request)),
        )
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*name}", get(models::one))
        .route("/v1/cocoon/receipts/{id}", get(receipt::show))
        .route("/v1/cocoon/quote", post(quote::ask))
        .route("/v1/cocoon/claims", get(claims::show))
        .route("/v1/cocoon/key", get(keys::own))
        .route("/v1/cocoon/attestation", get(attestation::show))
        .route("/v1/cocoon/attestation/{hash}", get(attestation::of_certificate))
        .route("/v1/cocoon/page", get(page::show))
        .route("/v1/cocoon/openapi.json", get(openapi::show))
        .route("/health", get(health))
        .fallback(|uri: Uri| async move { reply(&ApiError::not_found(uri.path())) })
        .method_not_allowed_fallback(|| async { reply(&ApiError::method_not_allowed()) })
        .with_state(Arc::clone(&app))
        .merge(channel::router(Arc::clone(&app)))
        .merge(page::files(&app))
        .merge(page::network(&app))
        .merge(cocoon_runner::report::routes(Arc::new(report::Pages(app))))
}

/// The same for callers who have to show that they may ask.
pub(crate) fn guarded(router: Router, app: &Arc<App>) -> Router {
    router.layer(axum::middleware::from_fn_with_state(Arc::clone(app), guard::guard))
}

/// What the administration socket works on.
pub(crate) fn operated(app: &Arc<App>) -> Arc<dyn Operated> {
    Arc::new(report::Pages(Arc::clone(app)))
}

async fn cannot_count() -> Response {
    reply_in(Dialect::Messages, &anthropic::cannot_count())
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let (status, word) = match app.connection() {
        _ if app.stop.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        _ if !app.is_enabled.load(Ordering::Relaxed) => (StatusCode::SERVICE_UNAVAILABLE, "disabled"),
        Ok(_) => (StatusCode::OK, "ready"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
    };
    let simulated = app.context.trust.is_simulated();
    let problem = app.upstream.borrow().problem.clone();
    let body = serde_json::json!({ "status": word, "problem": problem, "simulated_attestation": simulated });
    (status, axum::Json(body)).into_response()
}
