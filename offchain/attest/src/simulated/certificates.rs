//! The certificates of the simulated platform: root, platform authority, platform key, TCB signer.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

use super::der;
use crate::AttestError;

/// Family of every simulated platform.
pub(super) const FMSPC: [u8; 6] = [0x51, 0x0d, 0xc0, 0xc0, 0x00, 0x00];
pub(super) const PCE_ID: [u8; 2] = [0, 0];
pub(super) const PCE_SVN: u8 = 13;
pub(super) const CPU_SVN: [u8; 16] = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
const SGX_EXTENSION: &[u64] = &[1, 2, 840, 113741, 1, 13, 1];
const SCALABLE_WITH_INTEGRITY: u8 = 2;
const PCK_SERIAL: &[u8] = &[0x50, 0x43, 0x4b];

pub(super) fn failed(error: impl core::fmt::Display) -> AttestError {
    AttestError::Simulated {
        reason: error.to_string(),
    }
}

fn params(common_name: &str, usages: &[KeyUsagePurpose]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name.push(DnType::OrganizationName, "Cocoon SIMULATED platform, not hardware");
    params.distinguished_name = name;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.key_usages = usages.to_vec();
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = params(common_name, &[KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root_params() -> CertificateParams {
    authority("Cocoon SIMULATED TDX Root CA")
}

fn platform_params() -> CertificateParams {
    authority("Cocoon SIMULATED PCK Platform CA")
}

pub(super) fn root_issuer(key: &KeyPair) -> Issuer<'static, &KeyPair> {
    Issuer::new(root_params(), key)
}

pub(super) fn platform_issuer(key: &KeyPair) -> Issuer<'static, &KeyPair> {
    Issuer::new(platform_params(), key)
}

pub(super) fn root(key: &KeyPair) -> Result<Certificate, AttestError> {
    root_params().self_signed(key).map_err(failed)
}

pub(super) fn platform_authority(key: &KeyPair, root: &KeyPair) -> Result<Certificate, AttestError> {
    platform_params().signed_by(key, &root_issuer(root)).map_err(failed)
}

pub(super) fn tcb_signer(key: &KeyPair, root: &KeyPair) -> Result<Certificate, AttestError> {
    params("Cocoon SIMULATED TCB Signing", &[KeyUsagePurpose::DigitalSignature])
        .signed_by(key, &root_issuer(root))
        .map_err(failed)
}

/// The certificate of the platform's own key, with the extension that names its family and security versions.
pub(super) fn platform_key(key: &KeyPair, authority: &KeyPair) -> Result<Certificate, AttestError> {
    let mut params = params("Cocoon SIMULATED PCK Certificate", &[KeyUsagePurpose::DigitalSignature]);
    params.serial_number = Some(SerialNumber::from_slice(PCK_SERIAL));
    params.custom_extensions = vec![CustomExtension::from_oid_content(SGX_EXTENSION, sgx_extension())];
    params.signed_by(key, &platform_issuer(authority)).map_err(failed)
}

fn sgx_extension() -> Vec<u8> {
    let mut tcb: Vec<_> = CPU_SVN
        .iter()
        .zip(1_u8..)
        .map(|(&svn, index)| der::entry(&[2, index], der::integer(svn)))
        .collect();
    tcb.push(der::entry(&[2, 17], der::integer(PCE_SVN)));
    tcb.push(der::entry(&[2, 18], der::octets(&CPU_SVN)));
    let configuration = [
        der::entry(&[7, 1], der::boolean(true)),
        der::entry(&[7, 2], der::boolean(true)),
        der::entry(&[7, 3], der::boolean(true)),
    ];
    der::sequence(&[
        der::entry(&[1], der::octets(&[0x51; 16])),
        der::entry(&[2], der::sequence(&tcb)),
        der::entry(&[3], der::octets(&PCE_ID)),
        der::entry(&[4], der::octets(&FMSPC)),
        der::entry(&[5], der::enumerated(SCALABLE_WITH_INTEGRITY)),
        der::entry(&[6], der::octets(&[0x1d; 16])),
        der::entry(&[7], der::sequence(&configuration)),
    ])
}

/// A revocation list, empty or naming the platform's key.
pub(super) fn revocations(
    issuer: &Issuer<'_, &KeyPair>,
    issued_at: u64,
    expires_at: u64,
    revoke_platform_key: bool,
) -> Result<Vec<u8>, AttestError> {
    let epoch = date_time_ymd(1970, 1, 1);
    let this_update = epoch + core::time::Duration::from_secs(issued_at);
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from_slice(PCK_SERIAL),
        revocation_time: this_update,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update,
        next_update: epoch + core::time::Duration::from_secs(expires_at),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: if revoke_platform_key { vec![revoked] } else { Vec::new() },
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(list.signed_by(issuer).map_err(failed)?.der().to_vec())
}
