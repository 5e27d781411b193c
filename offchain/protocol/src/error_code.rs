//! Error codes between nodes.

/// Why a node refused or failed, as a number on the wire.
///
/// The codes below 700 are the deployed ones. The 7xx codes say the same more exactly and go only to peers of version
/// 3; [`ErrorCode::for_version`] turns them into deployed ones for older peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// No further meaning.
    Plain,
    /// An object could not be parsed.
    Parse,
    /// Failure.
    Failure,
    /// Error.
    Error,
    /// Warning.
    Warning,
    /// The peer broke the protocol.
    ProtocolViolation,
    /// Nothing can serve now.
    NotReady,
    /// Too late.
    Timeout,
    /// Stopped.
    Cancelled,
    /// No worker has this model.
    UnknownModel,
    /// Balance or stake does not cover the reservation.
    LowBalance,
    /// The model exists, but every worker of it is busy, off or too expensive.
    NoWorker,
    /// The request or its reservation is larger than allowed.
    TooLarge,
    /// Too many requests at once.
    TooManyRequests,
    /// The worker was lost in the middle of its answer.
    WorkerLost,
    /// The worker refused the request for its content: a field that it does not support, a bad value.
    BadRequest,
    /// The proof of the session does not verify: somebody stands between, or the peer takes another role.
    SessionNotProven,
    /// The peer's image may not have what it asks for, or this end never gives it.
    NotAllowed,
    /// What was given belongs to something else than what is expected.
    WrongShare,
    /// The request names a quote that this client was not given, or that is long over.
    QuoteUnknown,
    /// The request names a quote that was used before.
    QuoteUsed,
    /// The request names a quote whose time is over.
    QuoteExpired,
    /// A number that is none of these.
    Other(i32),
}

impl ErrorCode {
    /// The meaning of a number.
    pub fn from_wire(code: i32) -> Self {
        match code {
            0 => Self::Plain,
            500 => Self::Parse,
            601 => Self::Failure,
            602 => Self::Error,
            603 => Self::Warning,
            621 => Self::ProtocolViolation,
            651 => Self::NotReady,
            652 => Self::Timeout,
            653 => Self::Cancelled,
            701 => Self::UnknownModel,
            702 => Self::LowBalance,
            703 => Self::NoWorker,
            704 => Self::TooLarge,
            705 => Self::TooManyRequests,
            706 => Self::WorkerLost,
            707 => Self::BadRequest,
            708 => Self::SessionNotProven,
            709 => Self::NotAllowed,
            710 => Self::WrongShare,
            711 => Self::QuoteUnknown,
            712 => Self::QuoteUsed,
            713 => Self::QuoteExpired,
            other => Self::Other(other),
        }
    }

    /// The number.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Plain => 0,
            Self::Parse => 500,
            Self::Failure => 601,
            Self::Error => 602,
            Self::Warning => 603,
            Self::ProtocolViolation => 621,
            Self::NotReady => 651,
            Self::Timeout => 652,
            Self::Cancelled => 653,
            Self::UnknownModel => 701,
            Self::LowBalance => 702,
            Self::NoWorker => 703,
            Self::TooLarge => 704,
            Self::TooManyRequests => 705,
            Self::WorkerLost => 706,
            Self::BadRequest => 707,
            Self::SessionNotProven => 708,
            Self::NotAllowed => 709,
            Self::WrongShare => 710,
            Self::QuoteUnknown => 711,
            Self::QuoteUsed => 712,
            Self::QuoteExpired => 713,
            Self::Other(code) => code,
        }
    }

    /// The number for a peer of this version.
    pub fn for_version(self, version: crate::version::Version) -> i32 {
        if version.has_extensions() {
            return self.to_wire();
        }
        match self {
            Self::UnknownModel | Self::BadRequest | Self::SessionNotProven | Self::NotAllowed | Self::WrongShare => {
                Self::ProtocolViolation.to_wire()
            }
            Self::LowBalance | Self::TooLarge | Self::QuoteUnknown | Self::QuoteUsed | Self::QuoteExpired => {
                Self::Error.to_wire()
            }
            Self::NoWorker | Self::TooManyRequests | Self::WorkerLost => Self::NotReady.to_wire(),
            same => same.to_wire(),
        }
    }

    /// The exact meaning of a deployed code, taken from the texts that the deployed proxy and worker are known to send.
    pub fn refine(self, text: &str) -> Self {
        match self {
            Self::ProtocolViolation if text.starts_with("unknown model") => Self::UnknownModel,
            Self::ProtocolViolation if text.contains("invalid http request") => Self::BadRequest,
            Self::Error | Self::NotReady if text.contains("balance is too low") => Self::LowBalance,
            Self::Error if text.contains("too many active queries") => Self::TooManyRequests,
            Self::NotReady if text.starts_with("no ready workers") || text.starts_with("can run this query") => {
                Self::NoWorker
            }
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_survives_the_round_trip(code: i32) {
            prop_assert_eq!(ErrorCode::from_wire(code).to_wire(), code);
        }
    }

    #[test]
    fn older_peers_never_get_codes_of_version_three() {
        for wire in 701..=713 {
            let code = ErrorCode::from_wire(wire);
            assert!(!matches!(code, ErrorCode::Other(_)));
            assert!(code.for_version(Version::V2) < 700);
            assert_eq!(code.for_version(Version::V3), wire);
        }
    }

    #[test]
    fn deployed_texts_are_understood() {
        let refine = |code, text| ErrorCode::from_wire(code).refine(text);
        assert_eq!(refine(621, "unknown model nope"), ErrorCode::UnknownModel);
        assert_eq!(
            refine(602, "client balance is too low: max_tokens=1"),
            ErrorCode::LowBalance
        );
        assert_eq!(refine(651, "balance is too low"), ErrorCode::LowBalance);
        assert_eq!(refine(651, "no ready workers for model x"), ErrorCode::NoWorker);
        assert_eq!(
            refine(621, "worker: invalid http request: unsupported method"),
            ErrorCode::BadRequest
        );
        assert_eq!(refine(652, "unknown model nope"), ErrorCode::Timeout);
    }
}
