//! One connection to a replica of a key manager: attested, proven, then questions.

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::decode;
use cocoon_protocol::extension::{ProveSession, SessionProof};
use cocoon_protocol::message::KeyQuery;
use cocoon_protocol::session_proof::Role;
use cocoon_ratls::{Connection, Connector, Peer};
use tokio::sync::mpsc;

use super::SealError;
use crate::limits::{FLUSH_TIMEOUT, KEY_ANSWER_TIMEOUT};
use crate::link::{Link, LinkConfig, LinkEvent, LinkHandle};

/// An open connection to a replica that has proven the session.
#[derive(Debug)]
pub struct KeyLink {
    link: LinkHandle,
    peer: Peer,
    /// A link without a reader of its events ends.
    _events: mpsc::Receiver<LinkEvent>,
}

impl KeyLink {
    /// Dials `address` (`host:port`); the connector's policy says which images are believed. Both ends prove the session
    /// before anything else is said: what is asked for must not pass through a program in between.
    pub async fn open(connector: &Connector, address: &str) -> Result<Self, SealError> {
        let opened = tokio::time::timeout(KEY_ANSWER_TIMEOUT, Self::dial(connector, address));
        opened.await.map_err(|_| SealError::Timeout)?
    }

    async fn dial(connector: &Connector, address: &str) -> Result<Self, SealError> {
        let made = connector.connect(address).await.map_err(SealError::Connection)?;
        let Connection {
            stream, peer, session, ..
        } = made;
        // A router keeps the session to itself.
        let session = session.ok_or(SealError::NotProven)?;
        let (link, _events) = Link::dial(stream, LinkConfig::default())
            .await
            .map_err(SealError::Link)?;
        let opened = Self { link, peer, _events };
        let signature = session.prove(Role::KeyAsker, Role::KeyManager);
        let question = ProveSession {
            signature: Bytes::copy_from_slice(&signature),
        };
        let answer = opened.ask(&KeyQuery::from(question)).await?;
        let SessionProof { signature } = decode(&answer).map_err(SealError::Malformed)?;
        let proof = <&[u8; 64]>::try_from(signature.as_ref()).map_err(|_| SealError::NotProven)?;
        if session.is_proven_by(proof, Role::KeyAsker, Role::KeyManager) {
            Ok(opened)
        } else {
            Err(SealError::NotProven)
        }
    }

    /// Who answers.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// One question; the bytes of the answer.
    pub async fn ask(&self, question: &KeyQuery) -> Result<Bytes, SealError> {
        let answered = self.link.query(question.encode(), KEY_ANSWER_TIMEOUT).await;
        answered.map_err(SealError::of_link)
    }

    /// Closes it.
    pub async fn close(self) {
        self.link.close().await;
        // A link whose peer takes nothing is given up by itself.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.link.closed()).await;
    }
}

/// Whether a refusal says that the replica has no secret yet.
pub(super) fn is_not_ready(error: &SealError) -> bool {
    matches!(error, SealError::Refused { code, .. } if ErrorCode::from_wire(*code) == ErrorCode::NotReady)
}
