//! Errors as responses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cocoon_openai::{ApiError, Dialect, Endpoint};

/// Header with the name of a request.
pub(super) const REQUEST_ID: &str = "x-cocoon-request-id";
/// Header of a request whose answer is to wait for its receipt: `wait`.
pub(super) const RECEIPT: &str = "x-cocoon-receipt";
/// Header with the name of a receipt.
pub(super) const RECEIPT_ID: &str = "x-cocoon-receipt-id";

/// An error in OpenAI's shape.
pub(super) fn reply(error: &ApiError) -> Response {
    reply_in(Dialect::OpenAi(Endpoint::Chat), error)
}

/// An error as an interface has it.
pub(super) fn reply_in(dialect: Dialect, error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, dialect.error(error)).into_response();
    if let Some(seconds) = error.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same with the name of the request.
pub(super) fn reply_with_id(dialect: Dialect, error: &ApiError, request_id: &[u8; 32]) -> Response {
    let mut response = reply_in(dialect, error);
    set_id(&mut response, dialect, request_id);
    response
}

/// Names the request, in our header and in the one that the interface's packages look at.
pub(super) fn set_id(response: &mut Response, dialect: Dialect, request_id: &[u8; 32]) {
    let id = hex::encode(request_id);
    set(response, REQUEST_ID, &id);
    set(response, dialect.request_id_header(), &id);
}

/// Sets a header; a value that no header may have is left out.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
