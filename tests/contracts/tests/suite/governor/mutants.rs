//! Bugs seeded in the governor, one at a time: its random sequences must find each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cocoon_bindings::ton::{Cell, parse_boc_base64};
use cocoon_contract_tests::with_governor_code;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::random;

/// Sequences that a bug may survive.
const SEQUENCES: u32 = 300;
/// Steps of a sequence.
const STEPS: usize = 80;

/// Names and codes of the governor's mutants.
fn mutants() -> Vec<(String, Cell)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let mut mutants = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let described: Value = serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        if let Some(code) = described["codes"]["Governor"]["code_boc_base64"].as_str() {
            let name = described["name"].as_str().unwrap().to_owned();
            mutants.push((name, parse_boc_base64(code).unwrap()));
        }
    }
    mutants.sort_by(|a, b| a.0.cmp(&b.0));
    mutants
}

fn caught_after(code: &Cell) -> Option<u32> {
    let mut runner = TestRunner::deterministic();
    let steps = proptest::collection::vec(random::any_step(), STEPS);
    (1..=SEQUENCES).find(|_| {
        let steps = steps.new_tree(&mut runner).unwrap().current();
        with_governor_code(code, || catch_unwind(AssertUnwindSafe(|| random::live(steps))).is_err())
    })
}

#[test]
fn every_bug_seeded_in_the_governor_is_caught() {
    let mutants = mutants();
    assert!(mutants.len() >= 5, "only {} mutants", mutants.len());
    let mut survivors = Vec::new();
    for (name, code) in mutants {
        match caught_after(&code) {
            Some(count) => println!("{name}: caught after {count} sequences"),
            None => survivors.push(name),
        }
    }
    assert!(
        survivors.is_empty(),
        "not caught by {SEQUENCES} sequences: {survivors:?}"
    );
}
