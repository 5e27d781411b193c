//! The signature section of a quote in the one layout that quoting enclaves write today.

use crate::TdxQuote;

const ECDSA_P256: u16 = 2;
const QE_REPORT_CERTIFICATION: u16 = 6;
const PCK_CHAIN: u16 = 5;
/// Intel's id: the only known vendor of quoting enclaves.
const QE_VENDOR: [u8; 16] = *b"\x93\x9a\x72\x33\xf7\x9c\x4c\xa9\x94\x0a\x0d\xb3\x95\x7f\x06\x07";

/// Where the parts that are checked lie. Lengths are exact: what does not fit is for the thorough way to judge.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    /// Header and body.
    pub(super) signed: &'a [u8],
    /// Signature of the attestation key over them, `r | s`.
    pub(super) signature: &'a [u8; 64],
    /// The attestation key, `x | y`.
    pub(super) key: &'a [u8; 64],
    /// Report of the quoting enclave.
    pub(super) qe_report: &'a [u8; 384],
    /// Signature of the platform's key over it, `r | s`.
    pub(super) qe_signature: &'a [u8; 64],
    /// What the report binds beside the attestation key.
    pub(super) qe_data: &'a [u8; 32],
    /// Certificates of the platform's key, PEM.
    pub(super) chain: &'a [u8],
}

impl<'a> Layout<'a> {
    pub(super) fn of(quote: &'a TdxQuote) -> Option<Self> {
        let signed = quote.signed_part();
        if u16_at(signed, 2)? != ECDSA_P256 || signed.get(12..28)? != QE_VENDOR {
            return None;
        }
        let (signature, rest) = quote.signature_part().split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (qe_report, rest) = sized(rest, QE_REPORT_CERTIFICATION)?.split_first_chunk()?;
        let (qe_signature, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (qe_data, rest) = rest.split_first_chunk()?;
        if usize::from(u16::from_le_bytes(*length)) != qe_data.len() {
            return None;
        }
        Some(Self {
            signed,
            signature,
            key,
            qe_report,
            qe_signature,
            qe_data,
            chain: sized(rest, PCK_CHAIN)?,
        })
    }
}

/// The data of a `kind | length | data` record that fills `bytes`.
fn sized(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    let (length, data) = bytes.get(2..)?.split_first_chunk()?;
    let exact = u16_at(bytes, 0)? == kind && u32::from_le_bytes(*length) as usize == data.len();
    exact.then_some(data)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_le_bytes([bytes[0], bytes[1]]))
}
