//! Why a connection or a certificate was refused.

use std::{io, sync::Arc};

use cocoon_attest::AttestError;
pub use cocoon_attest::certificate::CertificateProblem;
use cocoon_bindings::units::ImageHash;
use thiserror::Error;

use crate::RouterProblem;

/// Why a connection could not be made or a certificate is not acceptable.
#[non_exhaustive]
#[derive(Clone, Debug, Error)]
pub enum RatlsError {
    /// The network failed.
    #[error("network failed while {during}: {source}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// The failure.
        source: Arc<io::Error>,
    },
    /// The peer took too long.
    #[error("time ran out while {during}")]
    Timeout {
        /// What was being done.
        during: &'static str,
    },
    /// Bytes that are no challenge or no answer.
    #[error("proof of work has a wrong magic number {found:#010x}")]
    WorkMagic {
        /// What was there instead.
        found: u32,
    },
    /// A challenge that is more work than we do.
    #[error("peer asks for {bits} bits of work, at most {limit} are done")]
    WorkTooHard {
        /// Bits asked for.
        bits: i32,
        /// Bits that we do.
        limit: u32,
    },
    /// An answer that does not solve the challenge.
    #[error("answer does not solve the challenge of {bits} bits")]
    WorkWrong {
        /// Bits asked for.
        bits: u32,
    },
    /// A certificate of another form.
    #[error("certificate is not acceptable: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: CertificateProblem,
    },
    /// A certificate without a quote where one is required.
    #[error("certificate carries no quote")]
    MissingQuote,
    /// A quote that attests another key: replayed from another certificate.
    #[error("quote in the certificate attests another key")]
    QuoteForOtherKey,
    /// An image that the root contract does not list for this role.
    #[error("image {image} is not allowed for this role")]
    ImageNotAllowed {
        /// Its hash.
        image: ImageHash,
    },
    /// The quote itself was refused.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// The peer closed the handshake with an alert: usually it refused our certificate.
    #[error("peer refused the handshake: {alert}")]
    RefusedByPeer {
        /// Its alert.
        alert: String,
    },
    /// A router of this machine ends TLS for us, and something is wrong with it or with what it says.
    #[error("behind a router: {problem}")]
    Router {
        /// What is wrong.
        problem: RouterProblem,
    },
    /// A session that goes on from an earlier one: its keys were not agreed on under the evidence just shown.
    #[error("peer resumed an earlier session")]
    Resumed,
    /// TLS failed otherwise.
    #[error("TLS handshake failed: {reason}")]
    Tls {
        /// What rustls says.
        reason: String,
    },
    /// No evidence could be obtained for our own key.
    #[error("no evidence for our own key: {reason}")]
    Source {
        /// What the source says.
        reason: String,
    },
    /// Our own certificate could not be made.
    #[error("certificate could not be made: {reason}")]
    Issue {
        /// What failed.
        reason: String,
    },
}

impl From<CertificateProblem> for RatlsError {
    fn from(reason: CertificateProblem) -> Self {
        Self::Certificate { reason }
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This machine or its configuration.
    Local,
    /// The peer.
    Peer,
    /// The network between, or nobody in particular.
    Network,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same attempt will fail again.
    Never,
    /// The same peer may succeed later.
    SamePeer,
    /// Another peer should be chosen.
    OtherPeer,
}

impl RatlsError {
    pub(crate) fn io(during: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            during,
            source: Arc::new(source),
        }
    }

    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Io { .. } | Self::Timeout { .. } => Who::Network,
            Self::Source { .. } | Self::Issue { .. } | Self::Router { .. } => Who::Local,
            Self::Attest(error) => match error.who() {
                cocoon_attest::Who::Local => Who::Local,
                cocoon_attest::Who::Peer => Who::Peer,
            },
            Self::WorkMagic { .. }
            | Self::WorkTooHard { .. }
            | Self::WorkWrong { .. }
            | Self::Certificate { .. }
            | Self::MissingQuote
            | Self::QuoteForOtherKey
            | Self::ImageNotAllowed { .. }
            | Self::RefusedByPeer { .. }
            | Self::Resumed
            | Self::Tls { .. } => Who::Peer,
        }
    }

    /// What to do about it.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Io { .. } | Self::Timeout { .. } | Self::Source { .. } | Self::Router { .. } => Retry::SamePeer,
            Self::Attest(error) if error.retry() => Retry::SamePeer,
            Self::Issue { .. } => Retry::Never,
            _ => Retry::OtherPeer,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Timeout { .. } => "check that the address is right and the peer is running",
            Self::WorkMagic { .. } => "the address does not belong to a node of this network",
            Self::WorkTooHard { .. } => "the peer is overloaded or hostile: use another one",
            Self::WorkWrong { .. } => "the peer did not do the work that it was asked for",
            Self::Certificate { .. } => "the peer does not present a certificate of this network",
            Self::MissingQuote => "the peer runs without attestation: it cannot take this role",
            Self::QuoteForOtherKey => "the peer presents another machine's quote: do not talk to it",
            Self::ImageNotAllowed { .. } => "the image has to be listed in the root contract, or the peer updated",
            Self::Attest(error) => error.hint(),
            Self::RefusedByPeer { .. } => "the peer did not accept our certificate: check our image and clock",
            Self::Router { .. } => {
                "check that attestation.router names the router's port on this machine, and see its log"
            }
            Self::Resumed => "the peer runs another TLS than the network's: use another peer",
            Self::Tls { .. } => "the peer speaks another TLS version or is not a node of this network",
            Self::Source { .. } => "check that the machine is a TDX guest or name a simulated platform",
            Self::Issue { .. } => "check the clock of this machine",
        }
    }
}
