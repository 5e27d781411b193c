//! What the page of this client has, and the view of the network.

use std::sync::Arc;

use axum::extract::State;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::App;

/// `GET /v1/cocoon/page`: which parts there are. A page shows no others.
pub(super) async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    let parts = [
        ("chat", true),
        ("wallet", app.live.get().page.wallet),
        ("network", app.explorer.is_some()),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| name)
        .collect();
    Json(json!({ "parts": parts, "simulated": app.context.trust.is_simulated() }))
}

/// The page and its files, if they are served.
pub(super) fn files(app: &App) -> Router {
    if app.live.get().page.enabled {
        cocoon_page::router()
    } else {
        Router::new()
    }
}

/// The routes of the network, if they are served.
pub(super) fn network(app: &App) -> Router {
    app.explorer
        .as_ref()
        .map_or_else(Router::new, |explorer| explorer.router())
}
