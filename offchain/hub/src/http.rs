//! HTTP and HTTPS as a hub needs them: GET with a range, redirects, and no wait without an end.
//!
//! HTTPS goes through the proxy that [`Proxies`] name for a host. Plain HTTP does not: a hub on the own machine or network
//! is meant, and a proxy would read and change everything.
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
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

use crate::error::HubError;
use crate::limits::{CONNECT_TIMEOUT, MAX_REDIRECTS, READ_TIMEOUT};

/// Which hosts are reached through a proxy (with the method CONNECT), and which are not.
#[derive(Clone)]
pub struct Proxies(Arc<Matcher>);

impl Proxies {
    /// As the environment says: `HTTPS_PROXY` or `ALL_PROXY`, an address `http://[user:password@]host:port`, but for the
    /// hosts in `NO_PROXY`: names with all names below them, addresses, networks, or `*`, with commas between. The same
    /// in lower case.
    pub fn from_env() -> Self {
        Self(Arc::new(Matcher::from_env()))
    }

    /// As the values of `HTTPS_PROXY` and `NO_PROXY` say.
    pub fn new(https: &str, no: &str) -> Self {
        Self(Arc::new(Matcher::builder().https(https).no(no).build()))
    }
}

/// Leaves addresses out: they may hold a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies(..)")
    }
}

/// Connects straight or through a proxy.
#[derive(Clone)]
struct Connector {
    straight: HttpConnector,
    proxies: Proxies,
}

type ConnectError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.straight.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let proxy = self.proxies.0.intercept(&to);
        let Some(proxy) = proxy.filter(|_| to.scheme_str() == Some("https")) else {
            let connecting = self.straight.call(to);
            return Box::pin(async { Ok(connecting.await?) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.straight.clone());
        if let Some(password) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(password.clone());
        }
        let connecting = tunnel.call(to);
        Box::pin(async { Ok(connecting.await?) })
    }
}

/// Connections to web servers.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client<HttpsConnector<Connector>, Empty<Bytes>>,
}

/// The beginning of an answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

impl Http {
    /// Certificates of https are checked against the roots of the web.
    pub(crate) fn new(proxies: Proxies) -> Result<Self, HubError> {
        let tls = cocoon_ratls::web_client_config().map_err(HubError::Tls)?;
        let mut plain = HttpConnector::new();
        plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
        plain.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector {
                straight: plain,
                proxies,
            });
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
