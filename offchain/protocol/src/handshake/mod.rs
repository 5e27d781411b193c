//! How a connection comes to serve: the questions of clients and workers, and the proxy's side of both.
//!
//! Each state is a type and each step consumes it, so a step cannot be left out or repeated. Addresses are texts here;
//! whoever drives the handshake derives the contracts from the root parameters and compares.

mod client;
mod proof;
mod proxy;
mod worker;

pub use client::{Authorized, ClientAuthorize, ClientAuthorizing, ClientConnecting, ClientOffer};
pub use proof::{ProofAsked, ProofOwed, ProofStep};
pub use proxy::{
    AuthorizeStep, ClientHello, ProxyClientHandshake, ProxyRules, ProxyWorkerHandshake, Refusal, WorkerHello,
    WorkerStep,
};
pub use worker::{
    WorkerBalances, WorkerComparing, WorkerCompleting, WorkerConnected, WorkerConnecting, WorkerExtending,
    WorkerFinishing, WorkerOffer,
};

use crate::codec::DecodeError;
use crate::proxy::Params;
use crate::version::{Version, VersionRange};

/// Why a handshake cannot go on, as seen by a client or worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// An answer is not the object that it has to be.
    #[error("the proxy's answer in the handshake is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The proxy chose a version that was not offered.
    #[error("the proxy chose protocol version {0}, which was not offered")]
    Version(i32),
    /// The proxy is of the other network.
    #[error("the proxy's test mode is not ours")]
    TestMode,
    /// The proxy refused the authorisation.
    #[error("the proxy refused the authorisation with code {code}: {message}")]
    Refused {
        /// See [`crate::error_code::ErrorCode`].
        code: i32,
        /// The proxy's words.
        message: String,
    },
    /// The version demands a proof of the session, and none can be made.
    #[error("the proxy's version demands a proof of the session, which this connection cannot give")]
    ProofOwed,
    /// The proxy's proof is not of this session.
    #[error("the proxy's proof is not of this session: somebody stands between")]
    SessionNotProven,
    /// The proxy's totals are below what we hold signed or know as stored.
    #[error("the proxy's totals went back: it says {proxy}, we know {known}")]
    TotalsWentBack {
        /// The proxy's number.
        proxy: i64,
        /// Ours.
        known: i64,
    },
}

/// What the proxy says of itself, after the checks that need nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyIdentity {
    /// Key of the proxy's contract: signs vouchers.
    pub public_key: [u8; 32],
    /// Owner of the proxy's contract, user-friendly.
    pub owner_address: String,
    /// The proxy's contract, user-friendly.
    pub contract_address: String,
    /// The connection's version.
    pub version: Version,
}

impl ProxyIdentity {
    fn check(params: Params, is_test: bool, offered: VersionRange) -> Result<Self, HandshakeError> {
        if params.is_test.unwrap_or(false) != is_test {
            return Err(HandshakeError::TestMode);
        }
        let number = params.proto_version.unwrap_or(0);
        let version = Version::from_wire(number)
            .filter(|_| (offered.min..=offered.max).contains(&number))
            .ok_or(HandshakeError::Version(number))?;
        Ok(Self {
            public_key: params.proxy_public_key,
            owner_address: params.proxy_owner_address,
            contract_address: params.proxy_sc_address,
            version,
        })
    }
}
