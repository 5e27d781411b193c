//! HTTP requests to a server that a daemon trusts by its place, over the daemon's own network.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cocoon_ratls::{SharedNetwork, Wire};
use http::Uri;
use http_body_util::Full;
use hyper::rt::ReadBufCursor;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

/// A client for plain HTTP/1.1 that keeps connections.
pub type WebClient = Client<Dialer, Full<Bytes>>;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);

/// A client on a network.
pub fn web_client(network: SharedNetwork) -> WebClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(Dialer(network))
}

/// Dials servers by the address in a URL.
#[derive(Clone, Debug)]
pub struct Dialer(SharedNetwork);

impl tower_service::Service<Uri> for Dialer {
    type Response = WebStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<WebStream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let network = self.0.clone();
        Box::pin(async move {
            let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
            if uri.scheme_str() != Some("http") {
                return Err(refused("only http is spoken"));
            }
            let host = uri.host().ok_or_else(|| refused("the URL has no host"))?;
            // A literal IPv6 address stands in brackets in a URL.
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let mut refusal = refused("the name has no address");
            for address in tokio::net::lookup_host((bare, uri.port_u16().unwrap_or(80))).await? {
                match network.dial(address).await {
                    Ok(wire) => {
                        wire.send_at_once()?;
                        return Ok(WebStream(TokioIo::new(wire)));
                    }
                    Err(error) => refusal = error,
                }
            }
            Err(refusal)
        })
    }
}

/// A connection as the HTTP library wants it.
#[derive(Debug)]
pub struct WebStream(TokioIo<Wire>);

impl Connection for WebStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for WebStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for WebStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
