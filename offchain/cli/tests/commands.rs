//! Every command through the real program: what it prints when all is well, as JSON, and when something is wrong.
//!
//! The cases are data, `tests/cases/NOUN.cases`; `tests/commands/case.rs` says how they are written. What they print is in
//! `tests/commands/snapshots`, one transcript for each noun. A command without a case of each kind fails the second test.
//! `COCOON_BIN` names another program to run than the one that was built beside the tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

#[path = "command_line/owners/stage.rs"]
#[allow(dead_code, reason = "the owners' tests use more of it")]
mod stage;

#[path = "commands/case.rs"]
mod case;
#[path = "commands/coverage.rs"]
mod coverage;
#[path = "commands/fixture.rs"]
mod fixture;
#[path = "commands/limit.rs"]
mod limit;
#[path = "commands/network.rs"]
mod network;
#[path = "people/mod.rs"]
mod people;
#[path = "commands/redact.rs"]
mod redact;
#[path = "commands/scene.rs"]
mod scene;
#[path = "commands/secret.rs"]
mod secret;

use std::collections::BTreeMap;
use std::sync::Mutex;

use case::{Noun, Stand};
use network::Network;

/// Scenes that need no network, side by side. Wallets and models take a core each.
const THREADS: usize = 2;

#[test]
fn every_command_prints_what_was_agreed() {
    let nouns = Noun::all();
    let transcripts = Mutex::new(BTreeMap::<(usize, usize), Result<String, String>>::new());
    let play = |stand: &dyn Fn(Stand) -> bool, take: &Mutex<Vec<(usize, usize)>>, network: Option<&Network>| {
        loop {
            let next = take.lock().unwrap().pop();
            let Some((noun, number)) = next else { break };
            let scene = &nouns[noun].scenes[number];
            if stand(scene.stand) {
                let told = scene::play(scene, network);
                transcripts.lock().unwrap().insert((noun, number), told);
            }
        }
    };
    let all = || {
        let numbers = nouns.iter().enumerate();
        let all = numbers.flat_map(|(noun, of)| (0..of.scenes.len()).map(move |number| (noun, number)));
        Mutex::new(all.collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>())
    };
    let apart = all();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| play(&|stand| matches!(stand, Stand::Folder | Stand::Chain), &apart, None));
        }
        scope.spawn(|| {
            let network = Network::start(network::INSTANCE);
            play(&|stand| stand == Stand::Network, &all(), Some(&network));
            // What ends it comes last.
            play(&|stand| stand == Stand::Ending, &all(), Some(&network));
        });
    });
    let mut transcripts = transcripts.into_inner().unwrap();
    let mut wrong = Vec::new();
    for (index, noun) in nouns.iter().enumerate() {
        let mut text = String::new();
        for number in 0..noun.scenes.len() {
            match transcripts.remove(&(index, number)).expect("every scene was played") {
                Ok(told) => text.push_str(&told),
                Err(what) => wrong.push(format!("{}: {what}", noun.file)),
            }
        }
        insta::with_settings!({ snapshot_path => "commands/snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            let told = std::panic::catch_unwind(|| insta::assert_snapshot!(noun.name.as_str(), text));
            if told.is_err() {
                wrong.push(format!("{}: the transcript is another one", noun.file));
            }
        });
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_command_has_a_case_of_each_kind_or_a_reason() {
    let missing = coverage::missing(&Noun::all());
    assert!(
        missing.is_empty(),
        "add cases or exceptions in tests/cases:\n{}",
        missing.join("\n")
    );
}
