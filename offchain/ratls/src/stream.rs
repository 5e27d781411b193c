//! The bytes of a connection after the handshake, whoever ends TLS.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::{network::Wire, socket::Socket};

/// A stream of payload.
#[derive(Debug)]
pub struct Stream(Inner);

#[derive(Debug)]
enum Inner {
    /// We end TLS.
    Tls(Box<TlsStream<Socket>>),
    /// A router of this machine does, and the rest of the way is plain.
    Plain(Wire),
}

impl Stream {
    pub(crate) fn tls(stream: TlsStream<Socket>) -> Self {
        Self(Inner::Tls(Box::new(stream)))
    }

    pub(crate) fn plain(tcp: Wire) -> Self {
        Self(Inner::Plain(tcp))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Inner::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Tls(stream) => stream.is_write_vectored(),
            Inner::Plain(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
