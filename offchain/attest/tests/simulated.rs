//! The simulated platform passes the unmodified verifier, and everything that is wrong with a quote is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use cocoon_attest::{
    Acceptance, AttestError, Endorsements, Evidence, Policy, TcbStatus, TdAttribute, TrustRoots, report_data_for_key,
    simulated::{CollateralTerms, SimulatedGuest, SimulatedPlatform, simulated_measurements},
    verify,
};

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;

struct World {
    platform: SimulatedPlatform,
    endorsements: Endorsements,
    roots: TrustRoots,
}

impl World {
    fn new() -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        Self {
            endorsements: platform.endorsements(NOW).unwrap(),
            roots: TrustRoots::intel()
                .unwrap()
                .with_simulated(platform.root_der())
                .unwrap(),
            platform,
        }
    }

    fn quote(&self) -> Vec<u8> {
        self.platform
            .issue(&simulated_measurements("worker"), &report_data_for_key(&[7; 32]))
            .unwrap()
    }

    fn verify(&self, quote: &[u8]) -> Result<cocoon_attest::Claims, AttestError> {
        verify(
            &Evidence::parse(quote)?,
            &self.endorsements,
            &self.roots,
            &Policy::strict(),
            NOW,
        )
    }

    fn verify_under(&self, terms: &CollateralTerms) -> Result<cocoon_attest::Claims, AttestError> {
        let endorsements = Endorsements::none()
            .with_json(&self.platform.collateral_json(terms).unwrap())
            .unwrap();
        verify(
            &Evidence::parse(&self.quote()).unwrap(),
            &endorsements,
            &self.roots,
            &Policy::strict(),
            NOW,
        )
    }
}

#[test]
fn a_simulated_quote_verifies_and_says_that_it_is_simulated() {
    let world = World::new();
    let claims = world.verify(&world.quote()).unwrap();
    assert!(claims.simulated);
    assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
    assert_eq!(claims.image_hash(), simulated_measurements("worker").image_hash());
    assert_eq!(claims.report_data, report_data_for_key(&[7; 32]));
    assert_eq!(claims.expires_at, CollateralTerms::good(NOW).expires_at);
}

#[test]
fn roles_have_different_stable_images() {
    let worker = simulated_measurements("worker").image_hash();
    assert_ne!(worker, simulated_measurements("proxy").image_hash());
    assert_eq!(worker, simulated_measurements("worker").image_hash());
}

#[test]
fn a_platform_read_from_its_file_is_the_same_platform() {
    let world = World::new();
    let copy = SimulatedPlatform::from_json(&world.platform.to_json().unwrap()).unwrap();
    let quote = copy.issue(&simulated_measurements("proxy"), &[9; 64]).unwrap();
    assert!(world.verify(&quote).is_ok());
    assert!(matches!(
        SimulatedPlatform::from_json("{}"),
        Err(AttestError::Simulated { .. })
    ));
}

#[test]
fn padding_of_zeros_is_accepted() {
    let world = World::new();
    let mut quote = world.quote();
    quote.extend([0; 70]);
    assert!(world.verify(&quote).is_ok());
}

#[test]
fn intels_root_does_not_accept_a_simulated_quote() {
    let world = World::new();
    let roots = TrustRoots::intel().unwrap();
    let evidence = Evidence::parse(&world.quote()).unwrap();
    let refusal = verify(&evidence, &world.endorsements, &roots, &Policy::strict(), NOW);
    assert!(matches!(refusal, Err(AttestError::UntrustedRoot { .. })));
}

#[test]
fn another_simulated_root_does_not_accept_it_either() {
    let (world, stranger) = (World::new(), World::new());
    assert!(matches!(
        stranger.verify(&world.quote()),
        Err(AttestError::UntrustedRoot { .. })
    ));
}

#[test]
fn every_bit_of_measurements_and_report_data_is_protected() {
    let world = World::new();
    let quote = world.quote();
    // MRTD, RTMR0, RTMR3, report data: first and last bytes.
    for at in [184, 231, 376, 567, 568, 631] {
        let mut changed = quote.clone();
        changed[at] ^= 1;
        assert!(
            matches!(world.verify(&changed), Err(AttestError::Refused { .. })),
            "byte {at}"
        );
    }
}

#[test]
fn bad_guest_attributes_are_refused_by_name() {
    let world = World::new();
    for (bit, attribute) in [
        (0, TdAttribute::Debug),
        (4, TdAttribute::Profiling),
        (5, TdAttribute::Profiling),
        (6, TdAttribute::Profiling),
        (29, TdAttribute::Migratable),
        (28, TdAttribute::SeptVeEnabled),
    ] {
        let mut guest = SimulatedGuest::new(simulated_measurements("worker"));
        guest.state.attributes ^= 1 << bit;
        let quote = world.platform.issue_for(&guest, &[0; 64]).unwrap();
        assert_eq!(world.verify(&quote), Err(AttestError::Attributes { attribute }));
    }
}

#[test]
fn collateral_out_of_its_window_is_refused() {
    let world = World::new();
    let old = CollateralTerms {
        issued_at: NOW - 2 * DAY,
        expires_at: NOW - DAY,
        ..CollateralTerms::good(NOW)
    };
    assert!(matches!(
        world.verify_under(&old),
        Err(AttestError::CollateralWindow { .. })
    ));
    let early = CollateralTerms {
        issued_at: NOW + DAY,
        expires_at: NOW + 2 * DAY,
        ..CollateralTerms::good(NOW)
    };
    assert!(matches!(
        world.verify_under(&early),
        Err(AttestError::CollateralWindow { .. })
    ));
}

#[test]
fn a_revoked_platform_is_refused() {
    let world = World::new();
    let revoked = CollateralTerms {
        revoked: true,
        ..CollateralTerms::good(NOW)
    };
    assert!(matches!(world.verify_under(&revoked), Err(AttestError::Refused { .. })));
    let status = CollateralTerms {
        status: TcbStatus::Revoked,
        ..CollateralTerms::good(NOW)
    };
    assert!(matches!(world.verify_under(&status), Err(AttestError::Refused { .. })));
}

#[test]
fn an_outdated_platform_is_for_the_policy_to_accept() {
    let world = World::new();
    let terms = CollateralTerms {
        status: TcbStatus::OutOfDate,
        ..CollateralTerms::good(NOW)
    };
    assert_eq!(
        world.verify_under(&terms),
        Err(AttestError::TcbStatus {
            status: TcbStatus::OutOfDate
        })
    );

    let endorsements = Endorsements::none()
        .with_json(&world.platform.collateral_json(&terms).unwrap())
        .unwrap();
    let mut policy = Policy::strict();
    policy.statuses.insert(TcbStatus::OutOfDate, Acceptance::Always);
    let evidence = Evidence::parse(&world.quote()).unwrap();
    assert!(verify(&evidence, &endorsements, &world.roots, &policy, NOW).is_ok());
    policy.min_tcb_evaluation = 2;
    let refusal = verify(&evidence, &endorsements, &world.roots, &policy, NOW);
    assert_eq!(refusal, Err(AttestError::TcbEvaluation { found: 1, required: 2 }));
}

#[test]
fn edited_tcb_info_is_refused() {
    let world = World::new();
    let outdated = CollateralTerms {
        status: TcbStatus::OutOfDate,
        ..CollateralTerms::good(NOW)
    };
    let edited = world
        .platform
        .collateral_json(&outdated)
        .unwrap()
        .replace("OutOfDate", "UpToDate");
    let endorsements = Endorsements::none().with_json(&edited).unwrap();
    let evidence = Evidence::parse(&world.quote()).unwrap();
    let refusal = verify(&evidence, &endorsements, &world.roots, &Policy::strict(), NOW);
    assert!(matches!(refusal, Err(AttestError::Refused { .. })), "{refusal:?}");
}

#[test]
fn without_collateral_nothing_is_accepted() {
    let world = World::new();
    let evidence = Evidence::parse(&world.quote()).unwrap();
    let refusal = verify(&evidence, &Endorsements::none(), &world.roots, &Policy::strict(), NOW);
    assert!(matches!(refusal, Err(AttestError::NoCollateral { .. })));
}

#[test]
fn no_single_byte_change_is_accepted_with_other_content() {
    let world = World::new();
    let quote = world.quote();
    let expected = world.verify(&quote).unwrap();
    for at in (0..quote.len()).step_by(7) {
        let mut changed = quote.clone();
        changed[at] ^= 0x20;
        // Some bytes are not covered by a signature (PEM white space, header of the chain); what they carry is the same.
        if let Ok(claims) = world.verify(&changed) {
            assert_eq!(claims, expected, "byte {at}");
        }
    }
}

#[test]
fn debug_output_shows_no_keys() {
    let world = World::new();
    assert_eq!(format!("{:?}", world.platform), "SimulatedPlatform");
}

#[test]
fn collateral_of_the_other_authority_is_none_for_the_platform() {
    let world = World::new();
    let text = world.platform.collateral_json(&CollateralTerms::good(NOW)).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    // A chain that begins with neither of the two authorities.
    other["pck_crl_issuer_chain"] = other["tcb_info_issuer_chain"].clone();
    let judge = |endorsements: &Endorsements| {
        let evidence = Evidence::parse(&world.quote()).unwrap();
        verify(&evidence, endorsements, &world.roots, &Policy::strict(), NOW)
    };
    let other = Endorsements::none().with_json(&other.to_string()).unwrap();
    assert!(matches!(judge(&other), Err(AttestError::NoCollateral { .. })));
    // It neither replaces the right one nor stands in its way.
    judge(&world.endorsements.clone().renewed(&other, NOW).unwrap()).unwrap();
    judge(&other.renewed(&world.endorsements, NOW).unwrap()).unwrap();
}
