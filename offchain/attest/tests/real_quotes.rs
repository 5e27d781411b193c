//! Recorded quotes of real hardware with Intel's collateral, at fixed times. The recordings are read from the folder
//! named by `COCOON_TEST_DATA`; without it these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::path::PathBuf;

use cocoon_attest::{
    AttestError, Claims, Endorsements, Evidence, Policy, TcbStatus, TdxBody, TrustRoots, Verifier,
    simulated::SimulatedPlatform, verify,
};

/// 2025-06-20, inside the window of the version 4 collateral.
const JUNE_2025: u64 = 1_750_377_600;
/// 2026-02-19, inside the window of the version 5 (outdated) collateral.
const FEBRUARY_2026: u64 = 1_771_459_200;
/// 2026-10-10, inside the window of the version 5 collateral.
const OCTOBER_2026: u64 = 1_791_590_400;

fn read(name: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, recorded quotes are not checked");
        return None;
    };
    Some(std::fs::read(PathBuf::from(root).join("tdx").join(name)).unwrap())
}

fn check(quote: &[u8], collateral: &[u8], roots: &TrustRoots, now: u64) -> Result<Claims, AttestError> {
    let endorsements = Endorsements::none().with_json(std::str::from_utf8(collateral).unwrap())?;
    let evidence = Evidence::parse(quote)?;
    let verifier = Verifier::new(roots.clone(), endorsements.clone(), Policy::strict());
    let (first, further) = (verifier.verify(&evidence, now), verifier.verify(&evidence, now));
    let thorough = verify(&evidence, &endorsements, roots, &Policy::strict(), now);
    assert_eq!(first, thorough, "the fast way prepares");
    assert_eq!(further, thorough, "the fast way reuses");
    assert_eq!(
        verifier.prepared_platforms(),
        usize::from(thorough.is_ok()),
        "real chains can be prepared"
    );
    thorough
}

fn intel() -> TrustRoots {
    TrustRoots::intel().unwrap()
}

#[test]
fn a_version_4_quote_is_up_to_date_inside_its_window_only() {
    let (Some(quote), Some(collateral)) = (read("tdx_v4_quote.bin"), read("tdx_v4_collateral.json")) else {
        return;
    };
    let claims = check(&quote, &collateral, &intel(), JUNE_2025).unwrap();
    assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
    assert!(!claims.simulated);
    for now in [JUNE_2025 - 30 * 86_400, JUNE_2025 + 40 * 86_400, OCTOBER_2026] {
        let refusal = check(&quote, &collateral, &intel(), now);
        assert!(
            matches!(refusal, Err(AttestError::CollateralWindow { .. })),
            "{now}: {refusal:?}"
        );
    }
}

#[test]
fn a_version_5_quote_is_up_to_date() {
    let (Some(quote), Some(collateral)) = (read("tdx_v5b4_quote.bin"), read("tdx_v5b4_collateral.json")) else {
        return;
    };
    let claims = check(&quote, &collateral, &intel(), OCTOBER_2026).unwrap();
    assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
    assert_eq!((claims.guest.quote_version, claims.guest.body), (5, TdxBody::Tdx15Ex));
    assert_eq!(claims.guest.current_tcb_svn, Some(claims.guest.tee_tcb_svn));
    assert_eq!(claims.guest.mrservicetd, Some([0; 48]));
}

#[test]
fn an_outdated_quote_matches_no_level() {
    let quote = read("tdx_v5b3_outdated_quote.bin");
    let (Some(quote), Some(collateral)) = (quote, read("tdx_v5b3_outdated_collateral.json")) else {
        return;
    };
    let refusal = check(&quote, &collateral, &intel(), FEBRUARY_2026);
    assert!(
        matches!(&refusal, Err(AttestError::Refused { reason }) if reason.contains("TCB level")),
        "{refusal:?}"
    );
}

#[test]
fn the_quote_of_the_deployed_network_has_its_known_image_hash() {
    let quote = read("cocoon_v4_quote.bin");
    let (Some(quote), Some(collateral)) = (quote, read("tdx_v5b3_outdated_collateral.json")) else {
        return;
    };
    let claims = check(&quote, &collateral, &intel(), FEBRUARY_2026).unwrap();
    assert_eq!(
        claims.image_hash().to_string(),
        "04b3afd931d28680af91a15b09d672c40ad6b141f7f9089a8d67d595220f7436"
    );
    assert_eq!(claims.tcb_status, TcbStatus::UpToDate);
    assert!(claims.advisories.is_empty());
    let mut tail = quote.clone();
    *tail.last_mut().unwrap() = 1;
    assert_eq!(Evidence::parse(&tail), Err(AttestError::QuoteTail));
}

#[test]
fn a_real_quote_is_refused_without_collateral_of_its_family_and_under_a_simulated_root() {
    let (Some(quote), Some(collateral)) = (read("tdx_v4_quote.bin"), read("tdx_v5b3_outdated_collateral.json")) else {
        return;
    };
    let refusal = check(&quote, &collateral, &intel(), FEBRUARY_2026);
    assert!(matches!(refusal, Err(AttestError::NoCollateral { .. })), "{refusal:?}");
    let platform = SimulatedPlatform::generate().unwrap();
    let roots = intel().with_simulated(platform.root_der()).unwrap();
    let refusal = verify(
        &Evidence::parse(&quote).unwrap(),
        &platform.endorsements(JUNE_2025).unwrap(),
        &roots,
        &Policy::strict(),
        JUNE_2025,
    );
    assert!(matches!(refusal, Err(AttestError::NoCollateral { .. })), "{refusal:?}");
}
