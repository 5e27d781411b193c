//! Bugs seeded in the contracts, one at a time: random sequences must find each of them, or they prove little.
//!
//! The mutants are described in `scripts/contracts/mutants` and compiled to `tests/contracts/mutants`. Those of the
//! governor are caught by its own sequences, in the suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what fails here is a test, and what it found is worth reading"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use cocoon_bindings::ton::{Cell, parse_boc_base64};
use cocoon_contract_tests::{Codes, Sequences};
use serde_json::Value;

/// The first sequence's place; fixed, so that a run is repeated by the next one.
const SEED: u64 = 46;
/// Sequences that a bug may survive. Most are caught by the first few dozen.
const SEQUENCES: u64 = 2_000;
/// There must be this many bugs at least.
const LEAST_MUTANTS: usize = 20;

struct Mutant {
    name: String,
    what: String,
    codes: Codes,
}

/// The mutants of contracts that the sequences run.
fn mutants() -> Vec<Mutant> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &Path| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    paths.iter().filter_map(|path| mutant(&read(path))).collect()
}

fn mutant(described: &Value) -> Option<Mutant> {
    let mut codes = Codes::artefacts();
    for (contract, code) in described["codes"].as_object().unwrap() {
        let code: Cell = parse_boc_base64(code["code_boc_base64"].as_str().unwrap()).unwrap();
        match contract.as_str() {
            "Root" => codes.root = code,
            "Proxy" => codes.proxy = code,
            "Client" => codes.client = code,
            "Worker" => codes.worker = code,
            "Wallet" => codes.wallet = code,
            "Governor" => return None,
            other => panic!("no sequences run {other}"),
        }
    }
    Some(Mutant {
        name: described["name"].as_str().unwrap().to_owned(),
        what: described["what"].as_str().unwrap().to_owned(),
        codes,
    })
}

/// After how many sequences a mutant is caught.
fn caught_after(codes: &Codes) -> Option<u64> {
    // A bug may be such that not even a network can be set up.
    let Ok(sequences) = catch_unwind(AssertUnwindSafe(|| Sequences::new(codes))) else {
        return Some(0);
    };
    (0..SEQUENCES)
        .find(|number| sequences.difference_of(SEED.wrapping_mul(1 << 32) + number).is_some())
        .map(|number| number + 1)
}

#[test]
fn every_seeded_bug_is_caught() {
    let mutants = mutants();
    assert!(mutants.len() >= LEAST_MUTANTS, "only {} mutants", mutants.len());
    let start = Instant::now();
    let queue = Mutex::new(mutants.iter());
    let next = || queue.lock().unwrap().next();
    let survivors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutant) = next() {
                    match caught_after(&mutant.codes) {
                        Some(count) => println!("{}: caught after {count} sequences", mutant.name),
                        None => survivors
                            .lock()
                            .unwrap()
                            .push(format!("{}: {}", mutant.name, mutant.what)),
                    }
                }
            });
        }
    });
    println!("{} mutants in {} s", mutants.len(), start.elapsed().as_secs());
    let survivors = survivors.into_inner().unwrap();
    assert!(
        survivors.is_empty(),
        "not caught by {SEQUENCES} sequences:\n{}",
        survivors.join("\n")
    );
}

#[test]
fn the_contracts_themselves_are_no_mutants() {
    let sequences = Sequences::new(&Codes::artefacts());
    let difference = sequences.first_difference(SEED, 50);
    assert!(difference.is_none(), "{}", difference.unwrap());
}
