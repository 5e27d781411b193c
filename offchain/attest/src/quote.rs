//! The layout of a TDX quote: what can be read from it before anything is verified.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::{AttestError, GuestState, Measurements, REPORT_DATA_BYTES, TdxBody, limits::MAX_QUOTE_BYTES};

pub(crate) const HEADER_BYTES: usize = 48;
pub(crate) const TEE_TYPE_TDX: u32 = 0x81;
/// Body of TDX 1.0, the only one of version 4.
pub(crate) const BODY_TDX_1_0: u16 = 2;
pub(crate) const TDX_1_0_BYTES: usize = 584;
pub(crate) const BODY_TDX_1_5: u16 = 3;
pub(crate) const TDX_1_5_BYTES: usize = 648;
pub(crate) const BODY_TDX_1_5_EX: u16 = 4;
pub(crate) const TDX_1_5_EX_BYTES: usize = 885;
/// Offset of TEE_TCB_SVN2 in the bodies that have it.
const CURRENT_TCB_OFFSET: usize = 584;
/// Offset of MRSERVICETD in the bodies that have it.
const SERVICE_TD_OFFSET: usize = 600;

/// A TDX quote whose layout is known but whose signatures are not verified.
///
/// Quotes are malleable (padding, signature form, PEM whitespace), so neither the bytes nor [`digest`](Self::digest)
/// identify anything; the digest only keys caches of verdicts.
#[derive(Clone, PartialEq, Eq)]
pub struct TdxQuote {
    bytes: Vec<u8>,
    version: u16,
    kind: TdxBody,
    body: usize,
    signed: usize,
}

impl fmt::Debug for TdxQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TdxQuote")
            .field("bytes", &self.bytes.len())
            .field("image_hash", &self.unverified_measurements().image_hash())
            .finish()
    }
}

impl TdxQuote {
    /// Reads the layout. Zero padding after the end is cut off, any other tail is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        if bytes.len() > MAX_QUOTE_BYTES {
            return Err(AttestError::QuoteTooLong {
                length: bytes.len(),
                limit: MAX_QUOTE_BYTES,
            });
        }
        let mut reader = Reader { bytes, at: 0 };
        let version = reader.u16("version")?;
        reader.skip(2, "attestation key type")?;
        let tee_type = reader.u32("TEE type")?;
        if tee_type != TEE_TYPE_TDX {
            return Err(AttestError::NotTdx { tee_type });
        }
        reader.skip(HEADER_BYTES - 8, "header")?;
        let (body_type, body_bytes) = match version {
            4 => (BODY_TDX_1_0, TDX_1_0_BYTES),
            5 => (reader.u16("body type")?, reader.u32("body size")? as usize),
            _ => {
                return Err(AttestError::QuoteVersion {
                    version,
                    body_type: BODY_TDX_1_0,
                });
            }
        };
        let (kind, expected) = match body_type {
            BODY_TDX_1_0 => (TdxBody::Tdx10, TDX_1_0_BYTES),
            BODY_TDX_1_5 => (TdxBody::Tdx15, TDX_1_5_BYTES),
            BODY_TDX_1_5_EX => (TdxBody::Tdx15Ex, TDX_1_5_EX_BYTES),
            _ => return Err(AttestError::QuoteVersion { version, body_type }),
        };
        if body_bytes != expected {
            return Err(AttestError::QuoteVersion { version, body_type });
        }
        let body = reader.at;
        reader.skip(body_bytes, "body")?;
        let signed = reader.at;
        let signature_bytes = reader.u32("signature length")? as usize;
        reader.skip(signature_bytes, "signature")?;
        let (quote, tail) = bytes.split_at(reader.at);
        if tail.iter().any(|&byte| byte != 0) {
            return Err(AttestError::QuoteTail);
        }
        Ok(Self {
            bytes: quote.to_vec(),
            version,
            kind,
            body,
            signed,
        })
    }

    /// The quote without padding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the quote without padding: a cache key, never an identity.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The registers that the quote claims.
    pub fn unverified_measurements(&self) -> Measurements {
        Measurements {
            mrtd: self.field(136),
            mrconfigid: self.field(184),
            mrowner: self.field(232),
            mrownerconfig: self.field(280),
            rtmr: [self.field(328), self.field(376), self.field(424), self.field(472)],
        }
    }

    /// The report data that the quote claims.
    pub fn unverified_report_data(&self) -> [u8; REPORT_DATA_BYTES] {
        self.field(520)
    }

    /// Modes of the guest and levels of the TDX module that the quote claims.
    pub fn unverified_guest(&self) -> GuestState {
        let later = self.kind != TdxBody::Tdx10;
        GuestState {
            quote_version: self.version,
            body: self.kind,
            tee_tcb_svn: self.field(0),
            mrseam: self.field(16),
            mrsignerseam: self.field(64),
            seam_attributes: u64::from_le_bytes(self.field(112)),
            attributes: u64::from_le_bytes(self.field(120)),
            xfam: u64::from_le_bytes(self.field(128)),
            current_tcb_svn: later.then(|| self.field(CURRENT_TCB_OFFSET)),
            mrservicetd: later.then(|| self.field(SERVICE_TD_OFFSET)),
        }
    }

    /// Header and body: what the attestation key signs.
    pub(crate) fn signed_part(&self) -> &[u8] {
        &self.bytes[..self.signed]
    }

    /// The signature section behind its length field.
    pub(crate) fn signature_part(&self) -> &[u8] {
        &self.bytes[self.signed + 4..]
    }

    /// Bytes of the body at `offset`; every field read lies inside its kind of body.
    fn field<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut field = [0; N];
        let start = self.body + offset;
        field.copy_from_slice(&self.bytes[start..start + N]);
        field
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], AttestError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or(AttestError::QuoteTruncated { field })?;
        self.at += length;
        Ok(taken)
    }

    fn skip(&mut self, length: usize, field: &'static str) -> Result<(), AttestError> {
        self.take(length, field).map(|_| ())
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, AttestError> {
        let bytes = self.take(2, field)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, AttestError> {
        let bytes = self.take(4, field)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A quote with a recognisable body and an empty signature.
    fn hollow() -> Vec<u8> {
        let mut quote = vec![0; HEADER_BYTES];
        quote[0] = 4;
        quote[2] = 2;
        quote[4] = 0x81;
        quote.extend((0..TDX_1_0_BYTES).map(|at| (at / 8) as u8));
        quote.extend(0_u32.to_le_bytes());
        quote
    }

    #[test]
    fn fields_lie_where_version_4_puts_them() {
        let bytes = hollow();
        let quote = TdxQuote::parse(&bytes).unwrap();
        let measured = quote.unverified_measurements();
        assert_eq!(measured.mrtd, bytes[184..232]);
        assert_eq!(measured.mrownerconfig, bytes[328..376]);
        assert_eq!(measured.rtmr[3], bytes[520..568]);
        assert_eq!(quote.unverified_report_data(), bytes[568..632]);
    }

    #[test]
    fn zero_padding_is_cut_and_any_other_tail_refused() {
        let mut padded = hollow();
        let digest = TdxQuote::parse(&padded).unwrap().digest();
        padded.extend([0; 70]);
        let quote = TdxQuote::parse(&padded).unwrap();
        assert_eq!(quote.digest(), digest);
        assert_eq!(quote.bytes(), hollow());
        padded.push(1);
        assert_eq!(TdxQuote::parse(&padded), Err(AttestError::QuoteTail));
    }

    #[test]
    fn unknown_formats_are_refused() {
        let mut sgx = hollow();
        sgx[4] = 0;
        assert_eq!(TdxQuote::parse(&sgx), Err(AttestError::NotTdx { tee_type: 0 }));
        let mut version = hollow();
        version[0] = 6;
        assert!(matches!(
            TdxQuote::parse(&version),
            Err(AttestError::QuoteVersion { version: 6, .. })
        ));
        let long = vec![0; MAX_QUOTE_BYTES + 1];
        assert!(matches!(TdxQuote::parse(&long), Err(AttestError::QuoteTooLong { .. })));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = hollow();
        for length in 0..bytes.len() {
            assert!(
                matches!(
                    TdxQuote::parse(&bytes[..length]),
                    Err(AttestError::QuoteTruncated { .. })
                ),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn parsing_is_total(mut bytes in prop::collection::vec(any::<u8>(), 0..1200), version in 3_u8..7, body in 0_u8..6) {
            if bytes.len() > 60 {
                bytes[..8].copy_from_slice(&[version, 0, 2, 0, 0x81, 0, 0, 0]);
                bytes[48..50].copy_from_slice(&[body, 0]);
            }
            let _ = TdxQuote::parse(&bytes);
        }
    }
}
