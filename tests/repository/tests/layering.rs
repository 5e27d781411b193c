//! A crate imports only crates of a smaller layer, and some libraries only live behind one wall.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Layer of each crate: the table of ARCHITECTURE.md.
const LAYERS: &[(&str, u8)] = &[
    ("cocoon-bindings", 0),
    ("cocoon-bindings-gen", 0),
    ("cocoon-emulator", 1),
    ("cocoon-manifest", 1),
    ("cocoon-openai", 1),
    ("cocoon-protocol", 1),
    ("cocoon-attest", 1),
    ("cocoon-receipt", 2),
    ("cocoon-ledger", 2),
    ("cocoon-market", 2),
    ("cocoon-image", 2),
    ("cocoon-web", 2),
    ("cocoon-lite", 2),
    ("cocoon-localnet", 3),
    ("cocoon-chain", 3),
    ("cocoon-ratls", 3),
    ("cocoon-store", 3),
    ("cocoon-engine", 3),
    ("cocoon-init", 3),
    ("cocoon-archive", 3),
    ("cocoon-guest", 3),
    ("cocoon-verifier", 3),
    ("cocoon-hub", 4),
    ("cocoon-tlog", 4),
    ("cocoon-owner", 4),
    ("cocoon-page", 4),
    ("cocoon-runner", 4),
    ("cocoon-proxy", 5),
    ("cocoon-worker", 5),
    ("cocoon-router", 5),
    ("cocoon-keymanager", 5),
    ("cocoon-audit", 5),
    ("cocoon-explorer", 5),
    ("cocoon-telegram", 5),
    ("cocoon-client", 6),
    ("cocoon-cli", 7),
    ("cocoon-contract-tests", 8),
    ("cocoon-network-tests", 8),
    ("cocoon-repository-tests", 8),
    ("cocoon-simulation-tests", 8),
];

/// Library prefixes and the only crates that may depend on them.
const WALLS: &[(&str, &[&str])] = &[
    ("burn", &["cocoon-engine"]),
    ("cubecl", &["cocoon-engine"]),
    ("cudarc", &["cocoon-engine"]),
    ("nvml-wrapper", &["cocoon-guest"]),
    ("tokenizers", &["cocoon-engine"]),
    ("rustls", &["cocoon-ratls", "cocoon-web"]),
    ("tokio-rustls", &["cocoon-ratls"]),
    ("dcap-qvl", &["cocoon-attest"]),
    (
        "tycho-",
        &["cocoon-bindings", "cocoon-emulator", "cocoon-lite", "cocoon-receipt"],
    ),
    ("tl-proto", &["cocoon-protocol"]),
    ("redb", &["cocoon-store"]),
    ("clap", &["cocoon-cli"]),
    ("anyhow", &["cocoon-cli"]),
];

/// What a crate of layers 0 to 2 may not import: time, sockets and randomness are arguments there.
const IMPURE: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "rand",
    "getrandom",
    "redb",
    "tracing-subscriber",
];

fn members() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(cocoon_repository_tests::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata runs");
    metadata.workspace_packages().into_iter().cloned().collect()
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(n, _)| *n == name).map(|(_, l)| *l)
}

#[test]
fn every_crate_has_a_layer_and_every_layer_entry_a_crate() {
    let members = members();
    for package in &members {
        assert!(
            layer(&package.name).is_some(),
            "{} has no layer: add it to LAYERS and ARCHITECTURE.md",
            package.name
        );
    }
    for (name, _) in LAYERS {
        assert!(
            members.iter().any(|p| p.name.as_str() == *name),
            "{name} is in LAYERS but not in the workspace"
        );
    }
}

#[test]
fn dependencies_point_down_only() {
    for package in members() {
        let own = layer(&package.name).expect("checked above");
        for dependency in &package.dependencies {
            let Some(theirs) = layer(&dependency.name) else {
                continue;
            };
            let fine = match dependency.kind {
                DependencyKind::Development => theirs <= own,
                _ => theirs < own,
            };
            assert!(
                fine,
                "{} (layer {own}) may not import {} (layer {theirs})",
                package.name, dependency.name
            );
        }
    }
}

#[test]
fn walled_libraries_stay_behind_their_wall() {
    for package in members() {
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind != DependencyKind::Development)
        {
            for (library, owners) in WALLS {
                let matches = if library.ends_with('-') {
                    dependency.name.starts_with(library)
                } else {
                    dependency.name == *library || (*library == "burn" && dependency.name.starts_with("burn-"))
                };
                assert!(
                    !matches || owners.contains(&package.name.as_str()),
                    "{} imports {}, which belongs to {owners:?} only",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn pure_layers_import_no_clock_socket_file_or_randomness() {
    for package in members() {
        let own = layer(&package.name).expect("checked above");
        if own > 2 {
            continue;
        }
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            assert!(
                !IMPURE.contains(&dependency.name.as_str()),
                "{} is in layer {own} and imports {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for package in members() {
        let manifest = std::fs::read_to_string(package.manifest_path.as_std_path()).expect("manifest reads");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take the workspace lints",
            package.name
        );
    }
}
