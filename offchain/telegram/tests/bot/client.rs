//! A double of a client: models, terms, streamed answers, receipts.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};

/// Nanoton of an adjusted token.
pub(crate) const PRICE: u64 = 20;

/// How a question is answered.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) pieces: Vec<String>,
    pub(crate) pause: Duration,
    /// Nanoton that the usage says; none: the stream is cut off before it.
    pub(crate) cost: Option<u64>,
    /// Refused with this status.
    pub(crate) status: Option<u16>,
}

impl Script {
    pub(crate) fn says(pieces: &[&str]) -> Self {
        Self {
            pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(),
            pause: Duration::ZERO,
            cost: Some(1000),
            status: None,
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Client {
    scripts: Arc<Mutex<VecDeque<Script>>>,
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Client {
    pub(crate) async fn start() -> (Self, String) {
        let client = Self::default();
        let app = Router::new()
            .route("/jsonstats", get(statistics))
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat))
            .route("/v1/cocoon/receipts/{id}", get(receipt))
            .with_state(client.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (client, url)
    }

    pub(crate) fn next(&self, script: Script) {
        self.scripts.lock().unwrap().push_back(script);
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| body.clone())
            .collect()
    }

    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(headers, _)| headers.clone())
            .collect()
    }
}

async fn statistics() -> Json<Value> {
    Json(json!({ "root_contract_config": {
        "price_per_token": PRICE, "prompt_tokens_price_multiplier": 10_000, "cached_tokens_price_multiplier": 10_000,
        "completion_tokens_price_multiplier": 10_000, "reasoning_tokens_price_multiplier": 10_000,
    } }))
}

async fn models() -> Json<Value> {
    Json(json!({ "object": "list", "data": [{ "id": "first" }, { "id": "second" }] }))
}

async fn receipt(Path(id): Path<String>) -> Response {
    match id.as_str() {
        "feed" => Json(json!({
            "id": "feed", "verified": true, "signed_by_worker": true, "tokens_charged": 77, "proxy": "EQproxy",
        }))
        .into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({ "error": {} }))).into_response(),
    }
}

async fn chat(State(client): State<Client>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    client.asked.lock().unwrap().push((headers, body));
    let script = client.scripts.lock().unwrap().pop_front();
    let script = script.unwrap_or_else(|| Script::says(&["fine"]));
    if let Some(status) = script.status {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, Json(json!({ "error": { "message": "no" } }))).into_response();
    }
    let pause = script.pause;
    let mut events: Vec<String> = script
        .pieces
        .iter()
        .map(|piece| json!({ "choices": [{ "delta": { "content": piece } }] }).to_string())
        .collect();
    if let Some(cost) = script.cost {
        events.push(json!({ "choices": [], "usage": { "total_tokens": 5, "total_cost": cost } }).to_string());
        events.push("[DONE]".into());
    }
    let events = stream::unfold(events.into_iter(), move |mut events| async move {
        let event = events.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(format!("data: {event}\n\n")), events))
    });
    let mut response = Response::new(Body::from_stream(events));
    response
        .headers_mut()
        .insert("x-cocoon-request-id", "feed".parse().unwrap());
    response
}
