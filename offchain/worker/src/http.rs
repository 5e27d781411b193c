//! The control port: health, statistics, metrics, switches.

mod operated;
mod stats;

use crate::claim::{self, ShownClaim};
use crate::config::WorkerConfig;
use crate::error::WorkerError;
use crate::limits::{MAX_COEFFICIENT, MAX_CONTROL_BYTES};
use crate::payout::Payouts;
use crate::worker::{Worker, Workers};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cocoon_bindings::ImageHash;
use cocoon_bindings::units::Coefficient;
use cocoon_chain::SharedChain;
use cocoon_ratls::{IdentityKeeper, SharedClock};
use cocoon_runner::admin::Live;
use cocoon_runner::gpu::AdmittedGpu;
use cocoon_runner::{off_thread, report};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the pages show.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) workers: Workers,
    pub(crate) identities: Arc<IdentityKeeper>,
    /// The image that this worker's evidence shows.
    pub(crate) image: Option<ImageHash>,
    pub(crate) clock: SharedClock,
    /// For the figures of its servers.
    pub(crate) chain: SharedChain,
    /// The configuration with what was reloaded since the start.
    pub(crate) live: Arc<Live<WorkerConfig>>,
    /// Ends the daemon after its drain.
    pub(crate) stop: CancellationToken,
    pub(crate) simulated: bool,
    pub(crate) payouts: Option<Arc<Payouts>>,
    pub(crate) gpus: Arc<Vec<AdmittedGpu>>,
}

impl Pages {
    /// For what all of them share.
    fn first(&self) -> &Worker {
        // There is at least one: a configuration without models is refused.
        &self.workers[0]
    }

    /// The worst word of a model is that of the whole.
    fn word(&self) -> &'static str {
        let words: Vec<&str> = self.workers.iter().map(|worker| worker.word()).collect();
        let order = ["draining", "degraded", "disabled"];
        order.into_iter().find(|word| words.contains(word)).unwrap_or("ready")
    }

    fn proxy_connections(&self) -> u32 {
        let connections = self.workers.iter().map(|worker| worker.connections());
        connections.fold(0, u32::saturating_add)
    }

    fn running_requests(&self) -> usize {
        let running = self.workers.iter().map(|worker| worker.active_requests());
        running.fold(0, usize::saturating_add)
    }
}

pub(crate) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/claims", get(claims))
        .route("/request/enable", post(enable))
        .route("/request/disable", post(disable))
        .route("/request/change_coefficient", post(change_coefficient))
        .route("/request/payout", post(payout))
        .layer(DefaultBodyLimit::max(MAX_CONTROL_BYTES))
        .with_state(pages.clone())
        .merge(report::routes(Arc::new(pages)))
}

async fn health(State(pages): State<Pages>) -> (StatusCode, Json<Value>) {
    let words: Vec<&str> = pages.workers.iter().map(|worker| worker.word()).collect();
    let word = pages.word();
    let status = match word {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let models: Value = pages
        .workers
        .iter()
        .zip(words)
        .map(|(worker, word)| (worker.model.base().to_owned(), Value::from(word)))
        .collect();
    let body = json!({
        "status": word,
        "models": models,
        "proxy_connections": pages.proxy_connections(),
        "running_requests": pages.running_requests(),
        "simulated_tdx": pages.simulated,
    });
    (status, Json(body))
}

async fn claims(State(pages): State<Pages>) -> Result<Json<Vec<ShownClaim>>, (StatusCode, Json<Value>)> {
    let made = off_thread(move || claim::claims(pages.first())).await;
    match made {
        Ok(Ok(claims)) => Ok(Json(claims)),
        Ok(Err(error)) => Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
        Err(_) => Err(refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the claims could not be made",
        )),
    }
}

/// Which model a switch is for; all of them if none is named.
#[derive(Deserialize)]
struct ModelQuery {
    model: Option<String>,
}

/// The workers of the model that is named, or all.
fn named<'a>(pages: &'a Pages, model: Option<&str>) -> Result<Vec<&'a Arc<Worker>>, (StatusCode, Json<Value>)> {
    let is_meant =
        |worker: &&Arc<Worker>| model.is_none_or(|name| [worker.model.base(), worker.model.as_str()].contains(&name));
    let named: Vec<_> = pages.workers.iter().filter(is_meant).collect();
    match named.is_empty() {
        true => Err(refused(StatusCode::NOT_FOUND, "this worker does not serve that model")),
        false => Ok(named),
    }
}

async fn enable(
    State(pages): State<Pages>,
    Query(query): Query<ModelQuery>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    switch(&pages, &query, true)
}

async fn disable(
    State(pages): State<Pages>,
    Query(query): Query<ModelQuery>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    switch(&pages, &query, false)
}

fn switch(pages: &Pages, query: &ModelQuery, enabled: bool) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    for worker in named(pages, query.model.as_deref())? {
        worker.switch.change(|state| state.enabled = enabled);
    }
    Ok(Json(json!({ "enabled": enabled })))
}

#[derive(Deserialize)]
struct CoefficientQuery {
    coefficient: f64,
    model: Option<String>,
}

async fn change_coefficient(
    State(pages): State<Pages>,
    Query(query): Query<CoefficientQuery>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let thousandths = (query.coefficient * 1000.0).trunc();
    if !(0.0..=f64::from(MAX_COEFFICIENT)).contains(&thousandths) {
        return Err(refused(StatusCode::BAD_REQUEST, "coefficient must be from 0 to 999999"));
    }
    let coefficient = Coefficient::new(thousandths as u32);
    for worker in named(&pages, query.model.as_deref())? {
        worker.coefficient().send_replace(coefficient);
    }
    Ok(Json(json!({ "coefficient": coefficient.get() })))
}

async fn payout(State(pages): State<Pages>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let Some(payouts) = &pages.payouts else {
        return Err(refused(
            StatusCode::CONFLICT,
            "this worker has no [payout] in its configuration",
        ));
    };
    match payouts.look(&pages.workers, true).await {
        Ok(sent) => Ok(Json(json!({ "vouchers_submitted": sent }))),
        Err(error) => Err(refused(StatusCode::BAD_GATEWAY, &WorkerError::to_string(&error))),
    }
}

fn refused(status: StatusCode, message: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": { "message": message } })))
}
