//! Quotes: reading never fails badly, and the fast way answers as the thorough one does. The input is a list of edits of
//! a good quote, or a quote of its own.
#![no_main]

use std::sync::LazyLock;

use cocoon_attest::{
    AttestError, Endorsements, Evidence, Policy, TdxBody, TrustRoots, Verifier,
    simulated::{SimulatedGuest, SimulatedPlatform, simulated_measurements},
    verify,
};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_790_000_000;

struct World {
    quotes: [Vec<u8>; 3],
    roots: TrustRoots,
    endorsements: Endorsements,
    fast: Verifier,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let platform = SimulatedPlatform::generate().unwrap();
    let plain = SimulatedGuest::new(simulated_measurements("worker"));
    let guests = [plain, plain.with_version_5(TdxBody::Tdx15), plain.with_version_5(TdxBody::Tdx15Ex)];
    let roots = TrustRoots::intel().unwrap().with_simulated(platform.root_der()).unwrap();
    let endorsements = platform.endorsements(NOW).unwrap();
    let quotes = guests.map(|guest| platform.issue_for(&guest, &[7; 64]).unwrap());
    let fast = Verifier::new(roots.clone(), endorsements.clone(), Policy::strict());
    fast.verify(&Evidence::parse(&quotes[0]).unwrap(), NOW).unwrap();
    World { quotes, roots, endorsements, fast }
});

fuzz_target!(|input: &[u8]| {
    let world = &*WORLD;
    let Some((&choice, rest)) = input.split_first() else { return };
    let mut quote = match world.quotes.get(usize::from(choice)) {
        Some(quote) => quote.clone(),
        None => rest.to_vec(),
    };
    if usize::from(choice) < world.quotes.len() {
        for edit in rest.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % quote.len();
            quote[at] = edit[2];
        }
    }
    let Ok(evidence) = Evidence::parse(&quote) else { return };
    let fast = world.fast.verify(&evidence, NOW);
    let thorough = verify(&evidence, &world.endorsements, &world.roots, &Policy::strict(), NOW);
    match (fast, thorough) {
        (Err(AttestError::Refused { .. }), Err(AttestError::Refused { .. })) => {}
        (fast, thorough) => assert_eq!(fast, thorough),
    }
});
