//! The command alone and the tests of the whole workspace are built from the same packages with the same features: otherwise
//! cargo builds most of the tree twice, a quarter of an hour on two cores.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::process::Command;

/// Every package with its features, as one line each, of what `arguments` select.
fn packages(arguments: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs this test");
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}|{f}",
        ])
        .args(arguments)
        .current_dir(cocoon_repository_tests::root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are UTF-8");
    let each = text.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
    each.filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_command_is_built_with_the_features_that_the_tests_have() {
    let command = packages(&["--package", "cocoon-cli", "--edges", "normal,build"]);
    let workspace = packages(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(command.len() > 300, "the command has dependencies");
    let others: Vec<&String> = command.difference(&workspace).collect();
    assert!(
        others.is_empty(),
        "the tests of the workspace ask for more features of these: ask for them in offchain/cli/Cargo.toml too\n{others:#?}"
    );
}
