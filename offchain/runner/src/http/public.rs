//! A port for everybody: so many connections in all and from one network, none of which is silent or open for long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cocoon_ratls::{Listener, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Port;
use crate::limits::{
    MAX_PUBLIC_CONNECTIONS, MAX_PUBLIC_OF_NETWORK, PUBLIC_CONNECTION_TIMEOUT, PUBLIC_PROGRESS_TIMEOUT,
};
use crate::places::{Place, Places};

/// A port that hands out places.
pub(super) struct PublicPort {
    port: Port,
    places: Arc<Places>,
    silence: Duration,
}

impl PublicPort {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            port: Port(listener),
            places: Places::new(MAX_PUBLIC_CONNECTIONS, MAX_PUBLIC_OF_NETWORK),
            silence: PUBLIC_PROGRESS_TIMEOUT,
        }
    }
}

impl axum::serve::Listener for PublicPort {
    type Io = Bounded<Wire>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Bounded<Wire>, SocketAddr) {
        loop {
            let (wire, address) = self.port.accept().await;
            // Whoever has no place is cut off: it may come again when others are gone.
            if let Some(place) = self.places.take(address.ip()) {
                return (Bounded::new(wire, self.silence, Some(place)), address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        axum::serve::Listener::local_addr(&self.port)
    }
}

/// A connection that fails when nothing could be sent for a while: then either no whole request came, or nobody takes the answer.
/// It fails at the end of its time too, so that one who takes an answer byte by byte does not keep its place.
pub(super) struct Bounded<T> {
    inner: T,
    silence: Duration,
    /// At the end of the silence, or of the connection's time.
    ends: Pin<Box<Sleep>>,
    last: Instant,
    _place: Option<Place>,
}

impl<T> Bounded<T> {
    fn new(inner: T, silence: Duration, place: Option<Place>) -> Self {
        let now = Instant::now();
        Self {
            inner,
            silence,
            ends: Box::pin(sleep_until(now + silence)),
            last: now + PUBLIC_CONNECTION_TIMEOUT,
            _place: place,
        }
    }

    /// What waits has waited long enough.
    fn waits<V>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<V>> {
        ready!(self.ends.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote(&mut self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        if matches!(written, Ok(1..)) {
            let next = (Instant::now() + self.silence).min(self.last);
            self.ends.as_mut().reset(next);
        }
        Poll::Ready(written)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Bounded<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // First, since bytes may come one by one and always be there.
        if let Poll::Ready(ended) = this.waits(cx) {
            return Poll::Ready(ended);
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Bounded<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write(cx, buf) {
            Poll::Ready(written) => this.wrote(written),
            Poll::Pending => this.waits(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write_vectored(cx, bufs) {
            Poll::Ready(written) => this.wrote(written),
            Poll::Pending => this.waits(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_flush(cx) {
            Poll::Pending => this.waits(cx),
            flushed => flushed,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_shutdown(cx) {
            Poll::Pending => this.waits(cx),
            shut => shut,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_drips_its_request_ends() {
        let (mut far, near) = duplex(64);
        let mut near = Bounded::new(near, SILENCE, None);
        tokio::spawn(async move {
            while far.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let error = loop {
            if let Err(error) = near.read_u8().await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            begun.elapsed() <= SILENCE + Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_answer_nobody_takes_ends_and_one_that_goes_on_has_its_time() {
        let (mut far, near) = duplex(64);
        let mut near = Bounded::new(near, SILENCE, None);
        let error = near.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(far.read_u8().await.is_ok());

        let (mut far, near) = duplex(1);
        let mut near = Bounded::new(near, SILENCE, None);
        tokio::spawn(async move {
            while far.read_u8().await.is_ok() {
                tokio::time::sleep(SILENCE / 2).await;
            }
        });
        let begun = Instant::now();
        let error = near.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let took = begun.elapsed();
        assert!(
            took > 3 * SILENCE && took <= PUBLIC_CONNECTION_TIMEOUT + SILENCE,
            "{took:?}"
        );
    }
}
