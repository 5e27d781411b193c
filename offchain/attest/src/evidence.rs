//! What a peer presents.

use core::fmt;

use crate::{AttestError, Measurements, REPORT_DATA_BYTES, TdxQuote};

/// Evidence of a trusted execution environment, not yet verified.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A quote of an Intel TDX guest.
    Tdx(TdxQuote),
}

/// The kinds of evidence that can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// A quote of an Intel TDX guest.
    Tdx,
    /// A quote of an Intel SGX enclave.
    Sgx,
    /// An attestation report of an AMD SEV-SNP guest.
    SevSnp,
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tdx => "Intel TDX",
            Self::Sgx => "Intel SGX",
            Self::SevSnp => "AMD SEV-SNP",
        })
    }
}

impl EvidenceKind {
    /// The kind that the first bytes speak of, if they are of any.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let version = u32_at(0)?;
        // An SNP report is 1,184 bytes of one layout: its signature algorithm is 1 (ECDSA P-384), its version 2 to 5.
        if (2..=5).contains(&version) && bytes.len() >= SNP_REPORT_BYTES && u32_at(0x34)? == 1 {
            return Some(Self::SevSnp);
        }
        // A quote: version, type of the attestation key (2 or 3, so the two are never a small u32), type of the TEE.
        match (version & 0xffff, version >> 16, u32_at(4)?) {
            (3..=5, 2..=3, 0) => Some(Self::Sgx),
            (4..=5, 2..=3, 0x81) => Some(Self::Tdx),
            _ => None,
        }
    }
}

/// Length of an attestation report (AMD's "SEV Secure Nested Paging Firmware ABI", ATTESTATION_REPORT).
const SNP_REPORT_BYTES: usize = 1_184;

impl Evidence {
    /// Reads the bytes that a certificate or a quote source delivers. Kinds that are known but cannot be verified are
    /// refused by name.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        match EvidenceKind::of(bytes) {
            Some(kind @ (EvidenceKind::Sgx | EvidenceKind::SevSnp)) => Err(AttestError::UnsupportedEvidence { kind }),
            Some(EvidenceKind::Tdx) | None => TdxQuote::parse(bytes).map(Self::Tdx),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> EvidenceKind {
        match self {
            Self::Tdx(_) => EvidenceKind::Tdx,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_cannot_be_verified_are_refused_by_name() {
        let mut enclave = vec![0; 436];
        enclave[..8].copy_from_slice(&[3, 0, 2, 0, 0, 0, 0, 0]);
        let mut report = vec![0; SNP_REPORT_BYTES];
        report[0] = 3;
        report[0x34] = 1;
        for (bytes, kind) in [(enclave, EvidenceKind::Sgx), (report, EvidenceKind::SevSnp)] {
            assert_eq!(Evidence::parse(&bytes), Err(AttestError::UnsupportedEvidence { kind }));
        }
        assert!(Evidence::parse(&[0; 1184]).is_err());
        assert_eq!(EvidenceKind::of(b""), None);
    }
}
