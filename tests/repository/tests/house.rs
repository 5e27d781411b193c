//! Size, leftovers and the README's claims.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use cocoon_repository_tests::{files, root};

const LONGEST_FILE_LINES: usize = 600;

#[test]
fn no_source_file_is_longer_than_600_lines() {
    for file in files(&root(), &["rs", "tolk", "py", "mjs"]).expect("tree reads") {
        let lines = std::fs::read_to_string(&file).expect("source is UTF-8").lines().count();
        assert!(
            lines <= LONGEST_FILE_LINES,
            "{} has {lines} lines: split it by concept",
            file.display()
        );
    }
}

#[test]
fn no_source_file_holds_an_unfinished_place() {
    let markers = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["FIX", "ME"].concat(),
    ];
    for file in files(&root(), &["rs", "tolk", "py", "mjs"]).expect("tree reads") {
        let text = std::fs::read_to_string(&file).expect("source is UTF-8");
        for marker in &markers {
            assert!(!text.contains(marker.as_str()), "{} contains {marker}", file.display());
        }
    }
}

#[test]
fn no_test_is_ignored() {
    let marker = ["#[ig", "nore"].concat();
    for file in files(&root(), &["rs"]).expect("tree reads") {
        let text = std::fs::read_to_string(&file).expect("source is UTF-8");
        assert!(!text.contains(&marker), "{} has an ignored test", file.display());
    }
}

/// The commands of the README: what stands in its fenced `sh` blocks, comments left out.
fn readme_commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md reads");
    let mut inside = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            commands.push(line.trim().to_owned());
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_runs_in_ci() {
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect(".ci/run reads");
    let commands = readme_commands();
    assert!(commands.len() >= 2, "the README names the two commands");
    for command in commands {
        assert!(ci.contains(&command), "README command is not run by .ci/run: {command}");
    }
}

#[test]
fn the_readme_and_architecture_name_every_crate() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md reads");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md reads");
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml reads");
    let members = workspace
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("members list");
    for member in members.split('"').filter(|part| part.contains('/')) {
        assert!(
            architecture.contains(&format!("`{member}`")),
            "ARCHITECTURE.md does not name {member}"
        );
        assert!(
            readme.contains(&format!("`{member}`")),
            "README.md does not name {member}"
        );
    }
}

/// tokio's virtual clock is compiled into everything; only tests may stop or move it.
#[test]
fn nothing_that_is_shipped_stops_the_clock() {
    let calls = [
        ["time::", "pause("].concat(),
        ["time::", "advance("].concat(),
        ["start_", "paused"].concat(),
    ];
    for file in files(&root().join("offchain"), &["rs"]).expect("tree reads") {
        let is_test = file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
        let text = std::fs::read_to_string(&file).expect("source is UTF-8");
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in calls.iter().filter(|_| !is_test) {
            assert!(!shipped.contains(call.as_str()), "{} has {call}", file.display());
        }
    }
}
