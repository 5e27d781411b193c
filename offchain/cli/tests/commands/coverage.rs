//! Which commands have no case of a kind, and no reason for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory as _;
use cocoon_cli::args::Cli;

use crate::case::{Kind, Noun, Scene, Step, folder, words};

/// What is missing, and exceptions that are none.
pub(crate) fn missing(nouns: &[Noun]) -> Vec<String> {
    let mut root = Cli::command();
    root.build();
    let mut leaves = BTreeSet::new();
    walk(&root, "", &mut leaves);
    let mut have: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for noun in nouns {
        for (case, scene) in noun.cases() {
            let line = &case.line;
            match command_of(&root, line) {
                // What is refused as it is typed shows nothing of the command.
                Some(_) if case.kind == Kind::Error && !case.is_usage && !is_taken(&root, scene, line) => {}
                Some(leaf) => have.entry(leaf).or_default().extend([case.kind]),
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

/// Whether a line gets as far as to the command: with something of the right form for each name.
fn is_taken(root: &clap::Command, scene: &Scene, line: &str) -> bool {
    let mut line = line.to_owned();
    // Kept texts may have names in them, and were kept in this order.
    for step in scene.steps.iter().rev() {
        if let Step::Keep { name, text } = step {
            line = replaced(&line, name, text);
        }
    }
    let (url, nobody) = ("http://127.0.0.1:1", format!("0:{}", "5".repeat(64)));
    let hash = "ab".repeat(32);
    let on = format!("--chain-url {url} --root {nobody}");
    let names = [
        ("SIGNED", format!("{on} --wallet dose --yes --no-wait")),
        ("ON", on),
        ("CHAIN", url.to_owned()),
        ("HTTP", url.to_owned()),
        ("URL", url.to_owned()),
        ("CLIENT_URL", url.to_owned()),
        ("WORKER_URL", url.to_owned()),
        ("TO", "127.0.0.1:1".to_owned()),
        ("CLIENT_PORT", "127.0.0.1:1".to_owned()),
        ("PROXY_PORT", "127.0.0.1:1".to_owned()),
        ("ID", "1".to_owned()),
        ("NAME", format!("acme/tiny@abc123:{hash}")),
        ("MODEL", format!("acme/tiny@abc123:{hash}")),
        ("NET", "folder".to_owned()),
        ("WORDS", "words".to_owned()),
        ("CONFIG", "file.toml".to_owned()),
    ];
    for (name, text) in &names {
        line = replaced(&line, name, text);
    }
    for name in [
        "HASH",
        "KEY",
        "OTHER",
        "BODY",
        "RECEIPT",
        "LOG",
        "OWN_KEY",
        "KEYMANAGER_IMAGE",
    ] {
        line = replaced(&line, name, &hash);
    }
    let line = words(&line)
        .into_iter()
        .map(|word| if word.starts_with('$') { nobody.clone() } else { word });
    let typed = std::iter::once("cocoon".to_owned()).chain(line);
    root.clone().try_get_matches_from(typed).is_ok()
}

/// `line` with `text` for `$name`, but not for names that only begin like it.
fn replaced(line: &str, name: &str, text: &str) -> String {
    let name = regex::Regex::new(&format!(r"\${name}\b")).unwrap();
    name.replace_all(line, regex::NoExpand(text)).into_owned()
}

/// `COMMAND: KINDS: FILE:`NEEDLE` of the test that has it, or why there is none`. A file that is named must hold the needle.
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
            for part in reason.split(".rs").collect::<Vec<_>>().windows(2) {
                let file = format!("{}.rs", part[0].rsplit(' ').next().unwrap_or_default());
                let needle = part[1].strip_prefix(":`").and_then(|rest| rest.split('`').next());
                let needle = needle.unwrap_or_else(|| panic!("exceptions: {leaf}: what of {file}?"));
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file);
                let text = std::fs::read_to_string(path);
                let text = text.unwrap_or_else(|_| panic!("exceptions: {leaf}: there is no {file}"));
                assert!(text.contains(needle), "exceptions: {leaf}: {file} has no {needle}");
            }
            let kinds = kinds
                .split_whitespace()
                .map(|kind| Kind::parse(kind).unwrap_or_else(|| panic!("exceptions: {line}")));
            (leaf.to_owned(), kinds.collect())
        })
        .collect()
}
