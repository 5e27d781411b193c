//! Collateral comes in parts that are signed one by one: the newest of each counts, and each must be signed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::{path::PathBuf, sync::LazyLock};

use cocoon_attest::{
    AttestError, Claims, Endorsements, Evidence, Policy, TcbStatus, TrustRoots, Who,
    limits::COLLATERAL_MARGIN_SECONDS,
    simulated::{CollateralTerms, SimulatedPlatform, simulated_measurements},
    verify,
};
use proptest::prelude::*;
use serde_json::Value;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
const TCB_INFO: &[&str] = &["tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"];
const QE_IDENTITY: &[&str] = &["qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"];
const PCK_LIST: &[&str] = &["pck_crl", "pck_crl_issuer_chain"];
const ROOT_LIST: &[&str] = &["root_ca_crl"];
const PARTS: [&[&str]; 4] = [TCB_INFO, QE_IDENTITY, PCK_LIST, ROOT_LIST];

static PLATFORM: LazyLock<SimulatedPlatform> = LazyLock::new(|| SimulatedPlatform::generate().unwrap());

fn roots() -> TrustRoots {
    let roots = TrustRoots::intel().unwrap();
    roots.with_simulated(PLATFORM.root_der()).unwrap()
}

/// A judgement for 30 days.
fn issued(day: u64) -> CollateralTerms {
    CollateralTerms {
        issued_at: NOW - 20 * DAY + day * DAY,
        expires_at: NOW + 10 * DAY + day * DAY,
        ..CollateralTerms::good(NOW)
    }
}

fn json(terms: &CollateralTerms) -> Value {
    serde_json::from_str(&PLATFORM.collateral_json(terms).unwrap()).unwrap()
}

/// A document with these parts of another one.
fn with(mut document: Value, parts: &[&[&str]], other: &Value) -> Value {
    for key in parts.iter().copied().flatten() {
        document[key] = other[key].clone();
    }
    document
}

fn endorsements(document: &Value) -> Endorsements {
    Endorsements::none().with_json(&document.to_string()).unwrap()
}

fn judge(endorsements: &Endorsements, now: u64) -> Result<Claims, AttestError> {
    let quote = PLATFORM.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
    let evidence = Evidence::parse(&quote).unwrap();
    verify(&evidence, endorsements, &roots(), &Policy::strict(), now)
}

/// Both orders: a file beside a service, and a service's answer beside what is held.
fn judge_both(held: &Value, answer: &Value, now: u64) -> [Result<Claims, AttestError>; 2] {
    let (held, answer) = (endorsements(held), endorsements(answer));
    let news = held.clone().renewed(&answer, now).unwrap();
    assert_eq!(news.texts().count(), 1);
    [news, answer.renewed(&held, now).unwrap()].map(|known| judge(&known, now))
}

#[test]
fn a_newer_part_does_not_carry_older_ones_in_the_place_of_newer_ones() {
    let outdated = CollateralTerms {
        status: TcbStatus::OutOfDate,
        ..issued(10)
    };
    let revoked = CollateralTerms {
        revoked: true,
        ..issued(10)
    };
    // What a service has that lies, or that fetches the parts at different times: one part of today, the rest of old.
    for parts in [QE_IDENTITY, ROOT_LIST] {
        let answer = with(json(&issued(0)), &[parts], &json(&issued(12)));
        judge(&endorsements(&answer), NOW).unwrap();
        for verdict in judge_both(&json(&outdated), &answer, NOW) {
            let status = TcbStatus::OutOfDate;
            assert_eq!(verdict, Err(AttestError::TcbStatus { status }), "{parts:?}");
        }
        for verdict in judge_both(&json(&revoked), &answer, NOW) {
            assert!(
                matches!(verdict, Err(AttestError::Refused { .. })),
                "{parts:?}: {verdict:?}"
            );
        }
    }
}

#[test]
fn an_older_judgement_with_a_fresh_date_does_not_replace_a_later_one() {
    let later = CollateralTerms {
        status: TcbStatus::OutOfDate,
        evaluation: 18,
        ..issued(5)
    };
    let fresh = CollateralTerms {
        evaluation: 17,
        ..issued(12)
    };
    for verdict in judge_both(&json(&later), &json(&fresh), NOW) {
        let status = TcbStatus::OutOfDate;
        assert_eq!(verdict, Err(AttestError::TcbStatus { status }));
    }
    // When it is about to end, what holds longer counts.
    let end = later.expires_at - COLLATERAL_MARGIN_SECONDS;
    for verdict in judge_both(&json(&later), &json(&fresh), end) {
        assert_eq!(verdict.unwrap().tcb_evaluation, 17);
    }
    assert!(judge_both(&json(&later), &json(&fresh), end - 1)[0].is_err());
}

#[test]
fn a_document_of_a_future_day_is_no_news_yet() {
    let future = with(json(&issued(15)), &[TCB_INFO, PCK_LIST], &json(&issued(30)));
    for verdict in judge_both(&json(&issued(12)), &future, NOW) {
        verdict.unwrap();
    }
}

#[test]
fn an_ended_revocation_list_is_missing_collateral_and_no_fault_of_the_peer() {
    for parts in [PCK_LIST, ROOT_LIST] {
        let short = CollateralTerms {
            expires_at: NOW + DAY,
            ..issued(5)
        };
        let document = endorsements(&with(json(&issued(5)), &[parts], &json(&short)));
        assert_eq!(judge(&document, NOW + DAY - 1).unwrap().expires_at, NOW + DAY);
        // A list ends before its last second.
        for now in [NOW + DAY, NOW + 2 * DAY] {
            let refusal = judge(&document, now).unwrap_err();
            assert!(
                matches!(refusal, AttestError::CollateralWindow { not_after, .. } if not_after == NOW + DAY),
                "{parts:?}: {refusal}"
            );
            assert!(refusal.who() == Who::Local && refusal.retry());
        }
    }
}

#[test]
fn a_document_whose_parts_are_all_signed_is_genuine() {
    let document = with(json(&issued(0)), &[QE_IDENTITY, PCK_LIST], &json(&issued(9)));
    endorsements(&document).check_signatures(&roots()).unwrap();
    let revoked = CollateralTerms {
        revoked: true,
        ..issued(0)
    };
    endorsements(&json(&revoked)).check_signatures(&roots()).unwrap();
}

fn is_forged(document: &Value, roots: &TrustRoots, part: &str) {
    let refusal = endorsements(document).check_signatures(roots);
    assert!(
        matches!(&refusal, Err(AttestError::Collateral { reason }) if reason.starts_with(part)),
        "{part}: {refusal:?}"
    );
}

#[test]
fn a_part_that_says_more_than_was_signed_is_refused() {
    let good = json(&issued(5));
    for (part, key) in [("TCB info", "tcb_info"), ("QE identity", "qe_identity")] {
        let mut forged = good.clone();
        let text = forged[key].as_str().unwrap().to_owned();
        let year = text.split("\"nextUpdate\":\"").nth(1).unwrap()[..4].to_owned();
        forged[key] = text
            .replace(&format!("\"nextUpdate\":\"{year}"), "\"nextUpdate\":\"2099")
            .into();
        assert_ne!(forged, good);
        is_forged(&forged, &roots(), part);
    }
    for (part, key) in [
        ("revocation list", "pck_crl"),
        ("root's revocation list", "root_ca_crl"),
    ] {
        let mut forged = good.clone();
        // The last bit of the signature, and one list in the place of the other.
        let mut list = hex::decode(forged[key].as_str().unwrap()).unwrap();
        *list.last_mut().unwrap() ^= 1;
        forged[key] = hex::encode(list).into();
        is_forged(&forged, &roots(), part);
        let other = if key == "pck_crl" { "root_ca_crl" } else { "pck_crl" };
        forged[key] = good[other].clone();
        is_forged(&forged, &roots(), part);
    }
}

#[test]
fn a_part_of_a_root_that_nobody_trusts_is_refused() {
    let good = json(&issued(5));
    is_forged(&good, &TrustRoots::intel().unwrap(), "TCB info");
    let stranger = SimulatedPlatform::generate().unwrap();
    let theirs = serde_json::from_str(&stranger.collateral_json(&issued(6)).unwrap()).unwrap();
    let names = ["TCB info", "QE identity", "revocation list", "root's revocation list"];
    for (part, name) in PARTS.into_iter().zip(names) {
        is_forged(&with(good.clone(), &[part], &theirs), &roots(), name);
    }
    // Their signature under our root's name: the chain ends in our root, which did not sign the first certificate.
    let mut forged = with(good.clone(), &[TCB_INFO], &theirs);
    let leaf = |document: &Value| {
        let chain = document["tcb_info_issuer_chain"].as_str().unwrap().to_owned();
        let end = chain.find("-----END CERTIFICATE-----\n").unwrap() + 26;
        (chain[..end].to_owned(), chain[end..].to_owned())
    };
    forged["tcb_info_issuer_chain"] = (leaf(&theirs).0 + &leaf(&good).1).into();
    is_forged(&forged, &roots(), "TCB info");
}

#[test]
fn documents_about_enclaves_are_none_about_guests() {
    let mut document = json(&issued(5));
    let text = document["tcb_info"].as_str().unwrap().to_owned();
    document["tcb_info"] = text.replace("\"id\":\"TDX\"", "\"id\":\"SGX\"").into();
    let refusal = Endorsements::none().with_json(&document.to_string());
    assert!(
        matches!(&refusal, Err(AttestError::Collateral { reason }) if reason.contains("SGX")),
        "{refusal:?}"
    );
}

#[test]
fn recorded_collateral_is_genuine_and_reads_as_it_is_written() {
    let Some(root) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, no recorded collateral is checked");
        return;
    };
    for name in ["tdx_v4", "tdx_v5b3_outdated", "tdx_v5b4"] {
        let path = PathBuf::from(&root).join("tdx").join(format!("{name}_collateral.json"));
        let recorded = Endorsements::none()
            .with_json(&std::fs::read_to_string(path).unwrap())
            .unwrap();
        recorded.check_signatures(&TrustRoots::intel().unwrap()).unwrap();
        let text = recorded.texts().next().unwrap().to_owned();
        let again = Endorsements::none().with_json(&text).unwrap();
        assert!(again.texts().eq([text.as_str()]), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However parts of different days are mixed, and in which order they are seen: what is known is the newest of each.
    #[test]
    fn what_is_known_is_the_newest_of_each_part(days in prop::collection::vec(prop::array::uniform4(0_u64..20), 1..5)) {
        let mix = |days: &[u64; 4]| {
            let mut document = json(&issued(days[0]));
            for (part, day) in PARTS.iter().zip(days) {
                document = with(document, &[*part], &json(&issued(*day)));
            }
            endorsements(&document)
        };
        let mut known = Endorsements::none();
        for seen in &days {
            known = known.renewed(&mix(seen), NOW).unwrap();
        }
        let newest: [u64; 4] = core::array::from_fn(|part| days.iter().map(|seen| seen[part]).max().unwrap());
        known.check_signatures(&roots()).unwrap();
        let family = "510dc0c00000".parse().unwrap();
        prop_assert_eq!(known.window(&family), mix(&newest).window(&family));
        // The texts of what is signed with fixed content; signatures are random.
        let part = |known: &Endorsements, key: &str| {
            let document: Value = serde_json::from_str(known.texts().next().unwrap()).unwrap();
            document[key].clone()
        };
        for key in ["tcb_info", "qe_identity"] {
            prop_assert_eq!(part(&known, key), part(&mix(&newest), key));
        }
    }
}
