//! The socket under TLS. While hands are shaken, what is to be sent is gathered until there is nothing to read: then the
//! answer to the challenge goes with the first flight, and each flight in one piece.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::network::Wire;

/// A connected socket, which gathers until it is told not to.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: Wire,
    gathered: Vec<u8>,
    is_gathering: bool,
}

impl Socket {
    /// Starts to gather; `first` goes before everything else.
    pub(crate) fn gathering(tcp: Wire, first: &[u8]) -> Self {
        Self {
            tcp,
            gathered: first.to_vec(),
            is_gathering: true,
        }
    }

    /// Sends what was gathered; from now on everything is sent at once.
    pub(crate) async fn release(&mut self) -> io::Result<()> {
        self.is_gathering = false;
        self.flush().await?;
        // The first flights are much larger than what a quiet connection needs.
        self.gathered = Vec::new();
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.gathered))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.tcp).poll_read(cx, buf)?;
        if read.is_pending()
            && let Poll::Ready(sent) = this.poll_send(cx)
        {
            sent?;
        }
        read.map(Ok)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_gathering {
            let before = this.gathered.len();
            bufs.iter().for_each(|buf| this.gathered.extend_from_slice(buf));
            return Poll::Ready(Ok(this.gathered.len() - before));
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_gathering {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialed = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (dialed, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn what_is_gathered_goes_when_there_is_nothing_to_read() {
        let (near, mut far) = pair().await;
        let mut socket = Socket::gathering(near.into(), b"first ");
        socket.write_all(b"second").await.unwrap();
        socket.flush().await.unwrap();
        let mut nothing = [0];
        let refusal = far.try_read(&mut nothing).unwrap_err();
        assert_eq!(refusal.kind(), io::ErrorKind::WouldBlock);
        let (mut heard, mut answer) = ([0; 12], [0; 3]);
        let answering = async {
            far.read_exact(&mut heard).await.unwrap();
            far.write_all(b"yes").await.unwrap();
        };
        let (read, ()) = tokio::join!(socket.read_exact(&mut answer), answering);
        assert_eq!(read.unwrap(), 3);
        assert_eq!((&heard, &answer), (b"first second", b"yes"));
    }

    #[tokio::test]
    async fn after_the_release_nothing_is_kept_back() {
        let (near, mut far) = pair().await;
        let mut socket = Socket::gathering(near.into(), b"a");
        socket.write_all(b"b").await.unwrap();
        socket.release().await.unwrap();
        socket.write_all(b"c").await.unwrap();
        let mut heard = [0; 3];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"abc");
    }

    #[tokio::test]
    async fn more_than_the_system_takes_at_once_arrives_whole() {
        let (near, mut far) = pair().await;
        let much: Vec<u8> = (0..4_000_000_u32).map(|index| (index % 251) as u8).collect();
        let mut socket = Socket::gathering(near.into(), &[]);
        socket.write_all(&much).await.unwrap();
        let mut heard = vec![0; much.len()];
        let (sent, read) = tokio::join!(socket.release(), far.read_exact(&mut heard));
        sent.unwrap();
        read.unwrap();
        assert_eq!(heard, much);
    }
}
