//! Why a key manager did not answer.

use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::DecodeError;
use cocoon_ratls::RatlsError;

use crate::link::LinkError;
use crate::{Retry, Who};

/// Why one replica of a key manager gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No attested connection.
    #[error("no attested connection to the key manager")]
    Connection(#[source] RatlsError),
    /// The connection ended. A key manager that refuses our certificate shows as this.
    #[error("the connection to the key manager failed")]
    Link(#[source] LinkError),
    /// It refused.
    #[error("the key manager refused: {message} (code {code})")]
    Refused {
        /// A code of the protocol.
        code: i32,
        /// Its words.
        message: String,
    },
    /// Its proof of the session does not verify, or it gave none.
    #[error("the key manager did not prove the session: somebody stands between")]
    NotProven,
    /// An answer that is not what was asked for.
    #[error("the key manager's answer is malformed")]
    Malformed(#[source] DecodeError),
    /// Its keys come from another secret than the pinned one.
    #[error("the key manager's id is {found}, not {expected}")]
    OtherManager {
        /// Its id.
        found: String,
        /// The id of the configuration.
        expected: String,
    },
    /// Nothing in time.
    #[error("the key manager did not answer in time")]
    Timeout,
}

impl SealError {
    pub(super) fn of_link(error: LinkError) -> Self {
        match error {
            LinkError::Refused { code, message } => Self::Refused { code, message },
            LinkError::Timeout => Self::Timeout,
            other => Self::Link(other),
        }
    }

    /// Whether the same question will be refused by every replica, now and later.
    pub fn is_final(&self) -> bool {
        let never = [ErrorCode::NotAllowed, ErrorCode::WrongShare, ErrorCode::BadRequest];
        matches!(self, Self::Refused { code, .. } if never.contains(&ErrorCode::from_wire(*code)))
    }

    /// Whose fault it is.
    pub fn who(&self) -> Who {
        Who::Peer
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        if self.is_final() {
            Retry::Never
        } else {
            Retry::OtherPeer
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Connection(error) => error.hint(),
            Self::Link(_) => "see the key manager's log: it may refuse the image of this machine",
            Self::Refused { .. } if self.is_final() => {
                "the policy is missing at the key manager, or it does not hold the image of this machine"
            }
            Self::Refused { .. } => "the reason is the text of the refusal",
            Self::NotProven => "connect to the key manager directly, without a program between",
            Self::Malformed(_) => "use versions of both programs that belong together",
            Self::OtherManager { .. } => {
                "name a replica of the right key manager; the keys of another one are other keys"
            }
            Self::Timeout => "check that a replica runs and holds the secret: `cocoon keymanager status`",
        }
    }
}
