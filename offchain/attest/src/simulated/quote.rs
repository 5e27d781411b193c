//! Quotes of the simulated platform, in every form that today's hardware makes.

use aws_lc_rs::signature::KeyPair;
use sha2::{Digest, Sha256};

use super::{SimulatedPlatform, platform::sign};
use crate::{
    AttestError, GuestState, Measurements, REGISTER_BYTES, REPORT_DATA_BYTES, TdxBody, attributes,
    quote::{
        BODY_TDX_1_0, BODY_TDX_1_5, BODY_TDX_1_5_EX, HEADER_BYTES, TDX_1_0_BYTES, TDX_1_5_BYTES, TDX_1_5_EX_BYTES,
        TEE_TYPE_TDX,
    },
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
    /// Form of its quote, its modes and its TDX module; [`new`](Self::new) sets acceptable ones.
    pub state: GuestState,
}

impl SimulatedGuest {
    /// A guest with acceptable attributes, whose quotes have version 4.
    pub fn new(measurements: Measurements) -> Self {
        let state = GuestState {
            quote_version: 4,
            body: TdxBody::Tdx10,
            tee_tcb_svn: [0; 16],
            current_tcb_svn: None,
            mrseam: [0; REGISTER_BYTES],
            mrsignerseam: [0; REGISTER_BYTES],
            seam_attributes: 0,
            attributes: attributes::bits::SEPT_VE_DISABLE,
            // x87 and SSE, always on.
            xfam: 3,
            mrservicetd: None,
        };
        Self { measurements, state }
    }

    /// The same guest with quotes of version 5 and this kind of body.
    pub fn with_version_5(mut self, body: TdxBody) -> Self {
        self.state.quote_version = 5;
        self.state.body = body;
        if body != TdxBody::Tdx10 {
            self.state.current_tcb_svn = Some(self.state.tee_tcb_svn);
            self.state.mrservicetd = Some([0; REGISTER_BYTES]);
        }
        self
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
        let mut quote = header(guest.state.quote_version);
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

fn header(version: u16) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(version.to_le_bytes());
    header.extend(ECDSA_P256.to_le_bytes());
    header.extend(TEE_TYPE_TDX.to_le_bytes());
    header.extend([0; 4]);
    header.extend(QE_VENDOR);
    header.extend([0; 20]);
    header
}

fn body(guest: &SimulatedGuest, report_data: &[u8; REPORT_DATA_BYTES]) -> Vec<u8> {
    let state = &guest.state;
    let (kind, length) = match state.body {
        TdxBody::Tdx10 => (BODY_TDX_1_0, TDX_1_0_BYTES),
        TdxBody::Tdx15 => (BODY_TDX_1_5, TDX_1_5_BYTES),
        TdxBody::Tdx15Ex => (BODY_TDX_1_5_EX, TDX_1_5_EX_BYTES),
    };
    let mut body = Vec::with_capacity(length);
    body.extend(state.tee_tcb_svn);
    body.extend(state.mrseam);
    body.extend(state.mrsignerseam);
    body.extend(state.seam_attributes.to_le_bytes());
    body.extend(state.attributes.to_le_bytes());
    body.extend(state.xfam.to_le_bytes());
    for register in guest.measurements.registers() {
        body.extend(register);
    }
    body.extend(report_data);
    if state.body != TdxBody::Tdx10 {
        body.extend(state.current_tcb_svn.unwrap_or(state.tee_tcb_svn));
        body.extend(state.mrservicetd.unwrap_or([0; REGISTER_BYTES]));
    }
    // What the longest kind has behind: devices and migration, none here.
    body.resize(length, 0);
    if state.quote_version < 5 {
        return body;
    }
    let mut framed = kind.to_le_bytes().to_vec();
    framed.extend((length as u32).to_le_bytes());
    framed.extend(body);
    framed
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
