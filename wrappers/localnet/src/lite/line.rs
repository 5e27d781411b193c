//! One connection of a lite client: frames in, and frames out from whoever has an answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cocoon_lite::adnl::{HANDSHAKE_BYTES, ServerKey, Session, admit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A connection, without its reading half, which one task has.
pub(super) struct Line {
    session: Mutex<Session>,
    write: tokio::sync::Mutex<OwnedWriteHalf>,
}

impl Line {
    /// Takes a client in: reads its first packet and tells it that it was understood.
    pub(super) async fn open(stream: TcpStream, key: &ServerKey) -> Result<(Self, OwnedReadHalf), std::io::Error> {
        let (mut read, write) = stream.into_split();
        let mut packet = [0; HANDSHAKE_BYTES];
        read.read_exact(&mut packet).await?;
        let session = admit(key, &packet).map_err(std::io::Error::other)?;
        let line = Self {
            session: Mutex::new(session),
            write: tokio::sync::Mutex::new(write),
        };
        // An empty frame says that the server could read the first packet.
        line.send(&[]).await?;
        Ok((line, read))
    }

    /// What the next frame holds.
    pub(super) async fn receive(&self, read: &mut OwnedReadHalf) -> Result<Vec<u8>, std::io::Error> {
        let mut head = [0; 4];
        read.read_exact(&mut head).await?;
        let length = self.session().open_length(head).map_err(std::io::Error::other)?;
        let mut body = vec![0; length];
        read.read_exact(&mut body).await?;
        self.session().open(body).map_err(std::io::Error::other)
    }

    /// Sends a frame. Frames leave in the order in which they are sealed, whoever sends them.
    pub(super) async fn send(&self, payload: &[u8]) -> Result<(), std::io::Error> {
        let nonce = rand::random();
        let mut write = self.write.lock().await;
        let frame = self.session().seal(&nonce, payload).map_err(std::io::Error::other)?;
        write.write_all(&frame).await
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
