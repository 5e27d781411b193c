//! Evidence of accelerators: a signed report of measurements, judged against golden ones.
//!
//! A report is the request and the answer of SPDM 1.1 "GET_MEASUREMENTS" (DMTF DSP0274, section 10.11) one behind the
//! other, as NVIDIA's driver hands it out: ECDSA P-384 with SHA-384 over everything before the signature. Nothing is
//! proven without a root certificate to lead to; then the answer is "unknown".

mod policy;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use crate::{
    AttestError, Fact,
    crypto::{p384_asn1, p384_fixed},
    limits::{MAX_GPU_CHAIN, MAX_GPU_REPORT_BYTES},
};
use report::Report;

pub(crate) use policy::File as GpuFile;
pub use policy::GpuPolicy;
#[cfg(feature = "issuer")]
pub(crate) use report::unsigned as unsigned_report;

/// What an accelerator presents, as it was collected inside the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuEvidence {
    /// Request and answer, signature included.
    pub report: Vec<u8>,
    /// Certificates (DER), that of the device's key first.
    pub chain: Vec<Vec<u8>>,
    /// Whether the driver says that confidential mode is on; its word alone proves nothing.
    pub confidential: Option<bool>,
}

impl GpuEvidence {
    /// As a driver hands it out: certificates in PEM, that of the device's key first, perhaps with zeros behind.
    pub fn of_driver(report: Vec<u8>, chain_pem: &[u8], confidential: Option<bool>) -> Result<Self, AttestError> {
        let malformed = |what| AttestError::GpuReport { what };
        if report.len() > MAX_GPU_REPORT_BYTES || chain_pem.len() > MAX_GPU_REPORT_BYTES {
            return Err(malformed("or its certificates are longer than any"));
        }
        let end = chain_pem.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let chain = policy::certificates_of_pem(&chain_pem[..end])
            .map_err(|_| malformed("comes with certificates that are no PEM"))?;
        Ok(Self {
            report,
            chain,
            confidential,
        })
    }
}

/// Measurements of one accepted pair of firmware and driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenMeasurements {
    /// Name of the pair, such as `GH100 96.00.5E.00.01 550.90.07`.
    pub name: String,
    /// Accepted values (hex) by index of the measurement block. Blocks that are not named may be anything.
    pub blocks: BTreeMap<u8, BTreeSet<String>>,
}

/// What is known of an accelerator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuClaims {
    /// The report is signed by a device of a maker that is trusted, for this request.
    pub genuine: Fact,
    /// Firmware and driver are accepted ones.
    pub measured: Fact,
    /// Confidential mode is on.
    pub confidential: Fact,
    /// The golden measurements that agree.
    pub golden: Option<String>,
}

impl GpuClaims {
    /// Of an accelerator that presents nothing.
    pub fn unknown() -> Self {
        Self {
            genuine: Fact::Unknown,
            measured: Fact::Unknown,
            confidential: Fact::Unknown,
            golden: None,
        }
    }
}

/// Judges what an accelerator presents. `roots` are the makers' root certificates (DER), `nonce` is what was asked for.
/// Dates of certificates are not looked at: the makers' devices carry ones without an end.
pub fn judge_gpu(
    evidence: &GpuEvidence,
    golden: &[GoldenMeasurements],
    roots: &[Vec<u8>],
    nonce: &[u8; 32],
) -> Result<GpuClaims, AttestError> {
    let report = Report::parse(&evidence.report)?;
    let chain = Chain::parse(&evidence.chain)?;
    let is_signed =
        chain.is_linked() && report.nonce == nonce && p384_fixed(&chain.keys[0], report.signed, report.signature);
    let genuine = match (is_signed, chain.leads_to(roots)) {
        (false, _) => Fact::Refuted,
        (true, true) => Fact::Proven,
        (true, false) => Fact::Unknown,
    };
    let agreeing = golden.iter().find(|golden| golden.agrees(&report));
    let measured = match (genuine, agreeing) {
        (Fact::Refuted, _) => Fact::Refuted,
        _ if golden.is_empty() => Fact::Unknown,
        (_, None) => Fact::Refuted,
        (genuine, Some(_)) => genuine,
    };
    let confidential = match evidence.confidential {
        Some(false) => Fact::Refuted,
        // The driver is measured, so its word counts as much as the measurements do.
        Some(true) if measured == Fact::Proven => Fact::Proven,
        Some(true) | None => Fact::Unknown,
    };
    Ok(GpuClaims {
        genuine,
        measured,
        confidential,
        golden: agreeing.map(|golden| golden.name.clone()),
    })
}

impl GoldenMeasurements {
    /// Every named block is there with an accepted value. Naming none accepts none.
    fn agrees(&self, report: &Report<'_>) -> bool {
        let is_accepted = |(index, values): (&u8, &BTreeSet<String>)| {
            let found = report.blocks.get(index).map(hex::encode);
            found.is_some_and(|found| values.iter().any(|value| value.eq_ignore_ascii_case(&found)))
        };
        !self.blocks.is_empty() && self.blocks.iter().all(is_accepted)
    }
}

struct Chain {
    certificates: Vec<Certificate>,
    der: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
}

impl Chain {
    fn parse(der: &[Vec<u8>]) -> Result<Self, AttestError> {
        let malformed = |what| AttestError::GpuReport { what };
        if der.is_empty() || der.len() > MAX_GPU_CHAIN {
            return Err(malformed("has too few or too many certificates"));
        }
        let certificates = der
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| malformed("has a certificate that does not parse"))?;
        let key = |one: &Certificate| {
            one.tbs_certificate()
                .subject_public_key_info()
                .subject_public_key
                .raw_bytes()
                .to_vec()
        };
        let keys = certificates.iter().map(key).collect();
        let der = der.to_vec();
        Ok(Self {
            certificates,
            der,
            keys,
        })
    }

    /// Each certificate is signed by the next, which must be an authority.
    fn is_linked(&self) -> bool {
        let links = self.certificates.windows(2).zip(&self.keys[1..]);
        links
            .into_iter()
            .all(|(pair, key)| is_authority(&pair[1]) && is_signed_by(&pair[0], key))
    }

    /// The last certificate is a root, or is signed by one.
    fn leads_to(&self, roots: &[Vec<u8>]) -> bool {
        let (Some(last), Some(der)) = (self.certificates.last(), self.der.last()) else {
            return false;
        };
        roots.iter().any(|root| {
            root == der
                || Certificate::from_der(root).is_ok_and(|root| {
                    let key = root.tbs_certificate().subject_public_key_info();
                    is_authority(&root) && is_signed_by(last, key.subject_public_key.raw_bytes())
                })
        })
    }
}

fn is_signed_by(certificate: &Certificate, key: &[u8]) -> bool {
    let Ok(signed) = certificate.tbs_certificate().to_der() else {
        return false;
    };
    p384_asn1(key, &signed, certificate.signature().raw_bytes())
}

/// Whether a certificate (DER) is an authority that signed itself.
fn is_root(der: &[u8]) -> bool {
    Certificate::from_der(der).is_ok_and(|root| {
        let key = root.tbs_certificate().subject_public_key_info();
        is_authority(&root) && is_signed_by(&root, key.subject_public_key.raw_bytes())
    })
}

fn is_authority(certificate: &Certificate) -> bool {
    use x509_cert::ext::pkix::BasicConstraints;
    let constraints = certificate.tbs_certificate().get_extension::<BasicConstraints>();
    matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
}

#[cfg(test)]
mod tests {
    use crate::simulated::SimulatedGpu;

    use super::*;

    const NONCE: [u8; 32] = [7; 32];

    fn presented(device: &SimulatedGpu, blocks: &[(u8, &[u8])]) -> GpuEvidence {
        device.evidence(&NONCE, blocks).unwrap()
    }

    fn device() -> SimulatedGpu {
        SimulatedGpu::generate().unwrap()
    }

    fn golden(index: u8, value: &str) -> GoldenMeasurements {
        GoldenMeasurements {
            name: format!("block {index}"),
            blocks: BTreeMap::from([(index, BTreeSet::from([value.to_owned()]))]),
        }
    }

    fn facts(evidence: &GpuEvidence, golden: &[GoldenMeasurements], roots: &[Vec<u8>]) -> [Fact; 3] {
        let claims = judge_gpu(evidence, golden, roots, &NONCE).unwrap();
        [claims.genuine, claims.measured, claims.confidential]
    }

    #[test]
    fn only_a_known_root_and_golden_measurements_prove_anything() {
        use Fact::{Proven, Refuted, Unknown};
        let device = device();
        let mut evidence = presented(&device, &[(1, &[0xab; 48]), (2, &[0xcd; 48])]);
        let (right, wrong) = (golden(2, &"CD".repeat(48)), golden(2, &"ab".repeat(48)));
        let root = vec![device.root_der().to_vec()];
        assert_eq!(
            facts(&evidence, &[wrong.clone(), right.clone()], &root),
            [Proven, Proven, Proven]
        );
        assert_eq!(facts(&evidence, &[], &root), [Proven, Unknown, Unknown]);
        assert_eq!(facts(&evidence, &[wrong], &root), [Proven, Refuted, Unknown]);
        assert_eq!(facts(&evidence, &[golden(3, "00")], &root), [Proven, Refuted, Unknown]);
        assert_eq!(
            facts(&evidence, std::slice::from_ref(&right), &[]),
            [Unknown, Unknown, Unknown]
        );
        let stranger = vec![self::device().root_der().to_vec()];
        assert_eq!(
            facts(&evidence, std::slice::from_ref(&right), &stranger),
            [Unknown, Unknown, Unknown]
        );
        let empty = GoldenMeasurements {
            name: String::new(),
            blocks: BTreeMap::new(),
        };
        assert_eq!(facts(&evidence, &[empty], &root), [Proven, Refuted, Unknown]);
        evidence.confidential = Some(false);
        assert_eq!(facts(&evidence, &[right], &root), [Proven, Proven, Refuted]);
    }

    #[test]
    fn no_byte_of_a_report_can_be_changed_and_no_report_reused() {
        let device = device();
        let evidence = presented(&device, &[(1, &[0xab; 48])]);
        let right = [golden(1, &"ab".repeat(48))];
        let roots = [device.root_der().to_vec()];
        for at in 0..evidence.report.len() {
            let mut changed = evidence.clone();
            changed.report[at] ^= 1;
            if let Ok(claims) = judge_gpu(&changed, &right, &roots, &NONCE) {
                assert_eq!([claims.genuine, claims.measured], [Fact::Refuted; 2], "byte {at}");
            }
        }
        let claims = judge_gpu(&evidence, &right, &roots, &[8; 32]).unwrap();
        assert_eq!(claims.genuine, Fact::Refuted, "answer to another request");
        let mut other = evidence.clone();
        other.chain = presented(&self::device(), &[]).chain;
        assert_eq!(
            judge_gpu(&other, &right, &roots, &NONCE).unwrap().genuine,
            Fact::Refuted
        );
    }

    #[test]
    fn a_device_is_no_authority() {
        let device = SimulatedGpu::without_authority().unwrap();
        let evidence = presented(&device, &[(1, &[0xab; 48])]);
        let claims = judge_gpu(&evidence, &[], &[device.root_der().to_vec()], &NONCE).unwrap();
        assert_eq!(claims.genuine, Fact::Refuted);
    }
}
