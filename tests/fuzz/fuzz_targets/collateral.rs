//! Collateral documents: any text, and edits of a good one, under a good quote. What was edited is refused, or says the
//! same.
#![no_main]

use std::sync::LazyLock;

use cocoon_attest::{
    Claims, Endorsements, Evidence, Policy, TrustRoots,
    simulated::{CollateralTerms, SimulatedPlatform, simulated_measurements},
    verify,
};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_790_000_000;

struct World {
    evidence: Evidence,
    roots: TrustRoots,
    collateral: String,
    expected: Claims,
}

impl World {
    fn claims(&self, json: &str) -> Option<Claims> {
        let endorsements = Endorsements::none().with_json(json).ok()?;
        verify(&self.evidence, &endorsements, &self.roots, &Policy::strict(), NOW).ok()
    }
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let platform = SimulatedPlatform::generate().unwrap();
    let quote = platform.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
    let evidence = Evidence::parse(&quote).unwrap();
    let roots = TrustRoots::intel().unwrap().with_simulated(platform.root_der()).unwrap();
    let collateral = platform.collateral_json(&CollateralTerms::good(NOW)).unwrap();
    let endorsements = Endorsements::none().with_json(&collateral).unwrap();
    let expected = verify(&evidence, &endorsements, &roots, &Policy::strict(), NOW).unwrap();
    World { evidence, roots, collateral, expected }
});

fuzz_target!(|input: &[u8]| {
    let world = &*WORLD;
    let Some((&choice, rest)) = input.split_first() else { return };
    let json = if choice % 4 == 0 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        let mut bytes = world.collateral.clone().into_bytes();
        for edit in rest.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
            bytes[at] = edit[2];
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    if let Some(claims) = world.claims(&json) {
        assert_eq!(claims, world.expected);
    }
});
