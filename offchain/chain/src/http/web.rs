//! HTTP and HTTPS to one chain server: bounded answers, one deadline for a whole request, no redirects, and a key that goes
//! only where nobody listens.
//!
//! This is hyper and not the plain client of other crates, for the reason given in `cocoon-hub`: that one stays without TLS.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use url::{Host, Url};

use super::Endpoint;
use crate::ChainError;
use crate::limits::{CONNECT_TIMEOUT, IDLE_CONNECTION, MAX_RESPONSE_BYTES, REQUEST_TIMEOUT};

/// The header that toncenter and its like take a key in.
const KEY_HEADER: &str = "x-api-key";

/// Connections to one server.
#[derive(Clone)]
pub(super) struct Web {
    url: Url,
    key: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long the server asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Web {
    /// Connects nowhere yet.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, ChainError> {
        let url = checked(&endpoint.url)?;
        let refused = |reason: String| ChainError::Url {
            url: endpoint.url.clone(),
            reason,
        };
        let key = match &endpoint.api_key {
            None => None,
            Some(_) if url.scheme() == "http" && !is_this_machine(&url) => {
                return Err(refused(
                    "an API key would be readable on the way: use https, or a server on this machine".to_owned(),
                ));
            }
            Some(key) => {
                let mut key = HeaderValue::from_str(&key.0).map_err(|_| refused("unprintable API key".to_owned()))?;
                key.set_sensitive(true);
                Some(key)
            }
        };
        let tls = cocoon_web::client_config(&endpoint.roots).map_err(|error| refused(error.to_string()))?;
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
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Ok(Self { url, key, client })
    }

    /// Where the server is.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port: what may be shown. Some servers take their key in the path.
    fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The same connections, for another path of the same server.
    pub(super) fn at(&self, path: &str) -> Self {
        let mut moved = self.clone();
        moved.url.set_path(path);
        moved
    }

    /// Sends JSON to a path below the URL, or to the URL itself if the path is empty.
    pub(super) async fn post(&self, method: &'static str, path: &str, body: String) -> Result<Answer, ChainError> {
        self.ask(Method::POST, method, path, body.into()).await
    }

    /// Asks a path below the URL.
    pub(super) async fn get(&self, method: &'static str, path: &str) -> Result<Answer, ChainError> {
        self.ask(Method::GET, method, path, Bytes::new()).await
    }

    async fn ask(&self, verb: Method, method: &'static str, path: &str, body: Bytes) -> Result<Answer, ChainError> {
        let mut url = self.url.clone();
        if !path.is_empty() {
            url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        }
        let uri = Uri::try_from(url.as_str()).map_err(|error| self.unreachable(&error))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = verb;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        let agent = HeaderValue::from_static(concat!("cocoon/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, agent);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.key {
            headers.insert(KEY_HEADER, key.clone());
        }
        // One deadline for all of it: a server that drips holds nobody up.
        match timeout(REQUEST_TIMEOUT, self.exchange(method, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ChainError::Timeout {
                url: self.place(),
                method,
                seconds: REQUEST_TIMEOUT.as_secs(),
            }),
        }
    }

    async fn exchange(&self, method: &'static str, request: Request<Full<Bytes>>) -> Result<Answer, ChainError> {
        let answer = self.client.request(request).await;
        let (head, mut incoming) = answer.map_err(|error| self.unreachable(&error))?.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| self.unreachable(&error))?;
            // Trailers are of no interest.
            let Ok(data) = frame.into_data() else { continue };
            if body.len().saturating_add(data.len()) > MAX_RESPONSE_BYTES {
                return Err(ChainError::Response {
                    method,
                    reason: format!("it exceeds {MAX_RESPONSE_BYTES} bytes"),
                });
            }
            body.extend_from_slice(&data);
        }
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok());
        Ok(Answer {
            status: head.status.as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            body: body.freeze(),
        })
    }

    /// The error with its last cause, which is the one that says something.
    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ChainError {
        let causes = std::iter::successors(Some(error), |error| error.source());
        ChainError::Unreachable {
            url: self.place(),
            reason: causes.last().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web")
            .field("url", &self.place())
            .finish_non_exhaustive()
    }
}

/// A URL without what would show in a log.
fn checked(text: &str) -> Result<Url, ChainError> {
    let secret = text.contains(['@', '?']);
    let refused = |reason: String| ChainError::Url {
        // What stands there may be a password or a key.
        url: if secret { "(hidden)".to_owned() } else { text.to_owned() },
        reason,
    };
    let url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("it must start with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it must not hold a name or a password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(
            "it must end before the question mark; an API key goes into a file of its own".to_owned(),
        ));
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ApiKey;
    use super::*;

    fn web(url: &str, key: Option<&str>) -> Result<Web, ChainError> {
        Web::new(&Endpoint {
            api_key: key.map(ApiKey::new),
            ..Endpoint::at(url)
        })
    }

    #[test]
    fn a_key_goes_over_https_or_to_this_machine_only() {
        for url in [
            "https://host/",
            "http://localhost:1",
            "http://127.0.0.9:1",
            "http://[::1]:1",
        ] {
            assert!(web(url, Some("key")).is_ok(), "{url}");
        }
        for url in [
            "http://host",
            "http://10.0.2.2:1",
            "http://localhost.example",
            "http://127.0.0.1.example",
        ] {
            let error = web(url, Some("key")).unwrap_err();
            assert!(error.to_string().contains("readable"), "{error}");
            assert!(web(url, None).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_may_be_secret_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "https://me:secret@host/",
            "https://host/?api_key=secret",
            "https://secret@host:x/",
            "https://host:x/?secret",
        ] {
            let error = web(url, None).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for (url, key) in [("https://host", Some("secret")), ("https://host/secret/api/v3", None)] {
            let web = web(url, key).unwrap();
            let shown = format!("{web:?} {}", web.unreachable(&std::io::Error::other("down")));
            assert!(!shown.contains("secret") && shown.contains("https://host"), "{shown}");
        }
    }
}
