//! A published log over HTTP: its files and nothing else. Any static host does as well.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use cocoon_ratls::off_thread;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{TlogError, disk};
use crate::limits::{ANSWER_TURN_TIMEOUT, MAX_ANSWERS};
use crate::paths::{self, CHECKPOINT, DESCRIPTION, Keeps};
use crate::source::read_bounded;

struct Served {
    base: PathBuf,
    answers: Arc<Semaphore>,
}

/// A file that is sent: its place is taken until its last byte is.
struct Sent {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The routes of the log in a folder.
pub fn router(base: impl Into<PathBuf>) -> Router {
    let served = Arc::new(Served {
        base: base.into(),
        answers: Arc::new(Semaphore::new(MAX_ANSWERS)),
    });
    Router::new().fallback(answer).with_state(served)
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "a log is only read\n");
    }
    let path = request.uri().path().strip_prefix('/').unwrap_or_default().to_owned();
    let Some(keeps) = paths::known(&path) else {
        return text(StatusCode::NOT_FOUND, "no such file\n");
    };
    let turn = timeout(ANSWER_TURN_TIMEOUT, Arc::clone(&served.answers).acquire_owned()).await;
    let Ok(Ok(place)) = turn else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many ask at once\n");
    };
    match read(served.base.join(&path), path.clone()).await {
        Ok(Some(bytes)) => {
            let sent = Sent { bytes, _place: place };
            file(&path, keeps, Bytes::from_owner(sent))
        }
        Ok(None) => text(StatusCode::NOT_FOUND, "no such file\n"),
        Err(error) => {
            tracing::warn!(%error, "a file of the published log cannot be read");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n")
        }
    }
}

async fn read(file: PathBuf, path: String) -> Result<Option<Bytes>, TlogError> {
    let name = path.clone();
    let read = off_thread(move || read_bounded(&file, &name)).await;
    read.unwrap_or_else(|stopped| Err(disk("read", &path)(std::io::Error::other(stopped))))
}

fn file(path: &str, keeps: Keeps, bytes: Bytes) -> Response<Body> {
    let kind = match path {
        CHECKPOINT => "text/plain; charset=utf-8",
        DESCRIPTION => "application/json",
        _ => "application/octet-stream",
    };
    let caching = match keeps {
        Keeps::Forever => "public, max-age=31536000, immutable",
        Keeps::Gains => "public, max-age=60",
        Keeps::Changes => "no-cache",
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    // Pages of others may check the log in a browser.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
