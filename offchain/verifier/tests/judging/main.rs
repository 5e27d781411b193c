//! Verdicts over whole questions as JSON: of a network in small, of real hardware where recordings are at hand, and of both after
//! each tampering. Where `COCOON_VERIFIER_OUT` names a folder, every question is written there with its answer, for
//! `scripts/verifier/check`, which asks the same of the module that browsers load.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

mod evidence;
mod receipts;
mod total;
mod world;

use serde_json::{Value, json};

/// What is asked.
#[derive(Clone, Copy)]
enum Kind {
    Evidence,
    Receipt,
}

/// Asks, and writes down what was asked and answered.
fn ask(name: &str, kind: Kind, question: &Value) -> Value {
    let text = serde_json::to_vec(question).unwrap();
    let (word, answer) = match kind {
        Kind::Evidence => ("evidence", cocoon_verifier::json::verify_evidence(&text)),
        Kind::Receipt => ("receipt", cocoon_verifier::json::verify_receipt(&text)),
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    if let Some(folder) = std::env::var_os("COCOON_VERIFIER_OUT") {
        let file = std::path::Path::new(&folder).join(format!("{name}.json"));
        let case = json!({ "kind": word, "question": question, "answer": answer });
        std::fs::write(file, serde_json::to_vec(&case).unwrap()).unwrap();
    }
    answer
}

/// The outcome of one check.
fn outcome<'a>(answer: &'a Value, name: &str) -> &'a str {
    let checks = answer["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.map_or("absent", |check| check["outcome"].as_str().unwrap())
}

/// All checks that are not proven, with their outcome.
fn unproven(answer: &Value) -> Vec<(String, String)> {
    let checks = answer["checks"].as_array().unwrap().iter();
    let word = |check: &Value, member: &str| check[member].as_str().unwrap().to_owned();
    let unproven = checks.filter(|check| check["outcome"] != "proven");
    unproven
        .map(|check| (word(check, "name"), word(check, "outcome")))
        .collect()
}
