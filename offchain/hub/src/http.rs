//! HTTP and HTTPS as a hub needs them: GET with a range, redirects, and no wait without an end.
//!
//! This is hyper and not the client that other crates use: one crate's wish for TLS in that client would give TLS, and
//! the need of a provider for it, to every plain one of the workspace.

use http::header::{AUTHORIZATION, LOCATION, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use url::Url;

use crate::error::HubError;
use crate::limits::{CONNECT_TIMEOUT, MAX_REDIRECTS, READ_TIMEOUT};

/// Connections to web servers.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// The beginning of an answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

impl Http {
    /// Certificates of https are checked against the roots of the web.
    pub(crate) fn new() -> Result<Self, HubError> {
        let tls = cocoon_ratls::web_client_config().map_err(HubError::Tls)?;
        let mut plain = HttpConnector::new();
        plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
        plain.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Asks for `url` from byte `from` on and follows redirects; another host, port or scheme does not get `token`.
    pub(crate) async fn get(&self, url: Url, token: Option<&HeaderValue>, from: u64) -> Result<Answer, HubError> {
        let home = url.origin();
        let mut url = url;
        for _ in 0..=MAX_REDIRECTS {
            let token = token.filter(|_| url.origin() == home);
            let answer = self.ask(&url, token, from).await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
            // What was asked for over https does not come over a line that anyone can read.
            let next = next.filter(|next| url.scheme() == "http" || next.scheme() == "https");
            url = next.ok_or(HubError::Redirect)?;
        }
        Err(HubError::Redirect)
    }

    async fn ask(&self, url: &Url, token: Option<&HeaderValue>, from: u64) -> Result<Answer, HubError> {
        let uri = Uri::try_from(url.as_str()).map_err(|_| HubError::Redirect)?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        let agent = HeaderValue::from_static(concat!("cocoon/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        if from > 0 {
            let range = HeaderValue::try_from(format!("bytes={from}-")).map_err(|_| HubError::Redirect)?;
            request.headers_mut().insert(RANGE, range);
        }
        let answer = timeout(READ_TIMEOUT + CONNECT_TIMEOUT, self.client.request(request)).await;
        let (head, body) = answer
            .map_err(|_| HubError::Silent)?
            .map_err(HubError::Unreachable)?
            .into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, HubError> {
        loop {
            let frame = timeout(READ_TIMEOUT, self.body.frame()).await;
            match frame.map_err(|_| HubError::Silent)? {
                None => return Ok(None),
                Some(frame) => {
                    // Trailers are of no interest.
                    if let Ok(data) = frame.map_err(HubError::Broken)?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}
