//! Status and backup over HTTP: nothing there is secret, since shares are sealed to the owners of the configuration.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use cocoon_bindings::units::{ImageHash, PublicKey};
use serde::{Deserialize, Serialize};

use crate::replica::Replica;

/// How a replica stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `ready`, or what it waits for.
    pub state: String,
    /// Public id of its secret, once it is there.
    pub id: Option<PublicKey>,
    /// Its own image, as it believes.
    pub image: ImageHash,
    /// Whether its platform, or one that it believes, is SIMULATED.
    pub simulated: bool,
    /// Whether owners of a backup are configured.
    pub has_backup: bool,
    /// Keys given since the start.
    pub keys_given: u64,
    /// Times that another replica was given the secret.
    pub secrets_given: u64,
    /// Questions refused since the start.
    pub refused: u64,
}

pub(crate) fn router(replica: Arc<Replica>) -> Router {
    Router::new()
        .route("/", get(status))
        .route("/health", get(health))
        .route("/backup", get(backup))
        .with_state(replica)
}

async fn status(State(replica): State<Arc<Replica>>) -> Json<Status> {
    Json(replica.status())
}

async fn health(State(replica): State<Arc<Replica>>) -> Response {
    let status = replica.status();
    let code = if status.id.is_some() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, status.state).into_response()
}

async fn backup(State(replica): State<Arc<Replica>>) -> Response {
    match replica.shares() {
        Ok(Some(shares)) => Json(shares).into_response(),
        Ok(None) if replica.id().is_none() => {
            (StatusCode::SERVICE_UNAVAILABLE, "this replica has no secret yet").into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "no owners of a backup are configured").into_response(),
        Err(error) => {
            tracing::error!(%error, "the backup cannot be made");
            (StatusCode::INTERNAL_SERVER_ERROR, "the backup cannot be made").into_response()
        }
    }
}
