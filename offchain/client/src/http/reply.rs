//! Errors as responses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cocoon_openai::ApiError;

/// Header with the name of a request.
pub(super) const REQUEST_ID: &str = "x-cocoon-request-id";
/// Header of a request whose answer is to wait for its receipt: `wait`.
pub(super) const RECEIPT: &str = "x-cocoon-receipt";
/// Header with the name of a receipt.
pub(super) const RECEIPT_ID: &str = "x-cocoon-receipt-id";

/// An error in OpenAI's shape.
pub(super) fn reply(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, error.to_json()).into_response();
    if let Some(seconds) = error.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same with the name of the request.
pub(super) fn reply_with_id(error: &ApiError, request_id: &[u8; 32]) -> Response {
    let mut response = reply(error);
    set(&mut response, REQUEST_ID, &hex::encode(request_id));
    response
}

/// Sets a header; a value that no header may have is left out.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
