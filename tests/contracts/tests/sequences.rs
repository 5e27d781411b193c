//! Random sequences of messages: the contracts do what the model says, and no invariant breaks.
//!
//! `COCOON_SEQUENCES=200000 COCOON_SEED=1 cargo test --release -p cocoon-contract-tests --test sequences -- --nocapture`
//! runs more of them, on all cores.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use cocoon_contract_tests::{Codes, Sequences};
use proptest::prelude::*;

/// Sequences of the test that always runs.
const CASES: u32 = 2_000;
/// Sequences between two lines about the progress.
const REPORT_EVERY: u32 = 5_000;

#[test]
fn contracts_and_model_agree_after_any_sequence() {
    let sequences = Sequences::new(&Codes::artefacts());
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // A step means something only where it stands, so a failing sequence shrinks by leaving steps out.
    let steps = prop::collection::vec(any::<u64>().no_shrink(), 1..36);
    proptest!(config, |(variant in (0..100u64).no_shrink(), leaving in any::<bool>(), steps in steps)| {
        let difference = sequences.difference(variant, leaving, &steps);
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    });
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn contracts_and_model_agree_after_as_many_sequences_as_asked_for() {
    let Some(total) = number("COCOON_SEQUENCES").and_then(|total| u32::try_from(total).ok()) else {
        return;
    };
    let seed = number("COCOON_SEED").unwrap_or(1);
    let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let done = AtomicU32::new(0);
    let start = Instant::now();
    let differences: Vec<String> = thread::scope(|scope| {
        let run = |core: u32| {
            let (done, start) = (&done, &start);
            move || {
                let sequences = Sequences::new(&Codes::artefacts());
                for number in (core..total).step_by(cores as usize) {
                    let place = seed.wrapping_mul(1 << 32).wrapping_add(u64::from(number));
                    if let Some(difference) = sequences.difference_of(place) {
                        return Some(difference.to_string());
                    }
                    let count = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if count % REPORT_EVERY == 0 {
                        let rate = f64::from(count) / start.elapsed().as_secs_f64();
                        println!("{count} of {total} sequences, {rate:.0} a second");
                    }
                }
                None
            }
        };
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(run(core))).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().expect("a core's sequences"))
            .collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} sequences in {seconds:.0} s on {cores} cores",
        done.load(Ordering::Relaxed)
    );
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
