//! HTTP and HTTPS to the Bot API and to the client: one connection pool, JSON both ways.
//!
//! This is hyper, as elsewhere in the tree: a library for the Bot API (teloxide, by its reqwest) would bring TLS to every plain HTTP
//! client of the workspace, and the six methods that a bot needs are a page of types.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::error::TelegramError;
use crate::limits::CONNECT_TIMEOUT;

/// Connections to web servers, kept and used again.
#[derive(Debug, Clone)]
pub(crate) struct Web(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// The beginning of an answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

/// Why there is no answer. Says nothing of the address, which may hold a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebFailure {
    /// Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended: what was sent may have arrived.
    #[error("{0}")]
    Lost(String),
    #[error("the server is silent")]
    Silent,
    #[error("the answer is too large")]
    TooLarge,
}

impl Web {
    /// Certificates of https are checked against the roots of the web.
    pub(crate) fn new() -> Result<Self, TelegramError> {
        let tls = cocoon_web::client_config(&cocoon_web::Roots::Web)?;
        let mut plain = HttpConnector::new();
        plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
        plain.set_nodelay(true);
        plain.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request: JSON if there is a body. `within` bounds the wait for the answer's beginning.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, WebFailure> {
        // The library's own words would quote the address.
        let unusable = || WebFailure::Unreachable("the address cannot be used".into());
        let has_body = !body.is_empty();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(url).map_err(|_| unusable())?;
        let headers = request.headers_mut();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("cocoon/", env!("CARGO_PKG_VERSION"))),
        );
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {bearer}")).map_err(|_| unusable())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let answer = timeout(within, self.0.request(request)).await;
        let answer = answer
            .map_err(|_| WebFailure::Silent)?
            .map_err(|error| match error.is_connect() {
                true => WebFailure::Unreachable(causes(&error)),
                false => WebFailure::Lost(causes(&error)),
            })?;
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self, within: Duration) -> Result<Option<Bytes>, WebFailure> {
        loop {
            let frame = timeout(within, self.body.frame())
                .await
                .map_err(|_| WebFailure::Silent)?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| WebFailure::Lost(causes(&error)))?;
            // Trailers are of no interest.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn whole(&mut self, limit: usize, within: Duration) -> Result<Bytes, WebFailure> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.piece(within).await? {
            if body.len() + piece.len() > limit {
                return Err(WebFailure::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

/// An error with its causes: this client's says the reason in the last one.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
