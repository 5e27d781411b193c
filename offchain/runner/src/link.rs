//! One connection to a peer: packets, RPCs, keepalive and bounded queues over any byte stream.
//!
//! The rules are those of [`cocoon_protocol::session`], which is pure; this module gives it a
//! socket and a clock. What it adds:
//! - RPCs that are pending fail at once when the link ends, and their ids are never used twice;
//! - queues are bounded on both sides: a peer that we do not read is no longer read by the socket
//!   either, and a peer that does not read makes our senders wait, then is given up;
//! - an object that is too large is an error of its sender and never silently dropped.
//!
//! Take events within some seconds: while the queue is full nothing is read, a ping of the peer
//! neither, and a dialer that hears nothing for 20 s hangs up. Work belongs in tasks of its own.
//! Never await [`LinkHandle::query`] in the loop that takes [`LinkEvent`]s: the answer may stand
//! behind events that only this loop can take.

mod driver;
mod error;
mod handle;
mod proof;

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::limits;

pub use error::{CloseReason, LinkError};
pub use handle::{Asked, LinkHandle};
pub use proof::prove_session;

/// What arrives from the peer, in the order of the wire. `Closed` is always the last one.
#[derive(Clone)]
pub enum LinkEvent {
    /// A one-way message.
    Packet(Bytes),
    /// An RPC, to be answered with [`LinkHandle::answer`] or [`LinkHandle::answer_error`].
    Query {
        /// Its id, for the answer.
        id: i64,
        /// The boxed object that it carries.
        data: Bytes,
    },
    /// The link has ended.
    Closed(CloseReason),
}

impl std::fmt::Debug for LinkEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packet(data) => write!(f, "Packet({} bytes)", data.len()),
            Self::Query { id, data } => write!(f, "Query({id}, {} bytes)", data.len()),
            Self::Closed(reason) => write!(f, "Closed({reason})"),
        }
    }
}

/// Settings of one link; the defaults are right for every runner.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// How long the first frame of the peer may take.
    pub connect_timeout: Duration,
    /// Events that wait for our code before the socket is no longer read.
    pub event_queue: usize,
    /// Messages that wait for the socket before senders wait.
    pub command_queue: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            connect_timeout: limits::CONNECT_TIMEOUT,
            event_queue: limits::EVENT_QUEUE,
            command_queue: limits::COMMAND_QUEUE,
        }
    }
}

/// The two ends of an open link.
pub type OpenLink = (LinkHandle, mpsc::Receiver<LinkEvent>);

/// Opens links.
#[derive(Clone, Copy, Debug)]
pub struct Link;

impl Link {
    /// Speaks first on `stream` and waits until the peer has answered.
    pub async fn dial<S>(stream: S, config: LinkConfig) -> Result<OpenLink, LinkError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        driver::open(stream, driver::Side::Dialing, config).await
    }

    /// Waits on `stream` for the first frame of the peer and answers it.
    pub async fn accept<S>(stream: S, config: LinkConfig) -> Result<OpenLink, LinkError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        driver::open(stream, driver::Side::Accepting, config).await
    }
}
