//! Quotes of the simulated platform: version 4, as today's hardware makes them.

use aws_lc_rs::signature::KeyPair;
use sha2::{Digest, Sha256};

use super::{SimulatedPlatform, platform::sign};
use crate::{
    AttestError, Measurements, REPORT_DATA_BYTES, attributes,
    quote::{HEADER_BYTES, TDX_1_0_BYTES, TEE_TYPE_TDX},
};

pub(super) const QE_MRSIGNER: [u8; 32] = [0xc0; 32];
pub(super) const QE_PROD_ID: u16 = 2;
pub(super) const QE_ISV_SVN: u16 = 4;
/// Intel's id: verifiers know no other vendor of quoting enclaves.
const QE_VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
const QE_AUTH_DATA: [u8; 32] = [0xad; 32];
const QE_REPORT_BYTES: usize = 384;
const ECDSA_P256: u16 = 2;
const CERTIFICATION_QE_REPORT: u16 = 6;
const CERTIFICATION_PCK_CHAIN: u16 = 5;

/// A guest on the simulated platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatedGuest {
    /// What it was built from.
    pub measurements: Measurements,
    /// Its attribute bits; [`new`](Self::new) sets the acceptable ones.
    pub attributes: u64,
}

impl SimulatedGuest {
    /// A guest with acceptable attributes.
    pub fn new(measurements: Measurements) -> Self {
        Self {
            measurements,
            attributes: attributes::bits::SEPT_VE_DISABLE,
        }
    }
}

impl SimulatedPlatform {
    /// A quote of a guest with acceptable attributes.
    pub fn issue(
        &self,
        measurements: &Measurements,
        report_data: &[u8; REPORT_DATA_BYTES],
    ) -> Result<Vec<u8>, AttestError> {
        self.issue_for(&SimulatedGuest::new(*measurements), report_data)
    }

    /// A quote of any guest, also of one that verifiers must refuse.
    pub fn issue_for(
        &self,
        guest: &SimulatedGuest,
        report_data: &[u8; REPORT_DATA_BYTES],
    ) -> Result<Vec<u8>, AttestError> {
        let attestation_key = self.attestation_key()?;
        // The uncompressed point without its 0x04.
        let public_key = attestation_key.public_key().as_ref()[1..].to_vec();
        let mut quote = header();
        quote.extend(body(guest, report_data));
        let signature = sign(&attestation_key, &quote)?;

        let report = qe_report(&public_key);
        let mut certification = report.clone();
        certification.extend(sign(&self.platform_key()?, &report)?);
        certification.extend((QE_AUTH_DATA.len() as u16).to_le_bytes());
        certification.extend(QE_AUTH_DATA);
        append_sized(
            &mut certification,
            CERTIFICATION_PCK_CHAIN,
            self.platform_chain().as_bytes(),
        );

        let mut auth = signature;
        auth.extend(public_key);
        append_sized(&mut auth, CERTIFICATION_QE_REPORT, &certification);
        quote.extend((auth.len() as u32).to_le_bytes());
        quote.extend(auth);
        Ok(quote)
    }
}

fn append_sized(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
}

fn header() -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(4_u16.to_le_bytes());
    header.extend(ECDSA_P256.to_le_bytes());
    header.extend(TEE_TYPE_TDX.to_le_bytes());
    header.extend([0; 4]);
    header.extend(QE_VENDOR);
    header.extend([0; 20]);
    header
}

fn body(guest: &SimulatedGuest, report_data: &[u8; REPORT_DATA_BYTES]) -> Vec<u8> {
    let mut body = Vec::with_capacity(TDX_1_0_BYTES);
    // TEE TCB SVN, MRSEAM, MRSIGNERSEAM, SEAM attributes.
    body.extend([0; 16 + 48 + 48 + 8]);
    body.extend(guest.attributes.to_le_bytes());
    // XFAM: x87 and SSE, always on.
    body.extend(3_u64.to_le_bytes());
    for register in guest.measurements.registers() {
        body.extend(register);
    }
    body.extend(report_data);
    body
}

/// The quoting enclave's report: vouches for the attestation key.
fn qe_report(attestation_key: &[u8]) -> Vec<u8> {
    let mut bound = Sha256::new();
    bound.update(attestation_key);
    bound.update(QE_AUTH_DATA);
    let mut report = vec![0; QE_REPORT_BYTES];
    report[48] = 0x11; // attributes: initialised, provisioning key
    report[128..160].copy_from_slice(&QE_MRSIGNER);
    report[256..258].copy_from_slice(&QE_PROD_ID.to_le_bytes());
    report[258..260].copy_from_slice(&QE_ISV_SVN.to_le_bytes());
    report[320..352].copy_from_slice(&bound.finalize());
    report
}
