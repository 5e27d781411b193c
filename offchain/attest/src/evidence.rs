//! What a peer presents.

use crate::{AttestError, Measurements, REPORT_DATA_BYTES, TdxQuote};

/// Evidence of a trusted execution environment, not yet verified.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A quote of an Intel TDX guest.
    Tdx(TdxQuote),
}

impl Evidence {
    /// Reads the bytes that a certificate or a quote source delivers.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        TdxQuote::parse(bytes).map(Self::Tdx)
    }

    /// The bytes without padding.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Tdx(quote) => quote.bytes(),
        }
    }

    /// Key for a cache of verdicts; never an identity, since evidence is malleable.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Tdx(quote) => quote.digest(),
        }
    }

    /// The registers that it claims: good for refusing early, not for accepting.
    pub fn unverified_measurements(&self) -> Measurements {
        match self {
            Self::Tdx(quote) => quote.unverified_measurements(),
        }
    }

    /// The report data that it claims: good for refusing early, not for accepting.
    pub fn unverified_report_data(&self) -> [u8; REPORT_DATA_BYTES] {
        match self {
            Self::Tdx(quote) => quote.unverified_report_data(),
        }
    }
}
