//! What is wrong with a certificate.

use thiserror::Error;

/// What is wrong with the form of a certificate.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateProblem {
    /// Longer than any that carries a quote.
    #[error("{length} bytes are too many")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not a DER certificate.
    #[error("it does not parse: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// Not version 1 or 3.
    #[error("version 2 is not used")]
    Version,
    /// A key or signature that is not Ed25519.
    #[error("its {what} is not Ed25519")]
    NotEd25519 {
        /// Key or signature.
        what: &'static str,
    },
    /// Its validity has not begun.
    #[error("it is valid from {not_before}, not yet at {now}")]
    NotYetValid {
        /// Start, Unix seconds.
        not_before: u64,
        /// Time of the check, Unix seconds.
        now: u64,
    },
    /// Its validity is over.
    #[error("it expired at {not_after}, it is {now}")]
    Expired {
        /// End, Unix seconds.
        not_after: u64,
        /// Time of the check, Unix seconds.
        now: u64,
    },
    /// It lives longer than an attested certificate may.
    #[error("it lives {seconds} seconds, more than a day")]
    LivesTooLong {
        /// Its life.
        seconds: u64,
    },
    /// A critical extension without a known meaning.
    #[error("critical extension {oid} is unknown")]
    UnknownCritical {
        /// Its id.
        oid: String,
    },
    /// The same extension twice.
    #[error("extension {oid} occurs twice")]
    Duplicate {
        /// Its id.
        oid: String,
    },
    /// The copy of the key in the claims extension is another key.
    #[error("its claims name another key")]
    ClaimsMismatch,
    /// An extension that forbids the use as a peer's certificate.
    #[error("its {extension} does not allow this use")]
    Usage {
        /// The extension.
        extension: &'static str,
    },
    /// A server's certificate without the name that every certificate of the network has.
    #[error("it does not name 127.0.0.1")]
    Unnamed,
    /// It is not signed with its own key.
    #[error("it is not signed with its own key")]
    Signature,
    /// The peer sent a chain.
    #[error("it comes with {count} further certificates")]
    Chain {
        /// How many.
        count: usize,
    },
}
