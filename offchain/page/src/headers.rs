//! Answers with the headers that keep a page to itself.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY as POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::asset::Asset;

/// What the page may do: load its own files, ask its own server, compile the verifier. Nothing inline, nothing from elsewhere, no
/// frame, no form that is sent anywhere, no text that becomes markup.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// On every answer.
const ALWAYS: [(HeaderName, &str); 7] = [
    (POLICY, CONTENT_SECURITY_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // The page's own requests still say where they come from, which the runner may want to check.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

fn secured(mut response: Response) -> Response {
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A file, or word that the asker has it already.
pub(crate) fn of_asset(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let compressed = accepts_gzip(asked).then(|| asset.gzip()).flatten();
    // Each form has a tag of its own: a tag names bytes.
    let tag = format!("\"{}{}\"", asset.tag(), if compressed.is_some() { "-gz" } else { "" });
    let mut response = if has(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(compressed.unwrap_or(asset.bytes())));
        let content_type = HeaderValue::from_static(asset.content_type());
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        if compressed.is_some() {
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, gzip);
        }
        response
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    // Kept, but asked for again each time: the files belong to the program that runs now.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    secured(response)
}

/// There is no such file.
pub(crate) fn missing() -> Response {
    let lines = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    secured((StatusCode::NOT_FOUND, lines, "This page has no such file.\n").into_response())
}

/// Whether a list of encodings has gzip, not refused by a weight of zero.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let lists = asked
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let is_refused = weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        is_named && !is_refused
    })
}

/// Whether the asker names this tag among those that it has.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(|item| item.trim().trim_start_matches("W/"))
        .any(|item| item == tag || item == "*")
}
