//! The web page of a runner: chat, wallet and the network, as files that are part of the program.
//!
//! **Invariant:** the page is told by its headers to load and to ask nothing of any other origin, to run no code that is not one of
//! its files, and to stand in nobody's frame. Nothing here reads a file, asks the network or changes a state.
//!
//! Main function: [`router`] serves the files; which parts the page shows it asks the runner that serves it, at `/v1/cocoon/page`.
//!
//! ```
//! let router: axum::Router = cocoon_page::router();
//! assert!(cocoon_page::find("index.html").is_some());
//! # drop(router);
//! ```
#![forbid(unsafe_code)]

mod asset;
mod headers;

use axum::Router;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::get;

pub use asset::{Asset, find};
pub use headers::CONTENT_SECURITY_POLICY;

/// The page at `/`, its files at `/assets/*`. They hold no secret and need no key: a page must be there before it can ask for one.
pub fn router() -> Router {
    Router::new()
        .route(
            "/",
            get(|request: Request| async move { serve("index.html", &request) }),
        )
        .route(
            "/assets/{name}",
            get(|Path(name): Path<String>, request: Request| async move { serve(&name, &request) }),
        )
}

fn serve(name: &str, request: &Request) -> Response {
    match find(name) {
        Some(asset) => headers::of_asset(asset, request.headers()),
        None => headers::missing(),
    }
}
