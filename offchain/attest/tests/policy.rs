//! Policies over claims: graces that end, advisories, required claims, pinned images; and the table of claims.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use cocoon_attest::{
    AttestError, Claim, ClaimName, Claims, Document, Endorsements, Evidence, Examination, Fact, Policy, Ruling,
    TcbStatus, TdxBody, TrustRoots, Verifier, examine,
    simulated::{CollateralTerms, SimulatedGuest, SimulatedPlatform, simulated_measurements},
    verify,
};

/// 2026-09-21 14:13:20 UTC.
const NOW: u64 = 1_790_000_000;
/// 2026-10-01 00:00 UTC.
const OCTOBER: u64 = 1_790_812_800;

/// The verdict of all three ways, and what is shown of it.
fn examined(terms: &CollateralTerms, policy: &str, now: u64) -> (Result<Claims, AttestError>, Option<Examination>) {
    let platform = SimulatedPlatform::generate().unwrap();
    let endorsements = Endorsements::none()
        .with_json(&platform.collateral_json(terms).unwrap())
        .unwrap();
    let roots = TrustRoots::intel()
        .unwrap()
        .with_simulated(platform.root_der())
        .unwrap();
    let guest = SimulatedGuest::new(simulated_measurements("worker")).with_version_5(TdxBody::Tdx15);
    let evidence = Evidence::parse(&platform.issue_for(&guest, &[7; 64]).unwrap()).unwrap();
    let policy = Policy::from_toml(policy).unwrap();
    let thorough = verify(&evidence, &endorsements, &roots, &policy, now);
    let shown = examine(&evidence, &endorsements, &roots, &policy, now);
    let verdict = match &shown {
        Err(error) => Err(error.clone()),
        Ok(shown) => match shown.objections.first() {
            Some(objection) => Err(objection.clone()),
            None => Ok(shown.claims.clone()),
        },
    };
    assert_eq!(verdict, thorough, "an examination comes to the same verdict");
    assert_eq!(
        Verifier::new(roots, endorsements, policy).verify(&evidence, now),
        thorough
    );
    (thorough, shown.ok())
}

fn judged(terms: &CollateralTerms, policy: &str, now: u64) -> Result<Claims, AttestError> {
    examined(terms, policy, now).0
}

fn behind() -> CollateralTerms {
    CollateralTerms {
        status: TcbStatus::OutOfDate,
        advisories: vec!["INTEL-SA-00001".to_owned(), "INTEL-SA-00002".to_owned()],
        ..CollateralTerms::good(NOW)
    }
}

#[test]
fn a_status_is_accepted_until_its_grace_ends_and_the_verdict_with_it() {
    let policy = "[tcb]\ngrace = { OutOfDate = \"2026-10-01\" }";
    assert_eq!(judged(&behind(), policy, NOW).unwrap().expires_at, OCTOBER);
    assert!(judged(&behind(), policy, OCTOBER - 1).is_ok());
    let refusal = judged(&behind(), policy, OCTOBER).unwrap_err();
    assert_eq!(
        refusal,
        AttestError::GraceEnded {
            what: "OutOfDate".to_owned(),
            at: OCTOBER
        }
    );
    let current = CollateralTerms::good(NOW);
    assert_eq!(
        judged(&current, policy, NOW).unwrap().expires_at,
        current.expires_at,
        "no grace was needed"
    );
    assert!(judged(&current, policy, OCTOBER).is_ok());
    let status = TcbStatus::OutOfDate;
    assert_eq!(judged(&behind(), "", NOW), Err(AttestError::TcbStatus { status }));
}

#[test]
fn advisories_are_judged_by_name_and_the_others_together() {
    let with = |advisories: &str| {
        let policy = format!("[tcb]\naccept = [\"OutOfDate\"]\n[advisories]\n{advisories}");
        judged(&behind(), &policy, NOW)
    };
    let refused = |id: &str| {
        Err(AttestError::Advisory {
            advisory: id.to_owned(),
        })
    };
    assert!(with("").is_ok());
    assert_eq!(with("refuse = [\"INTEL-SA-00002\"]"), refused("INTEL-SA-00002"));
    assert_eq!(with("others = \"refuse\""), refused("INTEL-SA-00001"));
    let named = "others = \"refuse\"\naccept = [\"INTEL-SA-00001\"]\ngrace = { INTEL-SA-00002 = \"DATE\" }";
    assert_eq!(with(&named.replace("DATE", "2026-10-01")).unwrap().expires_at, OCTOBER);
    let ended = with(&named.replace("DATE", "2026-09-01")).unwrap_err();
    assert!(
        matches!(&ended, AttestError::GraceEnded { what, .. } if what == "INTEL-SA-00002"),
        "{ended}"
    );
}

#[test]
fn what_is_required_must_be_proven() {
    let good = CollateralTerms::good(NOW);
    let claims = judged(
        &good,
        "require = [\"not_migratable\", \"module_unchanged\", \"no_service_td\"]",
        NOW,
    );
    assert!(claims.is_ok());
    for (claim, fact) in [
        (ClaimName::Hardware, Fact::Refuted),
        (ClaimName::SmtOff, Fact::Refuted),
        (ClaimName::GpuConfidential, Fact::Unknown),
    ] {
        let refusal = judged(&good, &format!("require = [\"{claim}\"]"), NOW).unwrap_err();
        assert_eq!(refusal, AttestError::Unproven { claim, fact });
        assert!(refusal.to_string().contains(&fact.to_string()));
    }
}

#[test]
fn old_judgements_and_other_images_are_refused() {
    let good = CollateralTerms::good(NOW);
    let refusal = judged(&good, "[tcb]\nmin_evaluation = 2", NOW);
    assert_eq!(refusal, Err(AttestError::TcbEvaluation { found: 1, required: 2 }));
    let [worker, proxy] = ["worker", "proxy"].map(|role| simulated_measurements(role).image_hash());
    assert!(judged(&good, &format!("images = [\"{proxy}\", \"{worker}\"]"), NOW).is_ok());
    let refusal = judged(&good, &format!("images = [\"{proxy}\"]"), NOW);
    assert_eq!(refusal, Err(AttestError::ImageNotPinned { image: worker }));
}

#[test]
fn the_table_has_every_claim_once_with_a_source_and_survives_being_written() {
    let claims = judged(&behind(), "[tcb]\naccept = [\"OutOfDate\"]", NOW).unwrap();
    let table = claims.table();
    let names: Vec<_> = table.iter().map(|claim| claim.name).collect();
    assert_eq!(names, ClaimName::ALL);
    for claim in &table {
        assert_eq!(
            claim.fact == Fact::Unknown,
            claim.source.document == Document::Nothing,
            "{claim:?}"
        );
    }
    let json = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Claim>>(&json).unwrap(), table);
    let status = table.iter().find(|claim| claim.name == ClaimName::TcbUpToDate).unwrap();
    assert_eq!(
        serde_json::to_value(status).unwrap(),
        serde_json::json!({
            "name": "tcb_up_to_date",
            "fact": "refuted",
            "value": "OutOfDate by judgement 1",
            "source": { "document": "tcb_info", "field": "tcbStatus" },
        })
    );
}

/// The example of the manual is a policy.
#[test]
fn the_example_of_the_documentation_parses() {
    let manual = include_str!("../../../docs/attestation.md");
    let example = manual
        .split("```toml\n")
        .nth(2)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let policy = Policy::from_toml(example).unwrap();
    assert!(!policy.required.is_empty() && !policy.images.is_empty() && policy.min_tcb_evaluation > 0);
    for name in ClaimName::ALL {
        assert!(manual.contains(&format!("| `{name}` |")), "{name} is not described");
    }
}

fn ruling(examination: &Examination, name: ClaimName) -> Ruling {
    let judged = examination.table.iter().find(|judged| judged.claim.name == name);
    judged.unwrap().ruling
}

#[test]
fn an_examination_names_every_objection_and_rules_on_every_claim() {
    let policy = r#"
        require = ["hardware", "gpu_confidential", "not_revoked"]
        images = ["04b3afd931d28680af91a15b09d672c40ad6b141f7f9089a8d67d595220f7436"]
        [tcb]
        grace = { OutOfDate = "2026-10-01" }
        min_evaluation = 4000000000
        [advisories]
        refuse = ["INTEL-SA-00002"]
    "#;
    let (verdict, shown) = examined(&behind(), policy, NOW);
    let shown = shown.unwrap();
    assert!(verdict.is_err() && !shown.is_accepted());
    let unproven = |claim, fact| AttestError::Unproven { claim, fact };
    assert_eq!(shown.objections.len(), 5, "{:?}", shown.objections);
    assert!(matches!(&shown.objections[0], AttestError::Advisory { advisory } if advisory == "INTEL-SA-00002"));
    assert!(matches!(shown.objections[1], AttestError::TcbEvaluation { .. }));
    assert!(matches!(shown.objections[2], AttestError::ImageNotPinned { .. }));
    assert_eq!(shown.objections[3], unproven(ClaimName::Hardware, Fact::Refuted));
    assert_eq!(shown.objections[4], unproven(ClaimName::GpuConfidential, Fact::Unknown));
    assert_eq!(shown.table.len(), ClaimName::ALL.len());
    for (name, expected) in [
        (ClaimName::Hardware, Ruling::Refused),
        (ClaimName::NotRevoked, Ruling::Met),
        (ClaimName::DebugOff, Ruling::Met),
        (ClaimName::TcbUpToDate, Ruling::Tolerated { until: Some(OCTOBER) }),
        (ClaimName::NoAdvisories, Ruling::Refused),
        (ClaimName::SmtOff, Ruling::NotAsked),
        (ClaimName::GpuConfidential, Ruling::Refused),
        (ClaimName::GpuMeasured, Ruling::NotAsked),
    ] {
        assert_eq!(ruling(&shown, name), expected, "{name}");
    }
    // A verdict that is shown ends with the grace, as the other does.
    assert_eq!(shown.claims.expires_at, OCTOBER);
}

#[test]
fn what_a_policy_is_content_with_is_not_called_met() {
    let (verdict, shown) = examined(&behind(), "[tcb]\naccept = [\"OutOfDate\"]", NOW);
    let shown = shown.unwrap();
    assert!(verdict.is_ok() && shown.is_accepted());
    let lasting = Ruling::Tolerated { until: None };
    assert_eq!(ruling(&shown, ClaimName::TcbUpToDate), lasting);
    assert_eq!(ruling(&shown, ClaimName::NoAdvisories), lasting);
    let (_, current) = examined(&CollateralTerms::good(NOW), "[advisories]\nothers = \"refuse\"", NOW);
    let current = current.unwrap();
    assert_eq!(ruling(&current, ClaimName::TcbUpToDate), Ruling::Met);
    assert_eq!(ruling(&current, ClaimName::NoAdvisories), Ruling::Met);
    let late = OCTOBER + 1;
    let (_, ended) = examined(&behind(), "[tcb]\ngrace = { OutOfDate = \"2026-10-01\" }", late);
    assert_eq!(ruling(&ended.unwrap(), ClaimName::TcbUpToDate), Ruling::Refused);
}
