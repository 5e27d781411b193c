//! The sending end of a link.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{CloseReason, LinkError};
use crate::standing::Revoked;

/// What the handles ask of the driver.
pub(super) enum Command {
    Packet(Bytes),
    Query {
        data: Bytes,
        reply: oneshot::Sender<Result<Bytes, LinkError>>,
    },
    Answer {
        id: i64,
        data: Bytes,
    },
    AnswerError {
        id: i64,
        code: i32,
        message: String,
    },
    Close,
}

/// What the driver tells the handles.
#[derive(Debug, Default)]
pub(super) struct Ended {
    reason: OnceLock<CloseReason>,
    token: CancellationToken,
}

impl Ended {
    pub(super) fn set(&self, reason: CloseReason) {
        // The first reason is the one that counts.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    pub(super) fn reason(&self) -> CloseReason {
        self.reason.get().cloned().unwrap_or(CloseReason::Local)
    }

    pub(super) fn error(&self) -> LinkError {
        LinkError::Closed(self.reason())
    }
}

/// The sending end of a link; clones share it. The link closes when the last one is dropped.
#[derive(Clone)]
pub struct LinkHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) ended: Arc<Ended>,
}

impl LinkHandle {
    /// Sends an RPC and waits for its answer, no longer than `timeout`.
    pub async fn query(&self, data: impl Into<Bytes>, timeout: Duration) -> Result<Bytes, LinkError> {
        let data = checked(data.into())?;
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.send(Command::Query { data, reply }).await?;
            answer.await.unwrap_or_else(|_| Err(self.ended.error()))
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(LinkError::Timeout))
    }

    /// Sends an RPC and gives what its answer comes with, so that several can be under way in the order of their sending.
    pub async fn ask(&self, data: impl Into<Bytes>) -> Result<Asked, LinkError> {
        let data = checked(data.into())?;
        let (reply, answer) = oneshot::channel();
        self.send(Command::Query { data, reply }).await?;
        Ok(Asked {
            answer,
            ended: Arc::clone(&self.ended),
        })
    }

    /// Queues a one-way message; waits while the queue is full.
    pub async fn send_packet(&self, data: impl Into<Bytes>) -> Result<(), LinkError> {
        let data = checked(data.into())?;
        self.send(Command::Packet(data)).await
    }

    /// Queues a one-way message if there is room for it now; gives it back if there is none.
    pub fn send_packet_now(&self, data: impl Into<Bytes>) -> Result<Option<Bytes>, LinkError> {
        match self.send_now(Command::Packet(checked(data.into())?))? {
            Some(Command::Packet(data)) => Ok(Some(data)),
            _ => Ok(None),
        }
    }

    /// Answers an RPC of the peer.
    pub async fn answer(&self, id: i64, data: impl Into<Bytes>) -> Result<(), LinkError> {
        let data = checked(data.into())?;
        self.send(Command::Answer { id, data }).await
    }

    /// Refuses an RPC of the peer.
    pub async fn answer_error(&self, id: i64, code: i32, message: impl Into<String>) -> Result<(), LinkError> {
        let message = message.into();
        self.send(Command::AnswerError { id, code, message }).await
    }

    /// Closes the link after what was queued before is written. Does not wait for the end; see
    /// [`LinkHandle::closed`].
    pub async fn close(&self) {
        // A link that has ended needs no closing.
        let _ = self.send(Command::Close).await;
    }

    /// Cuts the link off: nothing that is still queued leaves, because the peer is not trusted with it any more.
    pub fn revoke(&self, revoked: Revoked) {
        self.ended.set(CloseReason::Revoked(revoked));
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        self.ended.token.is_cancelled()
    }

    /// Waits for the end of the link.
    pub async fn closed(&self) -> CloseReason {
        self.ended.token.cancelled().await;
        self.ended.reason()
    }

    async fn send(&self, command: Command) -> Result<(), LinkError> {
        // Mostly there is room, and nothing to wait for.
        let command = match self.send_now(command)? {
            None => return Ok(()),
            Some(command) => command,
        };
        tokio::select! {
            biased;
            () = self.ended.token.cancelled() => Err(self.ended.error()),
            sent = self.commands.send(command) => sent.map_err(|_| self.ended.error()),
        }
    }

    /// Gives back what there is no room for. Nothing overtakes those who wait for room.
    fn send_now(&self, command: Command) -> Result<Option<Command>, LinkError> {
        if self.is_closed() {
            return Err(self.ended.error());
        }
        match self.commands.try_send(command) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(command)) => Ok(Some(command)),
            Err(TrySendError::Closed(_)) => Err(self.ended.error()),
        }
    }
}

/// An RPC that was sent.
#[derive(Debug)]
pub struct Asked {
    answer: oneshot::Receiver<Result<Bytes, LinkError>>,
    ended: Arc<Ended>,
}

impl Asked {
    /// Waits for the answer, no longer than `timeout`.
    pub async fn answer(self, timeout: Duration) -> Result<Bytes, LinkError> {
        match tokio::time::timeout(timeout, self.answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(self.ended.error())),
            Err(_) => Err(LinkError::Timeout),
        }
    }
}

impl std::fmt::Debug for LinkHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkHandle")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The largest object that every kind of frame can carry: a frame less id, query id and length.
const MAX_OBJECT_BYTES: usize = cocoon_protocol::limits::MAX_FRAME_BYTES - 16;

fn checked(data: Bytes) -> Result<Bytes, LinkError> {
    if data.len() > MAX_OBJECT_BYTES {
        return Err(LinkError::TooLarge {
            length: data.len(),
            limit: MAX_OBJECT_BYTES,
        });
    }
    Ok(data)
}
