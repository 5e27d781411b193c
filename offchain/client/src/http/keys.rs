//! What keys have spent: `GET /v1/cocoon/key` tells a caller of its own, `GET /access/keys` on the administration socket of all.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cocoon_openai::ApiError;
use serde_json::{Value, json};

use super::App;
use super::reply::reply;
use crate::access::attempt::Asker;
use crate::access::keys::ApiKey;
use crate::access::spending::day;

/// The caller's own key.
pub(super) async fn own(State(app): State<Arc<App>>, asker: Option<Extension<Asker>>) -> Response {
    let key = asker.and_then(|Extension(asker)| asker.caller.key);
    let Some(key) = key else {
        return Json(json!({ "object": "cocoon.key", "name": null })).into_response();
    };
    match describe(&app, &key) {
        Ok(value) => Json(value).into_response(),
        Err(error) => reply(&error),
    }
}

/// All keys.
pub(super) async fn all(State(app): State<Arc<App>>) -> Response {
    let keys = app.access.gate.all();
    let shown: Result<Vec<Value>, ApiError> = keys.iter().map(|key| describe(&app, key)).collect();
    match shown {
        Ok(keys) => Json(json!({ "keys": keys })).into_response(),
        Err(error) => reply(&error),
    }
}

fn describe(app: &App, key: &ApiKey) -> Result<Value, ApiError> {
    let account = app.access.spending.account(&key.hash).map_err(|error| {
        tracing::error!(%error, "the account of a key could not be read");
        ApiError::internal("The account of the key could not be read.")
    })?;
    let now = app.context.clock.now();
    let (left, left_today) = account.left(&key.limits, day(now));
    let held = account
        .holds
        .iter()
        .fold(0_u128, |sum, hold| sum.saturating_add(hold.amount.get()));
    let is_today = account.day == day(now);
    Ok(json!({
        "object": "cocoon.key",
        "name": key.name,
        "expires": key.expires,
        "scopes": key.scopes,
        "models": key.models,
        "endpoints": key.endpoints,
        "limits": key.limits,
        "spent": account.spent,
        "spent_today": is_today.then_some(account.spent_on_day),
        "held": held.to_string(),
        "left": left,
        "left_today": left_today,
    }))
}
