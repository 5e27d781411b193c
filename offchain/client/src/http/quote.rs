//! `POST /v1/cocoon/quote`: a firm quote of a proxy.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_openai::ApiError;
use cocoon_protocol::extension::GetQuote;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::reply::reply;
use crate::access::attempt::Asker;
use crate::access::keys::ApiKey;
use crate::connection::ProxyConnection;
use crate::limits::MAX_QUOTE_BODY_BYTES;
use crate::quotes::{self, Checked, Usable};

/// Header of a request that is to be served under a quote.
const QUOTE: &str = "x-cocoon-quote";

/// What the request to come will be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    model: String,
    /// Of its answer.
    #[serde(default = "default_max_tokens")]
    max_tokens: u32,
    /// Thousandths of the network's price that are paid at most.
    #[serde(default = "default_max_coefficient")]
    max_coefficient: u32,
    /// Bytes of its body: the prompt is reserved for by its size.
    #[serde(default = "default_max_request_bytes")]
    max_request_bytes: u32,
}

fn default_max_tokens() -> u32 {
    1000
}

fn default_max_coefficient() -> u32 {
    4000
}

fn default_max_request_bytes() -> u32 {
    64 << 10
}

/// Asks the proxy with the fewest requests.
pub(super) async fn ask(State(app): State<Arc<App>>, asker: Option<Extension<Asker>>, body: Body) -> Response {
    let key = asker.and_then(|Extension(asker)| asker.caller.key);
    match get(&app, key.as_deref(), body).await {
        Ok(value) => Json(value).into_response(),
        Err(error) => reply(&error),
    }
}

async fn get(app: &App, key: Option<&ApiKey>, body: Body) -> Result<Value, ApiError> {
    let body = axum::body::to_bytes(body, MAX_QUOTE_BODY_BYTES)
        .await
        .map_err(|_| ApiError::too_large("A question for a quote is short."))?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|error| ApiError::invalid_json(&error.to_string()))?;
    // A quote holds a worker's slot.
    if key.is_some_and(|key| !key.allows_model(&wish.model)) {
        return Err(ApiError::model_not_allowed("This API key may not use that model."));
    }
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let question = GetQuote {
        model: wish.model,
        max_coefficient: number(wish.max_coefficient),
        max_tokens: number(wish.max_tokens),
        // The head of the request that is made of it is counted too.
        query_bytes: number(wish.max_request_bytes.saturating_add(HEAD_BYTES)),
    };
    let connection = app.connection()?;
    let checked = quotes::ask(&connection, &question).await?;
    app.quotes.keep(connection.client_contract.clone(), &checked);
    Ok(show(&checked, &connection))
}

/// More than method, path and headers of a request take.
pub(super) const HEAD_BYTES: u32 = 512;

fn show(checked: &Checked, connection: &ProxyConnection) -> Value {
    let terms = &checked.terms;
    let first_token = Some(terms.first_token_seconds).filter(|seconds| *seconds > 0.0 && seconds.is_finite());
    json!({
        "object": "cocoon.quote",
        "id": hex::encode(terms.quote_id),
        "model": terms.model,
        "worker_evidence": hex::encode(terms.worker_evidence),
        "coefficient": terms.coefficient,
        "max_tokens": terms.max_tokens,
        "expected_first_token_seconds": first_token,
        "issued_ms": terms.issued_ms,
        "expires_ms": terms.expires_ms,
        "proxy_sc_address": terms.proxy_sc_address,
        "client_sc_address": terms.client_sc_address,
        "proxy_public_key": connection.proxy.public_key.to_string(),
        "terms": STANDARD.encode(&checked.quote.terms),
        "signature": hex::encode(&checked.quote.signature),
    })
}

/// The quote that a request names, if it names one.
pub(super) fn named(app: &App, headers: &HeaderMap) -> Result<Option<Usable>, ApiError> {
    let Some(name) = headers.get(QUOTE) else {
        return Ok(None);
    };
    app.quotes.find(name.to_str().unwrap_or_default()).map(Some)
}
