//! Certificates and what is in them.

use std::path::PathBuf;

use cocoon_attest::{AttestError, Endorsements, Evidence, Policy, TrustRoots, simulated::SimulatedPlatform};
use cocoon_ratls::{EvidenceSource, Identity, NoEvidence, PeerPolicy, RatlsError, TrustSettings, TrustStore};
use cocoon_verifier::PolicyDocument;
use serde_json::{Value, json};

use crate::world::{NOW, World, base64};
use crate::{Kind, ask, outcome, unproven};

#[test]
fn a_simulated_worker_is_simulated_and_nothing_more() {
    let world = World::new();
    let mut question = world.evidence_question(world.worker.certificate_der());
    question["sha256"] = json!(hex::encode(world.worker.evidence_hash()));
    question["role"] = json!("worker");
    let answer = ask("evidence-simulated", Kind::Evidence, &question);
    assert!(unproven(&answer).is_empty(), "{answer}");
    assert_eq!(answer["verdict"], "simulated");
    assert_eq!(answer["claims"]["simulated"], true);
    assert_eq!(answer["leaf_key"], world.worker.leaf_key().to_string());
    question["role"] = json!("proxy");
    let answer = ask("evidence-wrong-role", Kind::Evidence, &question);
    assert_eq!(
        (outcome(&answer, "image"), &answer["verdict"]),
        ("refuted", &json!("refuted"))
    );
}

#[test]
fn without_its_root_collateral_or_lists_nobody_vouches() {
    let world = World::new();
    let whole = world.evidence_question(world.worker.certificate_der());
    for (member, check, expected) in [
        ("simulated_roots", "platform", "refuted"),
        ("collateral", "platform", "unknown"),
        ("images", "image", "unknown"),
    ] {
        let mut question = whole.clone();
        question.as_object_mut().unwrap().remove(member);
        let answer = ask(&format!("evidence-without-{member}"), Kind::Evidence, &question);
        assert_eq!(outcome(&answer, check), expected, "{member}");
        assert_eq!(answer["verdict"], expected, "{member}");
    }
    let answer = ask(
        "evidence-without-quote",
        Kind::Evidence,
        &world.evidence_question(Identity::issue(&NoEvidence, NOW).unwrap().certificate_der()),
    );
    assert_eq!(
        (outcome(&answer, "key_in_quote"), &answer["verdict"]),
        ("unknown", &json!("unknown"))
    );
}

#[test]
fn time_and_policy_are_arguments() {
    let world = World::new();
    let whole = world.evidence_question(world.worker.certificate_der());
    for (name, now) in [("early", NOW - 3600), ("late", NOW + 2 * 86_400)] {
        let mut question = whole.clone();
        question["now"] = json!(now);
        let answer = ask(&format!("evidence-{name}"), Kind::Evidence, &question);
        assert_eq!(
            (outcome(&answer, "validity"), &answer["verdict"]),
            ("refuted", &json!("refuted"))
        );
    }
    let mut policy = json!(PolicyDocument::from(&Policy::strict()));
    policy["required"] = json!(["hardware"]);
    let mut question = whole;
    question["policy"] = policy;
    let answer = ask("evidence-policy", Kind::Evidence, &question);
    assert_eq!(
        (outcome(&answer, "policy"), &answer["verdict"]),
        ("refuted", &json!("refuted"))
    );
    assert_eq!(answer["claims"]["objections"][0], "hardware is required and refuted");
}

#[test]
fn policies_survive_their_documents() {
    let text = r#"
        require = ["smt_off"]
        images = ["04b3afd931d28680af91a15b09d672c40ad6b141f7f9089a8d67d595220f7436"]
        [tcb]
        accept = ["UpToDate"]
        grace = { OutOfDate = "2027-01-31" }
        min_evaluation = 17
        [advisories]
        refuse = ["INTEL-SA-00002"]
        others = "refuse"
    "#;
    for policy in [Policy::strict(), Policy::from_toml(text).unwrap()] {
        let document = serde_json::to_string(&PolicyDocument::from(&policy)).unwrap();
        let document: PolicyDocument = serde_json::from_str(&document).unwrap();
        assert_eq!(Policy::try_from(document), Ok(policy));
    }
}

/// A quote that was recorded elsewhere: it is for another key.
struct Recorded(Vec<u8>);

impl EvidenceSource for Recorded {
    fn evidence(&self, _: &[u8; 64]) -> Result<Option<Vec<u8>>, RatlsError> {
        Ok(Some(self.0.clone()))
    }
}

fn recorded(name: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, recorded quotes are not judged");
        return None;
    };
    Some(std::fs::read(PathBuf::from(root).join("tdx").join(name)).unwrap())
}

/// Recordings with the collateral and the time at which they are judged.
const RECORDINGS: [(&str, &str, u64); 4] = [
    ("tdx_v4_quote.bin", "tdx_v4_collateral.json", 1_750_377_600),
    ("tdx_v5b4_quote.bin", "tdx_v5b4_collateral.json", 1_791_590_400),
    (
        "tdx_v5b3_outdated_quote.bin",
        "tdx_v5b3_outdated_collateral.json",
        1_771_459_200,
    ),
    (
        "cocoon_v4_quote.bin",
        "tdx_v5b3_outdated_collateral.json",
        1_771_459_200,
    ),
];

#[test]
fn real_quotes_are_judged_as_the_network_judges_them_and_no_flipped_bit_helps() {
    for (name, collateral, now) in RECORDINGS {
        let (Some(quote), Some(collateral)) = (recorded(name), recorded(collateral)) else {
            return;
        };
        let collateral = String::from_utf8(collateral).unwrap();
        let question = |quote: &[u8]| {
            let identity = Identity::issue(&Recorded(quote.to_vec()), now).unwrap();
            json!({ "now": now, "certificate": base64(identity.certificate_der()), "collateral": [&collateral] })
        };
        let answer = ask(&format!("real-{name}"), Kind::Evidence, &question(&quote));
        assert_eq!(outcome(&answer, "key_in_quote"), "refuted", "it is another machine's");
        let endorsements = Endorsements::none().with_json(&collateral).unwrap();
        let roots = TrustRoots::intel().unwrap();
        let judge = |quote: &[u8]| -> Result<(), AttestError> {
            let evidence = Evidence::parse(quote)?;
            cocoon_attest::verify(&evidence, &endorsements, &roots, &Policy::strict(), now).map(drop)
        };
        let expected = if judge(&quote).is_ok() { "proven" } else { "refuted" };
        assert_eq!(outcome(&answer, "platform"), expected, "{name}: {answer}");
        // Over all that is signed, and some of what is not.
        for at in (0..quote.len()).step_by(97) {
            let mut flipped = quote.clone();
            flipped[at] ^= 4;
            let answer = ask(&format!("real-{name}-{at}"), Kind::Evidence, &question(&flipped));
            let is_proven = judge(&flipped).is_ok();
            assert_eq!(
                outcome(&answer, "platform") == "proven",
                is_proven,
                "{name} at {at}: {answer}"
            );
        }
    }
}

#[test]
fn the_verdict_is_that_of_a_handshake() {
    let world = World::new();
    let (certificate, stranger) = (world.worker.certificate_der(), SimulatedPlatform::generate().unwrap());
    let settings = TrustSettings::real(Endorsements::none()).unwrap();
    let settings = settings.with_simulated(&world.platform, NOW).unwrap();
    let (trust, any) = (TrustStore::new(settings), PeerPolicy::attested(|_| true));
    let mut cases: Vec<(String, Vec<u8>)> = (0..certificate.len())
        .step_by(41)
        .map(|at| {
            let mut flipped = certificate.to_vec();
            flipped[at] ^= 1;
            (format!("flip-{at}"), flipped)
        })
        .collect();
    cases.push(("whole".to_owned(), certificate.to_vec()));
    let source = cocoon_ratls::Simulated::for_role(stranger, "worker");
    let foreign = Identity::issue(&source, NOW).unwrap();
    cases.push(("stranger".to_owned(), foreign.certificate_der().to_vec()));
    for (name, der) in cases {
        let accepted = cocoon_ratls::verify_certificate(&der, &trust, &any, NOW).is_ok();
        let question: Value = world.evidence_question(&der);
        let answer = ask(&format!("handshake-{name}"), Kind::Evidence, &question);
        assert_eq!(answer["verdict"] == "simulated", accepted, "{name}: {answer}");
    }
}
