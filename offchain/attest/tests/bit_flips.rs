//! No bit of what is signed can be changed: every single one is tried, on a simulated quote and on a recorded one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::path::PathBuf;

use cocoon_attest::{
    AttestError, Endorsements, Evidence, Policy, TdxBody, TrustRoots, Verifier,
    simulated::{SimulatedGuest, SimulatedPlatform, simulated_measurements},
    verify,
};
use x509_cert::{
    Certificate,
    der::{
        Encode,
        pem::{LineEnding, encode_string},
    },
};

const NOW: u64 = 1_790_000_000;
/// 2026-02-19, inside the window of the recorded collateral.
const FEBRUARY_2026: u64 = 1_771_459_200;

struct Case {
    quote: Vec<u8>,
    roots: TrustRoots,
    endorsements: Endorsements,
    now: u64,
    /// Bytes of header and body.
    signed: usize,
}

impl Case {
    fn simulated(body: Option<TdxBody>) -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        let plain = SimulatedGuest::new(simulated_measurements("worker"));
        let guest = body.map_or(plain, |body| plain.with_version_5(body));
        Self {
            quote: platform.issue_for(&guest, &[7; 64]).unwrap(),
            roots: TrustRoots::intel()
                .unwrap()
                .with_simulated(platform.root_der())
                .unwrap(),
            endorsements: platform.endorsements(NOW).unwrap(),
            now: NOW,
            signed: if body == Some(TdxBody::Tdx15) { 54 + 648 } else { 632 },
        }
    }

    fn recorded() -> Option<Self> {
        let Some(root) = std::env::var_os("COCOON_TEST_DATA") else {
            eprintln!("SKIPPED: COCOON_TEST_DATA is not set, no recorded quote is checked");
            return None;
        };
        let read = |name: &str| std::fs::read(PathBuf::from(&root).join("tdx").join(name)).unwrap();
        let collateral = String::from_utf8(read("tdx_v5b3_outdated_collateral.json")).unwrap();
        // Without the zero padding, which is not signed.
        let quote = Evidence::parse(&read("cocoon_v4_quote.bin")).unwrap().bytes().to_vec();
        Some(Self {
            quote,
            roots: TrustRoots::intel().unwrap(),
            endorsements: Endorsements::none().with_json(&collateral).unwrap(),
            now: FEBRUARY_2026,
            signed: 632,
        })
    }

    fn verifier(&self) -> Verifier {
        let verifier = Verifier::new(self.roots.clone(), self.endorsements.clone(), Policy::strict());
        verifier
            .verify(&Evidence::parse(&self.quote).unwrap(), self.now)
            .unwrap();
        assert_eq!(verifier.prepared_platforms(), 1);
        verifier
    }

    /// Everything before the certificates but the two lengths and kinds of records: header, body, both signatures, the
    /// attestation key, the quoting enclave's report and what it binds.
    fn signed_bytes(&self) -> impl Iterator<Item = usize> + use<> {
        let signature = self.signed + 4;
        let report = signature + 128 + 6;
        (0..self.signed)
            .chain(signature..signature + 128)
            .chain(report..report + 448)
            .chain(report + 450..report + 482)
    }

    fn every_signed_bit_is_refused(&self) {
        let verifier = self.verifier();
        let mut quote = self.quote.clone();
        let mut tried = 0;
        for at in self.signed_bytes() {
            for bit in 0..8 {
                quote[at] ^= 1 << bit;
                let evidence = Evidence::parse(&quote);
                let fast = evidence
                    .clone()
                    .and_then(|evidence| verifier.verify(&evidence, self.now));
                assert!(fast.is_err(), "byte {at}, bit {bit}");
                // The thorough way on a sample: it takes six times as long.
                if tried % 41 == 0 {
                    let thorough = evidence.and_then(|evidence| {
                        verify(&evidence, &self.endorsements, &self.roots, &Policy::strict(), self.now)
                    });
                    assert!(thorough.is_err(), "byte {at}, bit {bit}");
                }
                quote[at] ^= 1 << bit;
                tried += 1;
            }
        }
        assert_eq!(tried, (self.signed + 608) * 8);
        assert!(
            verifier.verify(&Evidence::parse(&quote).unwrap(), self.now).is_ok(),
            "all bits are back"
        );
    }

    /// The platform's certificate and its authority's, bit by bit in their DER. The third is the root, which is known.
    fn every_certificate_bit_is_refused(&self) {
        let verifier = self.verifier();
        let chain_at = self.signed + 4 + 128 + 6 + 448 + 34 + 6;
        let text = self.quote[chain_at..]
            .strip_suffix(&[0])
            .unwrap_or(&self.quote[chain_at..]);
        let chain = Certificate::load_pem_chain(text).unwrap();
        let chain: Vec<_> = chain.iter().map(|certificate| certificate.to_der().unwrap()).collect();
        for index in 0..2 {
            for at in 0..chain[index].len() {
                for bit in 0..8 {
                    let mut changed = chain.clone();
                    changed[index][at] ^= 1 << bit;
                    let quote = self.with_chain(chain_at, &changed);
                    let verdict = verifier.verify(&Evidence::parse(&quote).unwrap(), self.now);
                    assert!(verdict.is_err(), "certificate {index}, byte {at}, bit {bit}");
                }
            }
        }
        assert_eq!(
            verifier.prepared_platforms(),
            1,
            "nothing was learnt from refused quotes"
        );
    }

    /// The quote with another chain; a changed certificate has the length of the old one.
    fn with_chain(&self, at: usize, chain: &[Vec<u8>]) -> Vec<u8> {
        let mut text = String::new();
        for der in chain {
            text += &encode_string("CERTIFICATE", LineEnding::LF, der).unwrap();
        }
        let mut quote = self.quote.clone();
        quote[at..at + text.len()].copy_from_slice(text.as_bytes());
        quote
    }
}

#[test]
fn every_bit_of_a_simulated_quote_is_protected() {
    for body in [None, Some(TdxBody::Tdx15)] {
        Case::simulated(body).every_signed_bit_is_refused();
    }
}

#[test]
fn every_bit_of_a_recorded_quote_is_protected() {
    if let Some(case) = Case::recorded() {
        case.every_signed_bit_is_refused();
    }
}

#[test]
fn every_bit_of_a_platforms_certificates_is_protected() {
    Case::simulated(None).every_certificate_bit_is_refused();
    if let Some(case) = Case::recorded() {
        case.every_certificate_bit_is_refused();
    }
}

/// The lengths and kinds between the signed parts are not signed: a changed one is refused, or changes nothing.
#[test]
fn every_bit_between_the_signed_parts_is_refused_or_says_the_same() {
    let case = Case::simulated(None);
    let verifier = case.verifier();
    let expected = verifier
        .verify(&Evidence::parse(&case.quote).unwrap(), case.now)
        .unwrap();
    let signed: std::collections::BTreeSet<_> = case.signed_bytes().collect();
    for at in (0..case.signed + 4 + 128 + 6 + 448 + 34 + 6).filter(|at| !signed.contains(at)) {
        for bit in 0..8 {
            let mut quote = case.quote.clone();
            quote[at] ^= 1 << bit;
            match Evidence::parse(&quote).and_then(|evidence| verifier.verify(&evidence, case.now)) {
                Ok(claims) => assert_eq!(claims, expected, "byte {at}, bit {bit}"),
                Err(AttestError::Refused { .. } | AttestError::QuoteTruncated { .. } | AttestError::QuoteTail) => {}
                // A shorter chain may end at its second certificate, or at its first: another end than the root. Whether it
                // does depends on the lengths of the certificates' signatures, which differ with every platform.
                Err(AttestError::UntrustedRoot { .. }) => {}
                Err(other) => panic!("byte {at}, bit {bit}: {other}"),
            }
        }
    }
}
