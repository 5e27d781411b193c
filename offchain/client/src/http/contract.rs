//! `POST /request/topup`, `/request/charge`, `/request/close` and `/request/withdraw`, as the deployed runner names them: what
//! the client's wallet does to its contract at a proxy; `GET /access/keys`, what all API keys have spent; and what is held of them.
//! Only on the administration socket: whoever may ask questions may not move money.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cocoon_bindings::ton::{friendly, parse_address};
use cocoon_bindings::units::Nanoton;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, holds};
use crate::connection::ProxyConnection;
use crate::contract;
use crate::error::ClientError;

/// The routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/access/keys", get(super::keys::all))
        .route("/access/holds", get(holds::list))
        .route("/access/holds/{hold}", post(holds::settle))
        .route("/request/topup", post(top_up))
        .route("/request/charge", post(charge))
        .route("/request/close", post(close))
        .route("/request/withdraw", post(withdraw))
        .with_state(app)
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Contract of a connected proxy, as the statistics list it; may be left out while there is one.
    proxy: Option<String>,
    /// Of a top-up, in nanoton; that of `[funding]` when left out.
    amount: Option<u64>,
}

pub(super) type Answer = (StatusCode, Json<Value>);

pub(super) fn refused(status: StatusCode, error: &str, hint: &str) -> Answer {
    (status, Json(json!({ "error": error, "hint": hint })))
}

fn done(connection: &ProxyConnection, outcome: Result<(), ClientError>) -> Answer {
    match outcome {
        Ok(()) => {
            let contract = friendly(&connection.client_contract, false, false);
            tracing::info!(contract, "a message to the client contract was sent for the operator");
            (
                StatusCode::OK,
                Json(json!({ "submitted": true, "sc_address": contract })),
            )
        }
        Err(error) => refused(StatusCode::BAD_GATEWAY, &error.to_string(), error.hint()),
    }
}

fn connection(app: &App, about: &About) -> Result<Arc<ProxyConnection>, Answer> {
    let mut connections = app.upstream.borrow().by_contract().into_values();
    let named = match &about.proxy {
        Some(proxy) => {
            let proxy = parse_address(proxy).ok();
            connections.find(|connection| Some(&connection.proxy.contract) == proxy.as_ref())
        }
        None => connections.next().filter(|_| connections.next().is_none()),
    };
    named.ok_or_else(|| {
        let hint = "name a connected proxy by its contract: `cocoon client peers` lists them";
        refused(StatusCode::NOT_FOUND, "this client is connected to no such proxy", hint)
    })
}

async fn top_up(State(app): State<Arc<App>>, Query(about): Query<About>) -> Answer {
    let connection = match connection(&app, &about) {
        Ok(connection) => connection,
        Err(refusal) => return refusal,
    };
    let configured = app.context.funding.get().map(|funding| funding.amount);
    let asked = about.amount.map(|amount| Nanoton::new(u128::from(amount)));
    let Some(amount) = asked.or(configured).filter(|amount| *amount > Nanoton::ZERO) else {
        let hint = "give an amount in nanoton, or set [funding]";
        return refused(StatusCode::BAD_REQUEST, "nothing is to be paid in", hint);
    };
    let sent = contract::top_up(&app.context.wallet, &connection.client_contract, amount).await;
    done(&connection, sent)
}

async fn charge(State(app): State<Arc<App>>, Query(about): Query<About>) -> Answer {
    let connection = match connection(&app, &about) {
        Ok(connection) => connection,
        Err(refusal) => return refusal,
    };
    let Some(voucher) = connection.payments().voucher else {
        let hint = "it signs one once its state is on chain";
        return refused(StatusCode::CONFLICT, "the proxy has signed no voucher yet", hint);
    };
    let sent = contract::charge(&app.context.wallet, &connection.client_contract, &voucher).await;
    done(&connection, sent)
}

async fn close(State(app): State<Arc<App>>, Query(about): Query<About>) -> Answer {
    let connection = match connection(&app, &about) {
        Ok(connection) => connection,
        Err(refusal) => return refusal,
    };
    let sent = contract::request_refund(&app.context.wallet, &connection.client_contract).await;
    done(&connection, sent)
}

async fn withdraw(State(app): State<Arc<App>>, Query(about): Query<About>) -> Answer {
    let connection = match connection(&app, &about) {
        Ok(connection) => connection,
        Err(refusal) => return refusal,
    };
    let sent = contract::withdraw(&app.context.wallet, &connection.client_contract).await;
    done(&connection, sent)
}
