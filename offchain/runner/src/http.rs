//! The HTTP listener of a daemon: opens the port first, serves, ends with the token.

mod public;

use std::net::SocketAddr;

use axum::Router;
use cocoon_ratls::{Listener, Network, TcpNetwork, Wire};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use public::PublicPort;

use crate::RunnerError;
use crate::limits::{ACCEPT_PAUSE, HTTP_DRAIN_TIMEOUT};

/// A listener that runs until its token is cancelled.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<Result<(), RunnerError>>,
}

impl HttpServer {
    /// The address that was really opened (the port may have been 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the listener has ended.
    pub async fn join(self) -> Result<(), RunnerError> {
        self.task
            .await
            .unwrap_or_else(|error| Err(RunnerError::Serve(std::io::Error::other(error))))
    }
}

/// Opens `address` and serves `router` until `stop`; requests in flight get some seconds to end.
pub fn serve(
    address: SocketAddr,
    router: Router,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<HttpServer, RunnerError>> {
    Box::pin(serve_tcp(address, router, stop))
}

async fn serve_tcp(address: SocketAddr, router: Router, stop: CancellationToken) -> Result<HttpServer, RunnerError> {
    let listener = listen(&TcpNetwork, address).await?;
    serve_on(listener, router, stop)
}

/// Serves `router` on an open listener.
pub fn serve_on(listener: Listener, router: Router, stop: CancellationToken) -> Result<HttpServer, RunnerError> {
    let address = listener.local_addr().map_err(RunnerError::Serve)?;
    Ok(run(Port(listener), address, router, stop))
}

/// Serves `router` to everybody: connections are counted, in all and by where they come from, and end when they are slow.
pub fn serve_public(listener: Listener, router: Router, stop: CancellationToken) -> Result<HttpServer, RunnerError> {
    let address = listener.local_addr().map_err(RunnerError::Serve)?;
    Ok(run(PublicPort::new(listener), address, router, stop))
}

fn run<L>(listener: L, address: SocketAddr, router: Router, stop: CancellationToken) -> HttpServer
where
    L: axum::serve::Listener<Addr = SocketAddr>,
{
    let task = tokio::spawn(async move {
        let graceful = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::select! {
            result = graceful => result.map_err(RunnerError::Serve),
            () = async { stop.cancelled().await; tokio::time::sleep(HTTP_DRAIN_TIMEOUT).await } => {
                tracing::warn!(%address, "HTTP requests were still running at the end of the drain");
                Ok(())
            }
        }
    });
    HttpServer { address, task }
}

/// Opens a port.
pub async fn listen(network: &dyn Network, address: SocketAddr) -> Result<Listener, RunnerError> {
    network
        .listen(address)
        .await
        .map_err(|source| RunnerError::Listen { address, source })
}

/// Opens a TCP port of this machine, for bytes that no daemon of the network reads.
pub async fn listen_tcp(address: SocketAddr) -> Result<TcpListener, RunnerError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| RunnerError::Listen { address, source })
}

/// A port as the HTTP server wants it.
struct Port(Listener);

impl axum::serve::Listener for Port {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    // Usually too many open files: it passes when connections end.
                    tracing::warn!(%error, "an HTTP connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn get(address: SocketAddr) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn server_answers_and_ends_with_its_token() {
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(|| async { "ready" }));
        let server = serve("127.0.0.1:0".parse().unwrap(), router, stop.clone())
            .await
            .unwrap();
        assert!(get(server.address()).await.ends_with("ready"));
        stop.cancel();
        server.join().await.unwrap();
    }

    #[tokio::test]
    async fn a_port_for_everybody_answers_as_well() {
        let stop = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(|| async { "ready" }));
        let port = listen(&TcpNetwork, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let server = serve_public(port, router, stop.clone()).unwrap();
        for _ in 0..2 {
            assert!(get(server.address()).await.ends_with("ready"));
        }
        stop.cancel();
        server.join().await.unwrap();
    }

    #[tokio::test]
    async fn taken_port_is_an_error_with_the_address() {
        let first = listen(&TcpNetwork, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(&TcpNetwork, address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    }
}
