//! The network as a capability: who listens and dials does it through a [`Network`], so that a whole network of nodes can run
//! in one process over connections that a test delays, cuts and drops.

use core::fmt::Debug;
use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// Opens ports and connections.
#[async_trait]
pub trait Network: Debug + Send + Sync {
    /// Opens a port; port 0 means any free one.
    async fn listen(&self, address: SocketAddr) -> io::Result<Listener>;

    /// Connects. How long that may take is for the caller to say.
    async fn dial(&self, address: SocketAddr) -> io::Result<Wire>;
}

/// A shared network.
pub type SharedNetwork = Arc<dyn Network>;

/// An open port.
pub type Listener = Box<dyn Listen>;

/// Takes connections.
#[async_trait]
pub trait Listen: Debug + Send + Sync {
    /// The next connection, and where it comes from.
    async fn accept(&mut self) -> io::Result<(Wire, SocketAddr)>;

    /// The address that was really opened.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// The machine's network.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNetwork;

impl TcpNetwork {
    /// As a shared network.
    pub fn shared() -> SharedNetwork {
        Arc::new(Self)
    }
}

#[async_trait]
impl Network for TcpNetwork {
    async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        Ok(Box::new(TcpListener::bind(address).await?))
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Wire> {
        TcpStream::connect(address).await.map(Wire::from)
    }
}

#[async_trait]
impl Listen for TcpListener {
    async fn accept(&mut self) -> io::Result<(Wire, SocketAddr)> {
        let (tcp, from) = TcpListener::accept(self).await?;
        Ok((Wire::from(tcp), from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

/// What a connection of another network than the machine's is made of.
pub trait Bytes: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> Bytes for T {}

/// A connection before anything is said on it.
#[derive(Debug)]
pub struct Wire(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Other { bytes: Box<dyn Bytes>, peer: SocketAddr },
}

impl From<TcpStream> for Wire {
    fn from(tcp: TcpStream) -> Self {
        Self(Kind::Tcp(tcp))
    }
}

impl Wire {
    /// A connection to `peer` that is no socket.
    pub fn other(bytes: Box<dyn Bytes>, peer: SocketAddr) -> Self {
        Self(Kind::Other { bytes, peer })
    }

    /// Sends small pieces at once instead of waiting for more.
    pub fn send_at_once(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.set_nodelay(true),
            Kind::Other { .. } => Ok(()),
        }
    }

    /// Who is at the other end.
    pub(crate) fn peer_ip(&self) -> io::Result<IpAddr> {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.peer_addr().map(|peer| peer.ip()),
            Kind::Other { peer, .. } => Ok(peer.ip()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Kind::Other { bytes, .. } => Pin::new(bytes).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Kind::Other { bytes, .. } => Pin::new(bytes).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Kind::Other { bytes, .. } => Pin::new(bytes).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.is_write_vectored(),
            Kind::Other { bytes, .. } => bytes.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Kind::Other { bytes, .. } => Pin::new(bytes).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Kind::Other { bytes, .. } => Pin::new(bytes).poll_shutdown(cx),
        }
    }
}
