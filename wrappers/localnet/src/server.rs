//! The HTTP server: requests to calls, results to answers.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::api::{self, ApiError, Done};
use crate::control;
use crate::limits::MAX_REQUEST_BYTES;
use crate::node::Node;

/// What requests share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) node: Node,
    /// Number of the last change on disk, if the chain is saved.
    pub(crate) written: Option<watch::Receiver<u64>>,
    /// What clients of the lite server begin with, if there is one.
    pub(crate) global_config: Arc<OnceLock<Value>>,
}

/// All paths.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/api/v2/jsonRPC", post(json_rpc))
        .route("/api/v2/{method}", get(rest_get).post(rest_post))
        .route("/api/v3/{route}", get(index_get).post(index_post))
        .route("/global.config.json", get(global_config))
        .route("/control/status", get(status))
        .route("/control/{control}", post(controls))
        .fallback(|| async { answer(None, Err(ApiError::not_found("no such path"))) })
        .method_not_allowed_fallback(|| async {
            answer(
                None,
                Err(ApiError {
                    code: 405,
                    message: "method not allowed".to_owned(),
                }),
            )
        })
        .with_state(shared)
}

async fn json_rpc(State(shared): State<Shared>, body: Body) -> Response {
    let request = match read(body).await {
        Ok(request) => request,
        Err(error) => return answer(None, Err(error)),
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let Some(method) = request.get("method").and_then(Value::as_str).map(str::to_owned) else {
        return answer(Some(id), Err(ApiError::request("method is missing")));
    };
    let params = request.get("params").cloned().unwrap_or(Value::Null);
    let result = shared.run(move |node| api::call(node, &method, &params)).await;
    answer(Some(id), result)
}

async fn rest_get(
    State(shared): State<Shared>,
    Path(method): Path<String>,
    query: Result<Query<HashMap<String, String>>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return answer(None, Err(ApiError::request(error.to_string()))),
    };
    if method.starts_with("send") {
        return answer(
            None,
            Err(ApiError {
                code: 405,
                message: "sending needs POST".to_owned(),
            }),
        );
    }
    let params: Map<String, Value> = query
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    let result = shared
        .run(move |node| api::call(node, &method, &Value::Object(params)))
        .await;
    answer(None, result)
}

async fn rest_post(State(shared): State<Shared>, Path(method): Path<String>, body: Body) -> Response {
    let result = match read(body).await {
        Ok(params) => shared.run(move |node| api::call(node, &method, &params)).await,
        Err(error) => Err(error),
    };
    answer(None, result)
}

/// Version 3 answers with the result alone, or with `{error}`.
async fn index_get(
    State(shared): State<Shared>,
    Path(route): Path<String>,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return index(Err(ApiError::request(error.to_string()))),
    };
    if api::v3::POSTED.contains(&route.as_str()) {
        let message = format!("{route} needs POST");
        return index(Err(ApiError { code: 405, message }));
    }
    let params = Value::Object(gathered(query));
    index(shared.run(move |node| api::v3::call(node, &route, &params)).await)
}

async fn index_post(State(shared): State<Shared>, Path(route): Path<String>, body: Body) -> Response {
    if !api::v3::POSTED.contains(&route.as_str()) {
        let message = format!("{route} needs GET");
        return index(Err(ApiError { code: 405, message }));
    }
    index(match read(body).await {
        Ok(params) => shared.run(move |node| api::v3::call(node, &route, &params)).await,
        Err(error) => Err(error),
    })
}

/// A parameter that comes more than once is a list.
fn gathered(query: Vec<(String, String)>) -> Map<String, Value> {
    let mut params = Map::new();
    for (name, value) in query {
        match params.get_mut(&name) {
            None => {
                params.insert(name, Value::String(value));
            }
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
        }
    }
    params
}

fn index(result: Result<Value, ApiError>) -> Response {
    match result {
        Ok(result) => (StatusCode::OK, Json(result)).into_response(),
        Err(ApiError { code, message }) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({ "error": message, "code": code }))).into_response()
        }
    }
}

async fn global_config(State(shared): State<Shared>) -> Response {
    match shared.global_config.get() {
        Some(config) => (StatusCode::OK, Json(config.clone())).into_response(),
        None => answer(None, Err(ApiError::not_found("this chain has no lite server"))),
    }
}

async fn status(State(shared): State<Shared>) -> Response {
    answer(None, shared.run(|node| control::status(node).map(Done::from)).await)
}

async fn controls(State(shared): State<Shared>, Path(control): Path<String>, body: Body) -> Response {
    let result = match read(body).await {
        Ok(order) => shared.run(move |node| control::change(node, &control, &order)).await,
        Err(error) => Err(error),
    };
    answer(None, result)
}

impl Shared {
    /// Runs a call away from the tasks that serve connections; what it changed is on disk before the answer leaves.
    pub(crate) async fn run(
        &self,
        call: impl FnOnce(&Node) -> Result<Done, ApiError> + Send + 'static,
    ) -> Result<Value, ApiError> {
        let node = self.node.clone();
        let failed = |error: String| ApiError {
            code: 500,
            message: error,
        };
        let done = tokio::task::spawn_blocking(move || call(&node))
            .await
            .map_err(|error| failed(error.to_string()))??;
        if let (Some(change), Some(written)) = (done.change, &self.written) {
            let saved = written.clone().wait_for(|written| *written >= change).await.is_ok();
            if !saved {
                return Err(failed("the chain is shutting down".to_owned()));
            }
        }
        Ok(done.result)
    }
}

/// Reads a JSON body; an empty one is an empty object.
async fn read(body: Body) -> Result<Value, ApiError> {
    let too_large = |_| ApiError {
        code: 413,
        message: format!("the request exceeds {MAX_REQUEST_BYTES} bytes"),
    };
    let bytes = to_bytes(body, MAX_REQUEST_BYTES).await.map_err(too_large)?;
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&bytes).map_err(|error| ApiError::request(format!("not JSON: {error}")))
}

/// The answer in the API's shape: `{ok, result}` or `{ok, error, code}`.
fn answer(id: Option<Value>, result: Result<Value, ApiError>) -> Response {
    let (status, mut body) = match result {
        Ok(result) => (StatusCode::OK, json!({ "ok": true, "result": result })),
        Err(error) => (
            StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            json!({ "ok": false, "error": error.message, "code": error.code }),
        ),
    };
    if let (Some(id), Some(fields)) = (id, body.as_object_mut()) {
        fields.insert("jsonrpc".to_owned(), json!("2.0"));
        fields.insert("id".to_owned(), id);
    }
    (status, Json(body)).into_response()
}
