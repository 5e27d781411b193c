//! Logs and witnesses over HTTP and HTTPS: bounded answers, no wait without an end, no redirects.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use url::Url;

use crate::error::TlogError;
use crate::limits::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, READ_TIMEOUT, largest};
use crate::source::LogSource;

/// Connections to web servers, kept and used again.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Longest time that a whole answer takes.
    within: Duration,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

impl Web {
    /// Certificates of https are checked against the roots of the web.
    pub(crate) fn new() -> Result<Self, TlogError> {
        let tls = cocoon_ratls::web_client_config().map_err(|error| unreachable("https", &error))?;
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
        let within = ANSWER_TIMEOUT;
        Ok(Self { client, within })
    }

    /// Asks for `url`; `path` is its name in errors, and `limit` the most bytes of the answer.
    pub(crate) async fn get(&self, url: &Url, path: &str, limit: usize) -> Result<Answer, TlogError> {
        self.ask(Method::GET, url, Bytes::new(), path, limit).await
    }

    /// Sends `body` to `url`.
    pub(crate) async fn post(&self, url: &Url, body: String, path: &str, limit: usize) -> Result<Answer, TlogError> {
        self.ask(Method::POST, url, body.into(), path, limit).await
    }

    /// The whole answer within one deadline: a server that drips holds nobody up.
    async fn ask(&self, method: Method, url: &Url, body: Bytes, path: &str, limit: usize) -> Result<Answer, TlogError> {
        let answer = timeout(self.within, self.ask_slowly(method, url, body, path, limit)).await;
        answer.unwrap_or_else(|_| {
            Err(TlogError::Unreachable {
                path: path.to_owned(),
                reason: "the server is too slow".into(),
            })
        })
    }

    async fn ask_slowly(
        &self,
        method: Method,
        url: &Url,
        body: Bytes,
        path: &str,
        limit: usize,
    ) -> Result<Answer, TlogError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(url.as_str()).map_err(|error| unreachable(path, &error))?;
        let agent = HeaderValue::from_static(concat!("cocoon/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let silent = |_| TlogError::Unreachable {
            path: path.to_owned(),
            reason: "the server is silent".into(),
        };
        let answer = timeout(CONNECT_TIMEOUT + READ_TIMEOUT, self.client.request(request)).await;
        let answer = answer.map_err(silent)?.map_err(|error| unreachable(path, &error))?;
        let (head, mut incoming) = answer.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = timeout(READ_TIMEOUT, incoming.frame()).await.map_err(silent)? {
            let frame = frame.map_err(|error| unreachable(path, &error))?;
            // Trailers are of no interest.
            let Ok(data) = frame.into_data() else { continue };
            if body.len() + data.len() > limit {
                let path = path.to_owned();
                return Err(TlogError::TooLarge { path, limit });
            }
            body.extend_from_slice(&data);
        }
        Ok(Answer {
            status: head.status,
            kind: head.headers.get(CONTENT_TYPE).cloned(),
            body: body.freeze(),
        })
    }
}

/// The error with its causes: this client's say the reason in the last one.
fn unreachable(path: &str, error: &(dyn std::error::Error + 'static)) -> TlogError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    TlogError::Unreachable {
        path: path.to_owned(),
        reason: causes.map(ToString::to_string).collect::<Vec<_>>().join(": "),
    }
}

/// A base URL as given, with a slash at its end so that paths are joined below it.
pub(crate) fn base_url(text: &str) -> Result<Url, TlogError> {
    let place = || TlogError::Place { text: text.to_owned() };
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|_| place())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    is_web.then_some(url).ok_or_else(place)
}

/// A server of a log: the proxy itself, or any static host.
#[derive(Debug, Clone)]
pub struct HttpSource {
    web: Web,
    base: Url,
}

impl HttpSource {
    /// The log under a URL.
    pub fn new(base: &str) -> Result<Self, TlogError> {
        Ok(Self {
            web: Web::new()?,
            base: base_url(base)?,
        })
    }
}

#[async_trait]
impl LogSource for HttpSource {
    async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError> {
        let url = self.base.join(path).map_err(|error| unreachable(path, &error))?;
        let answer = self.web.get(&url, path, largest(path)).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(TlogError::Status {
                path: path.to_owned(),
                status: status.as_u16(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_web_address_and_paths_go_below_it() {
        let below = |base: &str| base_url(base).unwrap().join("tile/0/000").unwrap().to_string();
        assert_eq!(below("https://logs.example/a"), "https://logs.example/a/tile/0/000");
        assert_eq!(below("http://127.0.0.1:80/"), "http://127.0.0.1/tile/0/000");
        for text in ["ftp://x/", "logs.example", "http://", "https://x/?a=b"] {
            assert!(matches!(base_url(text), Err(TlogError::Place { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_that_may_pass() {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let source = HttpSource::new(&format!("http://127.0.0.1:{port}")).unwrap();
        let error = source.read("checkpoint").await.unwrap_err();
        assert!(error.may_retry(), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_drips_its_answer_is_given_up() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut source = HttpSource::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        source.web.within = Duration::from_millis(300);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n")
                .await;
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let error = source.read("checkpoint").await.unwrap_err();
        assert!(error.to_string().contains("slow"), "{error}");
    }
}
