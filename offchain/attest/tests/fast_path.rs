//! The fast way gives the answers of the thorough way: same claims, or a refusal of the same kind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::sync::LazyLock;

use cocoon_attest::{
    Acceptance, AttestError, Claims, Endorsements, Evidence, Policy, TcbStatus, TdxBody, TrustRoots, Verifier,
    simulated::{CollateralTerms, ModuleTerms, SimulatedGuest, SimulatedPlatform, simulated_measurements},
    verify,
};
use proptest::prelude::*;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
const STATUSES: [TcbStatus; 7] = [
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::Revoked,
];
const MODULE_STATUSES: [TcbStatus; 3] = [TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

/// Two platforms of one maker, and one of another.
static PLATFORMS: LazyLock<[SimulatedPlatform; 3]> = LazyLock::new(|| {
    let first = SimulatedPlatform::generate().unwrap();
    [
        first.clone(),
        first.sibling().unwrap(),
        SimulatedPlatform::generate().unwrap(),
    ]
});

fn roots() -> TrustRoots {
    let roots = TrustRoots::intel().unwrap();
    let roots = roots.with_simulated(PLATFORMS[0].root_der()).unwrap();
    roots.with_simulated(PLATFORMS[2].root_der()).unwrap()
}

/// Accepts every status, so that the verdicts themselves are compared.
fn lenient() -> Policy {
    let mut policy = Policy::strict();
    let relaunch = [
        TcbStatus::RelaunchAdvised,
        TcbStatus::RelaunchAdvisedConfigurationNeeded,
    ];
    policy.statuses.extend(
        STATUSES
            .into_iter()
            .chain(relaunch)
            .map(|status| (status, Acceptance::Always)),
    );
    policy
}

struct Both {
    fast: Verifier,
    endorsements: Endorsements,
    policy: Policy,
}

impl Both {
    fn new(endorsements: Endorsements, policy: Policy) -> Self {
        Self {
            fast: Verifier::new(roots(), endorsements.clone(), policy.clone()),
            endorsements,
            policy,
        }
    }

    fn thorough(&self, quote: &[u8], now: u64) -> Result<Claims, AttestError> {
        verify(
            &Evidence::parse(quote)?,
            &self.endorsements,
            &roots(),
            &self.policy,
            now,
        )
    }

    /// Asks both, and twice the fast one: once it may prepare, once it may reuse.
    fn compare(&self, quote: &[u8], now: u64) -> Result<Claims, AttestError> {
        let expected = self.thorough(quote, now);
        for _ in 0..2 {
            let found = Evidence::parse(quote).and_then(|evidence| self.fast.verify(&evidence, now));
            match (&expected, &found) {
                (Ok(expected), Ok(found)) => assert_eq!(expected, found),
                (Err(AttestError::Refused { .. }), Err(AttestError::Refused { .. })) => {}
                (expected, found) => assert_eq!(expected, found),
            }
        }
        expected
    }
}

fn advisories() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec((0_u8..3).prop_map(|number| format!("INTEL-SA-0000{number}")), 0..3)
}

fn terms() -> impl Strategy<Value = CollateralTerms> {
    let module = (0_u8..4, 0_u8..4, prop::sample::select(&MODULE_STATUSES), advisories());
    let module = module.prop_map(|(version, svn, status, advisories)| ModuleTerms {
        version,
        svn,
        status,
        advisories,
    });
    let status = || prop::sample::select(&STATUSES);
    let qe_status = prop::sample::select(vec![
        TcbStatus::UpToDate,
        TcbStatus::OutOfDate,
        TcbStatus::SwHardeningNeeded,
    ]);
    let window = (0_u64..3, 1_u64..4);
    let levels = (svn(), prop::option::of(status()), prop::collection::vec(module, 0..3));
    (
        status(),
        qe_status,
        advisories(),
        window,
        levels,
        0_u32..3,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(status, qe_status, advisories, (before, after), (tdx_svn, older, modules), evaluation, revoked)| {
                CollateralTerms {
                    issued_at: NOW - before * DAY,
                    expires_at: NOW + after * DAY,
                    status,
                    advisories,
                    evaluation,
                    qe_status,
                    tdx_svn,
                    older,
                    modules,
                    revoked,
                }
            },
        )
}

/// Small components, so that levels are met about as often as not.
fn svn() -> impl Strategy<Value = [u8; 16]> {
    (0_u8..4, prop::sample::select(vec![0_u8, 0, 1, 2, 3]), 0_u8..3).prop_map(|(first, version, third)| {
        let mut svn = [0; 16];
        svn[..3].copy_from_slice(&[first, version, third]);
        svn
    })
}

fn guest() -> impl Strategy<Value = SimulatedGuest> {
    let forms = vec![None, Some(TdxBody::Tdx10), Some(TdxBody::Tdx15), Some(TdxBody::Tdx15Ex)];
    (prop::sample::select(forms), svn(), svn(), 0_u32..200).prop_map(|(form, start, current, bit)| {
        let mut guest = SimulatedGuest::new(simulated_measurements("worker"));
        guest.state.tee_tcb_svn = start;
        if let Some(body) = form {
            guest = guest.with_version_5(body);
        }
        guest.state.current_tcb_svn = guest.state.current_tcb_svn.map(|_| current);
        // Now and then a mode that is never acceptable, or a module that is not for production.
        match bit {
            0..64 => guest.state.attributes ^= 1 << bit,
            64 => guest.state.seam_attributes = 1,
            65 => guest.state.mrsignerseam[3] = 1,
            66 => guest.state.mrservicetd = guest.state.mrservicetd.map(|_| [1; 48]),
            _ => {}
        }
        guest
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_way_agrees_on_all_kinds_of_platforms(
        documents in prop::collection::vec((prop::sample::select(vec![0_usize, 2]), terms()), 0..4),
        guests in prop::collection::vec((0_usize..3, guest()), 1..5),
        moments in prop::collection::vec((-4_i64..5, -1_i64..2), 1..4),
        strict in any::<bool>(),
    ) {
        let mut endorsements = Endorsements::none();
        for (platform, terms) in &documents {
            endorsements = endorsements.with_json(&PLATFORMS[*platform].collateral_json(terms).unwrap()).unwrap();
        }
        let both = Both::new(endorsements, if strict { Policy::strict() } else { lenient() });
        for (day, second) in moments {
            // The edges of windows, exactly and a second beside.
            let now = NOW.saturating_add_signed(day * DAY as i64 + second);
            for (platform, guest) in &guests {
                let quote = PLATFORMS[*platform].issue_for(guest, &[7; 64]).unwrap();
                let _ = both.compare(&quote, now);
            }
        }
    }

    #[test]
    fn the_fast_way_agrees_on_mutated_quotes(
        guest in guest(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..6), 1..4),
    ) {
        let both = Both::new(PLATFORMS[0].endorsements(NOW).unwrap(), lenient());
        let mut quote = PLATFORMS[0].issue_for(&guest, &[7; 64]).unwrap();
        let _ = both.compare(&quote, NOW);
        for (place, value, kind) in edits {
            let at = place.index(quote.len());
            match kind {
                0 => quote[at] = value,
                1 => { quote.remove(at); }
                2 => quote.insert(at, value),
                3 => quote.truncate(at.max(quote.len() - 64)),
                4 => quote.extend([value; 8]),
                _ => quote[at] ^= 1 << (value % 8),
            }
            let _ = both.compare(&quote, NOW);
        }
    }
}

#[test]
fn a_quote_of_every_form_is_accepted_by_both_and_prepared() {
    let both = Both::new(PLATFORMS[0].endorsements(NOW).unwrap(), Policy::strict());
    let plain = SimulatedGuest::new(simulated_measurements("worker"));
    let forms = [TdxBody::Tdx10, TdxBody::Tdx15, TdxBody::Tdx15Ex].map(|body| plain.with_version_5(body));
    for guest in [plain].into_iter().chain(forms) {
        let quote = PLATFORMS[0].issue_for(&guest, &[7; 64]).unwrap();
        let claims = both.compare(&quote, NOW).unwrap();
        assert_eq!(claims.guest, guest.state);
    }
    assert_eq!(both.fast.prepared_platforms(), 1);
    both.compare(
        &PLATFORMS[1].issue(&simulated_measurements("worker"), &[7; 64]).unwrap(),
        NOW,
    )
    .unwrap();
    assert_eq!(both.fast.prepared_platforms(), 2);
}

/// Parts of two good quotes of two good platforms, put together in every way.
#[test]
fn what_was_prepared_for_one_platform_does_not_count_for_another() {
    let both = Both::new(PLATFORMS[0].endorsements(NOW).unwrap(), Policy::strict());
    let quote_of = |platform: &SimulatedPlatform| {
        let quote = platform.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
        both.compare(&quote, NOW).unwrap();
        quote
    };
    let mine = quote_of(&PLATFORMS[0]);
    // Signatures of certificates vary by a byte or two in length; parts are exchanged where the lengths agree.
    let theirs = loop {
        let theirs = quote_of(&PLATFORMS[0].sibling().unwrap());
        if theirs.len() == mine.len() {
            break theirs;
        }
    };
    // Signed part, signature, key, QE report, its signature; the rest is the chain.
    let cuts = [0, 632, 636, 700, 764, 770, 1154, 1218, 1252, mine.len()];
    for selection in 1_u32..(1 << 9) - 1 {
        let mut mixed = Vec::new();
        for (part, range) in cuts.windows(2).enumerate() {
            let source = if selection & 1 << part == 0 { &mine } else { &theirs };
            mixed.extend(&source[range[0]..range[1]]);
        }
        if mixed == mine || mixed == theirs {
            continue;
        }
        assert!(both.compare(&mixed, NOW).is_err(), "{selection:b}");
    }
}

#[test]
fn what_was_prepared_ends_with_the_first_thing_that_ends() {
    let terms = CollateralTerms {
        expires_at: NOW + DAY,
        ..CollateralTerms::good(NOW)
    };
    let endorsements = Endorsements::none()
        .with_json(&PLATFORMS[0].collateral_json(&terms).unwrap())
        .unwrap();
    let both = Both::new(endorsements, Policy::strict());
    let quote = PLATFORMS[0].issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
    assert_eq!(both.compare(&quote, NOW).unwrap().expires_at, NOW + DAY);
    both.compare(&quote, NOW + DAY - 1).unwrap();
    // Revocation lists end before their last second.
    for now in [NOW + DAY, NOW + DAY + 1] {
        let refusal = both.compare(&quote, now);
        assert!(
            matches!(refusal, Err(AttestError::CollateralWindow { .. })),
            "{refusal:?}"
        );
    }
    assert!(both.compare(&quote, NOW - 2 * DAY).is_err());
}

#[test]
fn one_chain_in_many_texts_is_kept_once() {
    let both = Both::new(PLATFORMS[0].endorsements(NOW).unwrap(), Policy::strict());
    let quote = PLATFORMS[0].issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
    both.compare(&quote, NOW).unwrap();
    for spaces in 1..5_u32 {
        let mut longer = quote.clone();
        longer.extend(vec![b'\n'; spaces as usize]);
        // The lengths of signature section, certification data and chain.
        for at in [632, 766, 1254] {
            let length = u32::from_le_bytes(longer[at..at + 4].try_into().unwrap()) + spaces;
            longer[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        both.compare(&longer, NOW).unwrap();
    }
    assert_eq!(both.fast.prepared_platforms(), 1);
}

#[test]
fn a_revoked_platform_stays_refused_after_its_sibling_was_accepted() {
    let revoked = CollateralTerms {
        revoked: true,
        ..CollateralTerms::good(NOW)
    };
    let json = PLATFORMS[0].collateral_json(&revoked).unwrap();
    let both = Both::new(Endorsements::none().with_json(&json).unwrap(), Policy::strict());
    for _ in 0..2 {
        let quote = PLATFORMS[0].issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
        assert!(matches!(both.compare(&quote, NOW), Err(AttestError::Refused { .. })));
    }
    assert_eq!(both.fast.prepared_platforms(), 0);
}
