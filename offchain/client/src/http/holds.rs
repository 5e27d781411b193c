//! What is held of keys' limits for requests whose cost is not known: `GET /access/holds` lists it, and `POST /access/holds/{hold}`
//! ends one by the operator's word. Only on the administration socket: a key must not settle its own budget.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use cocoon_bindings::units::Nanoton;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::contract::{Answer, refused};
use crate::access::budget::ByHand;
use crate::access::spending::holds::{OpenHold, Unsettled};

/// What a request cost: one of both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// Nanoton.
    charge: Option<Nanoton>,
    /// Nothing.
    #[serde(default)]
    release: bool,
}

/// All holds of all keys.
pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    let mut shown = Vec::new();
    for key in app.access.gate.all() {
        match app.access.spending.holds(&key.hash) {
            Ok(holds) => shown.extend(holds.iter().map(|hold| describe(&key.name, hold))),
            Err(error) => {
                tracing::error!(%error, "the account of a key could not be read");
                return broken();
            }
        }
    }
    (StatusCode::OK, Json(json!({ "holds": shown })))
}

fn describe(key: &str, open: &OpenHold) -> Value {
    let hold = &open.hold;
    json!({
        "hold": hex::encode(hold.request.0),
        "key": key,
        "since": hold.since,
        "amount": hold.amount,
        "tokens": hold.tokens,
        "proxy": hold.proxy.as_ref().map(ToString::to_string),
        "running": open.is_running,
        "receipt": open.receipt.map(|receipt| receipt.to_string()),
        "why": open.why(),
    })
}

/// Ends one.
pub(super) async fn settle(
    State(app): State<Arc<App>>,
    Path(hold): Path<String>,
    about: Result<Query<About>, QueryRejection>,
) -> Answer {
    let mut attempt = [0; 32];
    if hex::decode_to_slice(&hold, &mut attempt).is_err() {
        let hint = "it is the request's id, 64 hex digits, as `cocoon client key holds` lists it";
        return refused(StatusCode::BAD_REQUEST, "this is no name of a hold", hint);
    }
    let charge = match about {
        Ok(Query(About {
            charge: Some(charge),
            release: false,
        })) => charge,
        Ok(Query(About {
            charge: None,
            release: true,
        })) => Nanoton::ZERO,
        _ => {
            let hint = "give charge with an amount in nanoton, or release=true";
            return refused(StatusCode::BAD_REQUEST, "it is not said what the request cost", hint);
        }
    };
    for key in app.access.gate.all() {
        match app.access.spending.settle_by_hand(&key.hash, &attempt, charge).await {
            Err(Unsettled::Refused(ByHand::Unknown)) => {}
            Ok(held) => {
                let hold = hex::encode(attempt);
                tracing::info!(key = %key.name, hold, %held, charged = %charge, "what was held for a request was settled by the operator");
                let settled = json!({ "hold": hold, "key": key.name, "held": held, "charged": charge });
                return (StatusCode::OK, Json(settled));
            }
            Err(Unsettled::Refused(ByHand::Running)) => {
                let hint = "wait for its end, which settles it";
                return refused(StatusCode::CONFLICT, "the request runs, or waits for its receipt", hint);
            }
            Err(Unsettled::Refused(ByHand::TooMuch(held))) => {
                let hint = "no proxy charges more than was held: charge that at most";
                return refused(
                    StatusCode::BAD_REQUEST,
                    &format!("{held} is held for this request"),
                    hint,
                );
            }
            Err(Unsettled::Disk) => return broken(),
        }
    }
    let hint = "`cocoon client key holds` lists all; a receipt may have settled it";
    refused(StatusCode::NOT_FOUND, "nothing is held for this request", hint)
}

fn broken() -> Answer {
    let hint = "the client's log says more";
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the accounts of the keys could not be read or written",
        hint,
    )
}
