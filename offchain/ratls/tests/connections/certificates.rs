//! The certificate format: what ours look like, which forms are accepted, which refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::sync::Arc;

use cocoon_attest::AttestError;
use cocoon_ratls::{
    CertificateProblem, Identity, IdentityKeeper, NoEvidence, ParsedCertificate, PeerPolicy, RatlsError,
    verify_certificate,
};
use x509_cert::{Certificate, Version, der::Decode};

use crate::common::{NOW, World};

fn identity(world: &World, role: &str) -> Identity {
    Identity::issue(world.source(role).as_ref(), NOW).unwrap()
}

fn problem(error: RatlsError) -> CertificateProblem {
    match error {
        RatlsError::Certificate { reason } => reason,
        other => panic!("another error: {other}"),
    }
}

#[test]
fn ours_have_the_fields_of_deployed_ones_in_their_order() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let certificate = Certificate::from_der(identity.certificate_der()).unwrap();
    let tbs = certificate.tbs_certificate();
    assert_eq!(tbs.version(), Version::V3);
    assert_eq!(
        tbs.subject().to_string(),
        "CN=localhost,OU=Security,O=TDLib Development,ST=DUBAI,C=AE"
    );
    assert_eq!(tbs.subject(), tbs.issuer());
    let extensions = tbs.extensions().unwrap();
    let form: Vec<_> = extensions
        .iter()
        .map(|one| (one.extn_id.to_string(), one.critical))
        .collect();
    let expected = [
        ("1.3.6.1.4.1.12345.1", true),
        ("1.3.6.1.4.1.12345.2", true),
        ("2.5.29.19", true),
        ("2.5.29.15", true),
        ("2.5.29.37", true),
        ("2.5.29.14", false),
        ("2.5.29.17", false),
    ];
    assert_eq!(form, expected.map(|(oid, critical)| (oid.to_owned(), critical)));
    assert_eq!(extensions[1].extn_value.as_bytes(), identity.leaf_key().as_bytes());
    assert_eq!(
        extensions[0].extn_value.as_bytes()[..2],
        [4, 0],
        "a bare quote of version 4"
    );
    let names = extensions[6].extn_value.as_bytes();
    assert_eq!(&names[2..13], b"\x82\x09localhost");
    assert_eq!(&names[13..24], b"\x82\x09127.0.0.1");
    assert_eq!(names[24..26], [0x87, 16]);
}

#[test]
fn a_certificate_without_evidence_lacks_the_two_extensions() {
    let identity = Identity::issue(&NoEvidence, NOW).unwrap();
    let parsed = ParsedCertificate::parse(identity.certificate_der()).unwrap();
    assert_eq!(parsed.quote, None);
    assert_eq!(parsed.not_after - parsed.not_before, 86_400);
    let certificate = Certificate::from_der(identity.certificate_der()).unwrap();
    assert_eq!(certificate.tbs_certificate().extensions().unwrap().len(), 5);
}

/// Wraps content into a SEQUENCE with a two-byte length.
fn sequence(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x30, 0x82];
    out.extend((content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

/// Signs an edited body anew; `edit` gets the content of the to-be-signed part.
fn resigned(identity: &Identity, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let der = identity.certificate_der();
    // SEQUENCE { SEQUENCE { body }, ... }, both with two-byte lengths.
    let length = usize::from(u16::from_be_bytes([der[6], der[7]]));
    let mut body = der[8..8 + length].to_vec();
    edit(&mut body);
    let signed = sequence(&body);
    let mut content = signed.clone();
    content.extend([0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00]);
    content.extend(identity.sign(&signed));
    sequence(&content)
}

fn replace(body: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = body.windows(from.len()).position(|window| window == from).unwrap();
    body[at..at + to.len()].copy_from_slice(to);
}

#[test]
fn version_1_with_extensions_is_accepted() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let old = resigned(&identity, |body| {
        assert_eq!(body[..5], [0xa0, 3, 2, 1, 2]);
        body.drain(..5);
    });
    assert_eq!(
        Certificate::from_der(&old).unwrap().tbs_certificate().version(),
        Version::V1
    );
    let peer = verify_certificate(&old, &world.trust, &world.only("worker"), NOW).unwrap();
    assert_eq!(peer.leaf_key, identity.leaf_key());
}

#[test]
fn version_2_is_refused() {
    let world = World::new();
    let odd = resigned(&identity(&world, "worker"), |body| body[4] = 1);
    let error = verify_certificate(&odd, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert!(matches!(
        problem(error),
        CertificateProblem::Version | CertificateProblem::Malformed { .. }
    ));
}

#[test]
fn unknown_critical_and_repeated_extensions_are_refused() {
    let world = World::new();
    let identity = identity(&world, "worker");
    // subjectKeyIdentifier's neighbour 2.5.29.30, name constraints, in place of key usage.
    let unknown = resigned(&identity, |body| {
        replace(body, &[0x55, 0x1d, 0x0f], &[0x55, 0x1d, 0x1e])
    });
    let error = verify_certificate(&unknown, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert_eq!(
        problem(error),
        CertificateProblem::UnknownCritical {
            oid: "2.5.29.30".to_owned()
        }
    );

    let repeated = resigned(&identity, |body| {
        replace(body, &[0x55, 0x1d, 0x0e], &[0x55, 0x1d, 0x11])
    });
    let error = verify_certificate(&repeated, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert_eq!(
        problem(error),
        CertificateProblem::Duplicate {
            oid: "2.5.29.17".to_owned()
        }
    );
}

#[test]
fn an_authority_is_no_peer() {
    let world = World::new();
    // keyUsage: keyCertSign instead of digitalSignature.
    let signer = resigned(&identity(&world, "worker"), |body| {
        replace(body, &[0x03, 0x02, 0x07, 0x80], &[0x03, 0x02, 0x02, 0x04]);
    });
    let error = verify_certificate(&signer, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert_eq!(problem(error), CertificateProblem::Usage { extension: "keyUsage" });
}

#[test]
fn claims_that_name_another_key_are_refused() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let lying = resigned(&identity, |body| {
        // The second occurrence of the key's bytes is that of the claims extension.
        let key = identity.leaf_key();
        let at = body.windows(32).rposition(|window| window == key.as_bytes()).unwrap();
        body[at] ^= 1;
    });
    let error = verify_certificate(&lying, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert_eq!(problem(error), CertificateProblem::ClaimsMismatch);
}

#[test]
fn a_certificate_of_another_key_type_is_refused() {
    let world = World::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let plain = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    for policy in [PeerPolicy::Any, world.only("worker")] {
        let error = verify_certificate(plain.der(), &world.trust, &policy, NOW).unwrap_err();
        assert!(matches!(problem(error), CertificateProblem::NotEd25519 { .. }));
    }
}

#[test]
fn a_plain_ed25519_certificate_lacks_the_quote() {
    let world = World::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let begin = rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(NOW);
    params.not_before = begin;
    params.not_after = begin + std::time::Duration::from_secs(3_600);
    let plain = params.self_signed(&key).unwrap();
    let error = verify_certificate(plain.der(), &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert!(matches!(error, RatlsError::MissingQuote));
}

#[test]
fn dates_are_kept() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let at = |now| verify_certificate(identity.certificate_der(), &world.trust, &world.only("worker"), now);
    assert!(at(NOW - 60).is_ok());
    assert!(matches!(
        problem(at(NOW - 61).unwrap_err()),
        CertificateProblem::NotYetValid { .. }
    ));
    assert!(at(NOW + 86_400).is_ok());
    assert!(matches!(
        problem(at(NOW + 86_401).unwrap_err()),
        CertificateProblem::Expired { .. }
    ));
}

#[test]
fn no_flipped_bit_is_accepted() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let der = identity.certificate_der().to_vec();
    for at in (0..der.len()).step_by(11) {
        let mut flipped = der.clone();
        flipped[at] ^= 1;
        let verdict = verify_certificate(&flipped, &world.trust, &world.only("worker"), NOW);
        assert!(verdict.is_err(), "byte {at}");
    }
}

#[test]
fn a_flipped_bit_in_the_quote_is_refused_even_when_the_certificate_is_signed_anew() {
    let world = World::new();
    let identity = identity(&world, "worker");
    let edited = resigned(&identity, |body| {
        // One bit of the signature over the quote's body: after header (48), body (584) and length (4).
        let quote = world_quote_offset(body);
        body[quote + 640] ^= 1;
    });
    let error = verify_certificate(&edited, &world.trust, &world.only("worker"), NOW).unwrap_err();
    assert!(
        matches!(error, RatlsError::Attest(AttestError::Refused { .. })),
        "{error}"
    );
}

/// Where the quote begins in the body: version 4, ECDSA key type, TEE type 0x81.
fn world_quote_offset(body: &[u8]) -> usize {
    body.windows(8)
        .position(|window| window == [4, 0, 2, 0, 0x81, 0, 0, 0])
        .unwrap()
}

#[test]
fn identities_renew_at_two_thirds_of_their_life() {
    let world = World::new();
    let keeper = IdentityKeeper::new(world.source("worker"), world.shared_clock()).unwrap();
    let first = keeper.current().unwrap();
    world.clock.advance(57_599);
    assert_eq!(keeper.current().unwrap().leaf_key(), first.leaf_key());
    world.clock.advance(1);
    let second = keeper.current().unwrap();
    assert_ne!(second.leaf_key(), first.leaf_key());
    assert_eq!(second.expires_at(), NOW + 57_600 + 86_400);
    assert!(!format!("{keeper:?}").contains("key_pair"));
}

/// Works once.
struct Failing(std::sync::atomic::AtomicBool);

impl cocoon_ratls::EvidenceSource for Failing {
    fn evidence(&self, _: &[u8; 64]) -> Result<Option<Vec<u8>>, RatlsError> {
        if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Err(RatlsError::Source {
                reason: "quote service is away".to_owned(),
            });
        }
        Ok(None)
    }
}

#[test]
fn a_failed_renewal_matters_only_when_the_old_certificate_ends() {
    let world = World::new();
    let keeper = IdentityKeeper::new(Arc::new(Failing(false.into())), world.shared_clock()).unwrap();
    let first = keeper.peek().leaf_key();
    world.clock.advance(60_000);
    assert_eq!(keeper.current().unwrap().leaf_key(), first);
    world.clock.advance(30_000);
    assert!(matches!(keeper.current(), Err(RatlsError::Source { .. })));
}

#[test]
fn garbage_is_refused_without_panic() {
    let world = World::new();
    for der in [&[][..], &[0x30], &[0x30, 0x80], &[0xff; 100], &[0; 40_000]] {
        assert!(verify_certificate(der, &world.trust, &PeerPolicy::Any, NOW).is_err());
    }
    let der = identity(&world, "worker").certificate_der().to_vec();
    for length in (0..der.len()).step_by(13) {
        assert!(verify_certificate(&der[..length], &world.trust, &PeerPolicy::Any, NOW).is_err());
    }
}
