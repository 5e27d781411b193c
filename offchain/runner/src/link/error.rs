//! Why a link ended and why a call on it failed.

use crate::standing::Revoked;
use crate::{Retry, Who};

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it.
    #[error("closed by us")]
    Local,
    /// We closed it at once: the root contract took back what the peer was admitted for.
    #[error("closed by us: {0}")]
    Revoked(Revoked),
    /// The peer closed it.
    #[error("closed by the peer")]
    Remote,
    /// Nothing was received for too long.
    #[error("nothing was received for too long")]
    Silent,
    /// The first frame did not arrive in time.
    #[error("the first frame did not arrive in time")]
    ConnectTimeout,
    /// The peer takes no bytes.
    #[error("the peer takes no bytes")]
    WriteStalled,
    /// The peer broke the rules of the wire.
    #[error("the peer broke the rules of the wire: {0}")]
    Protocol(String),
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Socket(std::io::ErrorKind),
}

/// Why a call on a link failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link has ended.
    #[error("the link has ended: {0}")]
    Closed(#[from] CloseReason),
    /// The peer did not answer in time; the link may be alive.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The object is larger than a frame may be; nothing was sent.
    #[error("an object of {length} bytes is larger than the {limit} that one frame may carry")]
    TooLarge {
        /// Its length.
        length: usize,
        /// The largest length.
        limit: usize,
    },
    /// Too many RPCs without an answer.
    #[error("{limit} RPCs are already without an answer")]
    TooManyQueries {
        /// The limit.
        limit: usize,
    },
    /// The peer answered with an error.
    #[error("the peer refused: {message} (code {code})")]
    Refused {
        /// Error code of the protocol.
        code: i32,
        /// Its text.
        message: String,
    },
}

impl LinkError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Closed(CloseReason::Local) | Self::TooLarge { .. } => Who::Local,
            _ => Who::Peer,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::TooLarge { .. } => Retry::Never,
            Self::Closed(CloseReason::Protocol(_) | CloseReason::Revoked(_)) | Self::Refused { .. } => Retry::OtherPeer,
            Self::Closed(_) | Self::Timeout | Self::TooManyQueries { .. } => Retry::SamePeer,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Closed(_) => "the connection is dialed again by itself; see the log of the other node",
            Self::Timeout | Self::TooManyQueries { .. } => "the other node is overloaded or stuck",
            Self::TooLarge { .. } => "send a shorter request",
            Self::Refused { .. } => "the reason is the text of the refusal",
        }
    }
}
