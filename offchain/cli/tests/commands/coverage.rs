//! Which commands have no case of a kind, and no reason for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory as _;
use cocoon_cli::args::Cli;

use crate::case::{Kind, Noun, folder, words};

/// What is missing, and exceptions that are none.
pub(crate) fn missing(nouns: &[Noun]) -> Vec<String> {
    let mut root = Cli::command();
    root.build();
    let mut leaves = BTreeSet::new();
    walk(&root, "", &mut leaves);
    let mut have: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for noun in nouns {
        for (kind, line) in noun.cases() {
            match command_of(&root, line) {
                Some(leaf) => have.entry(leaf).or_default().extend([kind]),
                None => wrong.push(format!("{}: no command: {line}", noun.file)),
            }
        }
    }
    let exceptions = exceptions();
    for (leaf, kinds) in &exceptions {
        if !leaves.contains(leaf) {
            wrong.push(format!("exceptions: there is no command {leaf}"));
        }
        for kind in kinds
            .iter()
            .filter(|kind| have.get(leaf).is_some_and(|have| have.contains(kind)))
        {
            wrong.push(format!("exceptions: {leaf} has a case of kind {}", kind.name()));
        }
    }
    for leaf in &leaves {
        for kind in Kind::ALL {
            let has = |of: &BTreeMap<String, BTreeSet<Kind>>| of.get(leaf).is_some_and(|kinds| kinds.contains(&kind));
            if !has(&have) && !has(&exceptions) {
                wrong.push(format!("{} {leaf}", kind.name()));
            }
        }
    }
    wrong
}

/// Commands that do something: those without commands of their own, and those that need none of them.
fn walk(command: &clap::Command, path: &str, leaves: &mut BTreeSet<String>) {
    let has_inner = command.get_subcommands().next().is_some();
    if !path.is_empty() && (!has_inner || !command.is_subcommand_required_set()) {
        leaves.insert(path.to_owned());
    }
    for inner in command.get_subcommands() {
        let path = format!("{path} {}", inner.get_name());
        walk(inner, path.trim(), leaves);
    }
}

/// The command that a line runs, by its names; options and their values may stand between them.
fn command_of(root: &clap::Command, line: &str) -> Option<String> {
    let (mut at, mut path) = (root, Vec::new());
    for word in words(line) {
        if let Some(inner) = at.find_subcommand(&word) {
            path.push(inner.get_name().to_owned());
            at = inner;
        }
    }
    (!path.is_empty()).then(|| path.join(" "))
}

/// `COMMAND: KINDS: FILE of the test that has it, or why there is none`. A file that is named must be there.
fn exceptions() -> BTreeMap<String, BTreeSet<Kind>> {
    let text = std::fs::read_to_string(folder().join("exceptions.txt")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut parts = line.splitn(3, ':').map(str::trim);
            let mut next = || {
                parts
                    .next()
                    .filter(|part| !part.is_empty())
                    .unwrap_or_else(|| panic!("exceptions: {line}"))
            };
            let (leaf, kinds, reason) = (next(), next(), next());
            for file in reason.split_whitespace().filter(|word| word.ends_with(".rs")) {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
                assert!(path.exists(), "exceptions: {leaf}: there is no {file}");
            }
            let kinds = kinds
                .split_whitespace()
                .map(|kind| Kind::parse(kind).unwrap_or_else(|| panic!("exceptions: {line}")));
            (leaf.to_owned(), kinds.collect())
        })
        .collect()
}
