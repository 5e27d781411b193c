//! The step of version 4 between the first answer and everything else: both ends prove the session.

use bytes::Bytes;

use super::HandshakeError;
use crate::codec::{decode, encode};
use crate::extension::{ProveSession, SessionProof};

/// What follows the first answer: the proof, from version 4 on, or at once the next step.
#[derive(Debug)]
pub enum ProofStep<T> {
    /// The session is to be proven first.
    Owed(ProofOwed<T>),
    /// The version knows no proof.
    None(T),
}

/// A next step that waits for the proof.
#[derive(Debug)]
pub struct ProofOwed<T>(T);

/// Waits for the proxy's own proof.
#[derive(Debug)]
pub struct ProofAsked<T>(T);

impl<T> ProofStep<T> {
    pub(super) fn new(is_owed: bool, next: T) -> Self {
        if is_owed {
            Self::Owed(ProofOwed(next))
        } else {
            Self::None(next)
        }
    }

    /// The next step of a connection that cannot prove its session, because the version knows no proof.
    pub fn without_proof(self) -> Result<T, HandshakeError> {
        match self {
            Self::None(next) => Ok(next),
            Self::Owed(_) => Err(HandshakeError::ProofOwed),
        }
    }
}

impl<T> ProofOwed<T> {
    /// The question that shows our signature.
    pub fn prove(self, signature: &[u8; 64]) -> (ProofAsked<T>, Bytes) {
        let question = encode(&ProveSession {
            signature: Bytes::copy_from_slice(signature),
        });
        (ProofAsked(self.0), question)
    }
}

impl<T> ProofAsked<T> {
    /// Takes its answer; `is_valid` verifies the proxy's signature.
    pub fn proven(self, answer: &[u8], is_valid: impl FnOnce(&[u8; 64]) -> bool) -> Result<T, HandshakeError> {
        let SessionProof { signature } = decode(answer)?;
        let signature: &[u8; 64] = signature
            .as_ref()
            .try_into()
            .map_err(|_| HandshakeError::SessionNotProven)?;
        if is_valid(signature) {
            Ok(self.0)
        } else {
            Err(HandshakeError::SessionNotProven)
        }
    }
}
