//! `/v1/cocoon/balance` and `/v1/cocoon/channel`: what the client has paid in, and what a person may do with it (docs/explorer.md).
//!
//! Money moves by POST alone, in two steps, each with a content type and a header that pages of other origins cannot send.

mod plans;
mod view;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::App;
use crate::channel::{Refusal, Run};
use crate::limits::MAX_PLAN_BODY_BYTES;

/// Header without which no money is moved: it makes browsers ask this server before they send what a page of another origin wants,
/// and this server allows nothing.
const CONFIRM: &str = "x-cocoon-confirm";

/// The routes.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/cocoon/balance", get(balance))
        .route("/v1/cocoon/channel", get(channels))
        .route("/v1/cocoon/channel/operations", get(operations))
        .route("/v1/cocoon/channel/operations/{id}", get(operation))
        .route("/v1/cocoon/channel/confirm", post(plans::confirm))
        .route("/v1/cocoon/channel/{contract}/{operation}", post(plans::plan))
        .layer(DefaultBodyLimit::max(MAX_PLAN_BODY_BYTES))
        .with_state(app)
}

/// A refusal as an answer, in the shape of all errors.
fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request_error"
    };
    let error = json!({
        "message": refusal.message,
        "type": kind,
        "param": refusal.param,
        "code": refusal.code,
        "hint": refusal.hint,
        "until": refusal.until,
    });
    (status, Json(json!({ "error": error }))).into_response()
}

fn answer(answer: Result<Value, Refusal>) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// Whether the wallet is shown at all.
fn is_shown(app: &App) -> Result<(), Refusal> {
    if app.live.get().page.wallet {
        return Ok(());
    }
    let refusal = Refusal::new(403, "wallet_disabled", "this client shows no wallet");
    Err(refusal.hinting("set wallet = true under [page] in the client's configuration"))
}

/// Whether a request may move money: it can come from this server's own page or from a program, and from no other page.
fn may_move_money(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    is_shown(app)?;
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let kind = text(header::CONTENT_TYPE.as_str())
        .split(';')
        .next()
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(Refusal::new(
            415,
            "content_type",
            "the body must be declared as application/json",
        ));
    }
    if text(CONFIRM) != "1" {
        return Err(Refusal::new(
            403,
            "confirm_header",
            "the header x-cocoon-confirm: 1 is missing",
        ));
    }
    // Browsers say by themselves when another site asks.
    if matches!(text("sec-fetch-site"), "cross-site" | "same-site") {
        return Err(Refusal::new(
            403,
            "foreign_page",
            "a page of another origin may not move money",
        ));
    }
    Ok(())
}

async fn balance(State(app): State<Arc<App>>) -> Response {
    answer(is_shown(&app).map(|()| view::balance(&app)))
}

async fn channels(State(app): State<Arc<App>>) -> Response {
    answer(is_shown(&app).map(|()| view::channels(&app)))
}

async fn operations(State(app): State<Arc<App>>) -> Response {
    let shown = |()| json!({ "operations": app.book.runs().iter().map(show).collect::<Vec<_>>() });
    answer(is_shown(&app).map(shown))
}

async fn operation(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let unknown = || Refusal::new(404, "unknown_operation", "there is no such operation");
    let found = is_shown(&app).and_then(|()| app.book.run(&id).ok_or_else(unknown));
    answer(found.map(|run| show(&run)))
}

/// An operation.
fn show(run: &Run) -> Value {
    json!({
        "id": run.id,
        "operation": run.operation,
        "contract": run.contract.to_string(),
        "says": run.says,
        "status": run.status.word(),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "transaction": run.transaction,
        "transactions": run.transactions,
        "fees": run.fees,
        "problem": run.problem,
        "hint": run.hint,
    })
}
