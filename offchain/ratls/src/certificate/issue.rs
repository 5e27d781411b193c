//! Issues certificates that are the same, field by field, as those of deployed peers.

use core::time::Duration;

use aws_lc_rs::digest;
use rand::RngCore;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use crate::{
    RatlsError,
    limits::{CERTIFICATE_SECONDS, MAX_QUOTE_EXTENSION_BYTES},
};

const QUOTE: &[u64] = &[1, 3, 6, 1, 4, 1, 12345, 1];
const CLAIMS: &[u64] = &[1, 3, 6, 1, 4, 1, 12345, 2];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const SUBJECT_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 14];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];

/// CA:FALSE is the default, so an empty sequence.
const NO_AUTHORITY: &[u8] = &[0x30, 0x00];
/// BIT STRING with the first bit, digitalSignature.
const DIGITAL_SIGNATURE: &[u8] = &[0x03, 0x02, 0x07, 0x80];
/// serverAuth, clientAuth.
const BOTH_ROLES: &[u8] = &[
    0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05,
    0x07, 0x03, 0x02,
];

pub(crate) fn issue(
    key: &KeyPair,
    public: &[u8; 32],
    evidence: Option<&[u8]>,
    now: u64,
) -> Result<CertificateDer<'static>, RatlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name()?;
    let begin = date_time_ymd(1970, 1, 1) + Duration::from_secs(now);
    params.not_before = begin;
    params.not_after = begin + Duration::from_secs(CERTIFICATE_SECONDS);
    let mut serial = [0; 16];
    rand::rng().fill_bytes(&mut serial);
    params.serial_number = Some(SerialNumber::from_slice(&serial));

    // Only custom extensions: their order is part of the format.
    let mut extensions = Vec::with_capacity(7);
    if let Some(evidence) = evidence {
        if evidence.len() > MAX_QUOTE_EXTENSION_BYTES {
            return Err(RatlsError::Issue {
                reason: format!("evidence of {} bytes is too long", evidence.len()),
            });
        }
        extensions.push(critical(QUOTE, evidence.to_vec()));
        extensions.push(critical(CLAIMS, public.to_vec()));
    }
    extensions.push(critical(BASIC_CONSTRAINTS, NO_AUTHORITY.to_vec()));
    extensions.push(critical(KEY_USAGE, DIGITAL_SIGNATURE.to_vec()));
    extensions.push(critical(EXTENDED_KEY_USAGE, BOTH_ROLES.to_vec()));
    extensions.push(CustomExtension::from_oid_content(
        SUBJECT_KEY_IDENTIFIER,
        key_identifier(public),
    ));
    extensions.push(CustomExtension::from_oid_content(SUBJECT_ALT_NAME, alternative_names()));
    params.custom_extensions = extensions;

    let certificate = params.self_signed(key).map_err(|error| RatlsError::Issue {
        reason: error.to_string(),
    })?;
    Ok(certificate.der().clone())
}

fn critical(oid: &[u64], content: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content);
    extension.set_criticality(true);
    extension
}

fn name() -> Result<DistinguishedName, RatlsError> {
    let country = "AE".try_into().map_err(|error: rcgen::Error| RatlsError::Issue {
        reason: error.to_string(),
    })?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, DnValue::PrintableString(country));
    name.push(DnType::StateOrProvinceName, "DUBAI");
    name.push(DnType::OrganizationName, "TDLib Development");
    name.push(DnType::OrganizationalUnitName, "Security");
    name.push(DnType::CommonName, "localhost");
    Ok(name)
}

/// OCTET STRING of the SHA-1 of the key's bits.
fn key_identifier(public: &[u8; 32]) -> Vec<u8> {
    let mut content = vec![0x04, 20];
    content.extend(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, public).as_ref());
    content
}

/// `localhost`, `127.0.0.1` as a DNS name (deployed clients check for exactly that), and the IPv6 loopback address.
fn alternative_names() -> Vec<u8> {
    const DNS_NAME: u8 = 0x82;
    const IP_ADDRESS: u8 = 0x87;
    let mut loopback = [0; 16];
    loopback[15] = 1;
    let mut names = Vec::new();
    for (tag, value) in [
        (DNS_NAME, b"localhost".as_slice()),
        (DNS_NAME, b"127.0.0.1"),
        (IP_ADDRESS, &loopback),
    ] {
        names.extend([tag, value.len() as u8]);
        names.extend(value);
    }
    let mut content = vec![0x30, names.len() as u8];
    content.extend(names);
    content
}
