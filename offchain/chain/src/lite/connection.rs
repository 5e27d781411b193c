//! One connection to a lite server, opened when it is needed.

use std::net::SocketAddr;

use cocoon_lite::LiteError;
use cocoon_lite::adnl::{PARAMS_BYTES, Session, greet};
use cocoon_lite::messages::{Answer, Request, unwrap_answer, wrap_question};
use rand::Rng as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::LiteServer;
use crate::ChainError;
use crate::limits::{CONNECT_TIMEOUT, LINE_WAIT, MAX_FRAMES, REQUEST_TIMEOUT};

/// The way to one server. Questions go one after the other.
#[derive(Debug)]
pub(super) struct Line {
    address: SocketAddr,
    key: [u8; 32],
    /// Taken out while a question is under way: one that breaks off leaves no half-read frame behind.
    open: Mutex<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    session: Session,
}

impl Line {
    pub(super) fn new(server: &LiteServer) -> Self {
        Self {
            address: server.address,
            key: server.key,
            open: Mutex::new(None),
        }
    }

    /// Asks within one deadline, which begins when the line is free. A connection that the server closed meanwhile is opened
    /// again once.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, ChainError> {
        let turn = timeout(LINE_WAIT, self.open.lock()).await;
        // That so much is asked is not the server's failure.
        let mut open = turn.map_err(|_| ChainError::RateLimited {
            method: "liteServer.query",
            retry_after: None,
        })?;
        match timeout(REQUEST_TIMEOUT, self.ask_slowly(&mut open, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ChainError::Timeout {
                url: self.address.to_string(),
                method: "liteServer.query",
                seconds: REQUEST_TIMEOUT.as_secs(),
            }),
        }
    }

    async fn ask_slowly(&self, open: &mut Option<Connection>, request: &Request) -> Result<Answer, ChainError> {
        let mut broken = None;
        if let Some(mut connection) = open.take() {
            match connection.ask(request).await {
                Ok(answer) => {
                    *open = Some(connection);
                    return Ok(answer);
                }
                Err(error) => broken = Some(error),
            }
        }
        if let Some(error) = broken {
            tracing::debug!(server = %self.address, %error, "connecting to a lite server again");
        }
        let mut connection = self.connect().await?;
        let answer = connection.ask(request).await.map_err(|error| self.failed(&error))?;
        *open = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Connection, ChainError> {
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address)).await;
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let stream = connecting.map_err(late).and_then(|stream| stream);
        let mut stream = stream.map_err(|error| self.failed(&Broken::Io(error)))?;
        let _ = stream.set_nodelay(true);
        let mut params = [0; PARAMS_BYTES];
        let seed: [u8; 32] = rand::random();
        rand::rng().fill(&mut params[..]);
        let (packet, session) = greet(&self.key, &seed, &params).map_err(super::wrong)?;
        let sent = stream.write_all(&packet).await;
        sent.map_err(|error| self.failed(&Broken::Io(error)))?;
        Ok(Connection { stream, session })
    }

    fn failed(&self, broken: &Broken) -> ChainError {
        match broken {
            Broken::Io(error) => ChainError::Unreachable {
                url: self.address.to_string(),
                reason: error.to_string(),
            },
            Broken::Lite(error) => ChainError::Response {
                method: "liteServer.query",
                reason: error.to_string(),
            },
        }
    }
}

/// Why a connection cannot be used any more.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Lite(#[from] LiteError),
}

impl Connection {
    async fn ask(&mut self, request: &Request) -> Result<Answer, Broken> {
        let (id, nonce): ([u8; 32], [u8; 32]) = (rand::random(), rand::random());
        let frame = self.session.seal(&nonce, &wrap_question(&id, request))?;
        self.stream.write_all(&frame).await?;
        for _ in 0..MAX_FRAMES {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head).await?;
            let length = self.session.open_length(head)?;
            let mut body = Vec::new();
            let limit = u64::try_from(length).unwrap_or(u64::MAX);
            // Memory grows with what really comes.
            (&mut self.stream).take(limit).read_to_end(&mut body).await?;
            if body.len() != length {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            let payload = self.session.open(body)?;
            if let Some(answer) = unwrap_answer(&id, &payload)? {
                return Ok(answer);
            }
        }
        Err(LiteError::Message("the server sends everything but an answer").into())
    }
}
