//! What the page of this client has, and the view of the network.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::{Json, Router};
use cocoon_openai::ApiError;
use serde_json::{Value, json};

use super::App;
use super::reply::reply;
use crate::config::PageConfig;

/// `GET /v1/cocoon/page`: which parts there are. A page shows no others.
pub(super) async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let page = app.live.get().page;
    let parts = [("chat", true), ("wallet", page.wallet), ("network", page.network)];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| name)
        .collect();
    Json(json!({ "parts": parts, "simulated": app.context.trust.is_simulated() }))
}

/// The page and its files, while they are served.
pub(super) fn files(app: &Arc<App>) -> Router {
    while_shown(app, cocoon_page::router(), |page| page.enabled)
}

/// The routes of the network, while they are served.
pub(super) fn network(app: &Arc<App>) -> Router {
    while_shown(app, app.explorer.router(), |page| page.network)
}

/// Routes that are there while the configuration says so, also after it was read again. Else nothing is at their paths.
fn while_shown(app: &Arc<App>, routes: Router, is_shown: fn(&PageConfig) -> bool) -> Router {
    let app = Arc::clone(app);
    routes.layer(from_fn(move |request: Request, next: Next| {
        let is_shown = is_shown(&app.live.get().page);
        async move {
            match is_shown {
                true => next.run(request).await,
                false => reply(&ApiError::not_found(request.uri().path())),
            }
        }
    }))
}
