//! What every daemon tells its operator: statistics in the deployed form, the same as a page, and figures for Prometheus.

mod chain;
mod counter;
mod metrics;
mod page;
mod process;
mod root;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use cocoon_chain::SharedChain;
use serde_json::Value;

pub use chain::CHAIN_METRICS;
pub use counter::Counter;
pub use metrics::{Distribution, Exposition, FIRST_TOKEN_SECONDS, Kind, LATENCY_SECONDS, Metric, Samples};
pub use process::{METRICS, Process};
pub use root::{nanoton, root_config};

/// A daemon that can be asked how it does. Nothing that it tells names a prompt, a key or a client's address on the network.
#[async_trait]
pub trait Report: Send + Sync + 'static {
    /// `proxy`, `worker` or `client`.
    fn role(&self) -> &'static str;

    /// The statistics, in the form of the deployed daemons.
    async fn statistics(&self) -> Value;

    /// Writes the daemon's own figures.
    fn metrics(&self, page: &mut Exposition);

    /// Its way to the chain, whose servers are told of too.
    fn chain(&self) -> Option<SharedChain> {
        None
    }
}

/// `/jsonstats`, `/stats`, `/perf` and `/metrics` of a daemon. All of them only read.
pub fn routes(report: Arc<dyn Report>) -> Router {
    Router::new()
        .route("/jsonstats", get(json))
        .route("/stats", get(html))
        .route("/perf", get(perf))
        .route("/metrics", get(figures))
        .with_state(report)
}

async fn json(State(report): State<Arc<dyn Report>>) -> Json<Value> {
    Json(report.statistics().await)
}

async fn html(State(report): State<Arc<dyn Report>>) -> Html<String> {
    Html(page::html(report.role(), &report.statistics().await))
}

async fn perf() -> String {
    Process::now().text()
}

async fn figures(State(report): State<Arc<dyn Report>>) -> Response {
    let mut page = Exposition::default();
    Process::now().write(&mut page);
    report.metrics(&mut page);
    let servers = report.chain().map(|chain| chain.endpoints()).unwrap_or_default();
    chain::write(&mut page, &servers);
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page.into_text()).into_response()
}
