//! `cocoon verify release`: a folder that is signed, and every way in which it is not the release.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn cocoon(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    command.args(line.split(' ')).current_dir(folder).env_clear();
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// The public key as minisign writes it.
fn public_key(key: &SigningKey) -> String {
    STANDARD.encode([b"Ed".as_slice(), &[7; 8], key.verifying_key().as_bytes()].concat())
}

/// A signature in the form of signify, which minisign made before it hashed first.
fn sign(release: &Path, key: &SigningKey) {
    let sums = std::fs::read(release.join("SHA256SUMS")).unwrap();
    let signature = key.sign(&sums).to_bytes();
    let line = STANDARD.encode([b"Ed".as_slice(), &[7; 8], &signature].concat());
    let comment = "cocoon of a test";
    let over = key
        .sign(&[signature.as_slice(), comment.as_bytes()].concat())
        .to_bytes();
    let text = format!(
        "untrusted comment: anything\n{line}\ntrusted comment: {comment}\n{}\n",
        STANDARD.encode(over)
    );
    std::fs::write(release.join("SHA256SUMS.minisig"), text).unwrap();
}

/// Lists every file of a release.
fn list(release: &Path) {
    let names = ["bin/cocoon", "release.json"];
    let line = |name: &str| {
        let bytes = std::fs::read(release.join(name)).unwrap();
        format!("{}  {name}\n", hex::encode(Sha256::digest(bytes)))
    };
    let sums: String = names.into_iter().map(line).collect();
    std::fs::write(release.join("SHA256SUMS"), sums).unwrap();
}

/// A release in `folder/release`, signed.
fn release(folder: &Path) {
    let release = folder.join("release");
    std::fs::create_dir_all(release.join("bin")).unwrap();
    std::fs::write(release.join("bin/cocoon"), "a program").unwrap();
    let program: Value = serde_json::from_slice(&cocoon(folder, "version --json").stdout).unwrap();
    describe(
        &release,
        &json!({ "format": 1, "version": "0.1.0", "commit": "abc", "program": program }),
    );
}

/// Writes another description, and lists and signs what is there then.
fn describe(release: &Path, description: &Value) {
    std::fs::write(release.join("release.json"), description.to_string()).unwrap();
    list(release);
    sign(release, &key());
}

#[test]
fn a_signed_release_is_verified_and_the_first_difference_is_told() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let at = |name: &str| folder.path().join("release").join(name);
    std::fs::write(
        folder.path().join("minisign.pub"),
        format!("untrusted comment: x\n{}\n", public_key(&key())),
    )
    .unwrap();
    let line = "verify release release --key-file minisign.pub";
    let fine = cocoon(folder.path(), line);
    assert_eq!(fine.status.code(), Some(0), "{}", text(&fine.stderr));
    insta::assert_snapshot!(text(&fine.stdout), @r"
    Verified: the files are those that were signed
    release  cocoon 0.1.0, commit abc
    proven   signature    of SHA256SUMS by the key that was named; it says: cocoon of a test
    proven   files        all 2 are those that are listed
    proven   contracts    the code of all 6 is that of this program
    unknown  images       no network was named whose lists could be compared
    ");
    let one = cocoon(
        folder.path(),
        "verify release release/bin/cocoon --key-file minisign.pub --json",
    );
    let one: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((&one["verified"], &one["signed"]), (&true.into(), &true.into()));
    assert_eq!(one["findings"][1]["says"], "bin/cocoon is the one that is listed");

    let differs = |line: &str, says: &str| {
        let told = cocoon(folder.path(), line);
        assert_eq!(
            told.status.code(),
            Some(1),
            "{}{}",
            text(&told.stdout),
            text(&told.stderr)
        );
        let first = text(&told.stdout).lines().next().unwrap();
        assert!(
            first.starts_with("This is NOT the release: ") && first.contains(says),
            "{first}"
        );
    };
    let stranger = public_key(&SigningKey::from_bytes(&[43; 32]));
    differs(
        &format!("verify release release --key {stranger}"),
        "is not of the key that was named",
    );
    std::fs::write(at("bin/cocoon"), "another program").unwrap();
    differs(line, "bin/cocoon has the SHA-256 ");
    std::fs::write(at("bin/cocoon"), "a program").unwrap();
    std::fs::write(at("bin/more"), "").unwrap();
    differs(line, "bin/more is not listed in SHA256SUMS");
    std::fs::remove_file(at("bin/more")).unwrap();

    let mut description: Value = serde_json::from_slice(&std::fs::read(at("release.json")).unwrap()).unwrap();
    description["program"]["contracts"]["client"] = "00".repeat(32).into();
    describe(&at(""), &description);
    differs(line, "the client contract's code is 0000");
    description["format"] = 2.into();
    describe(&at(""), &description);
    differs(line, "is of format 2");

    list(&at(""));
    std::fs::write(
        at("SHA256SUMS"),
        std::fs::read_to_string(at("SHA256SUMS")).unwrap() + "x\n",
    )
    .unwrap();
    differs(line, "SHA256SUMS.minisig is not of the key");
    std::fs::remove_file(at("SHA256SUMS.minisig")).unwrap();
    differs(line, "there is no SHA256SUMS.minisig");
}

#[test]
fn who_names_no_key_must_say_so_and_is_told_that_nobody_signed() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let none = cocoon(folder.path(), "verify release release");
    assert_eq!(none.status.code(), Some(2), "{}", text(&none.stdout));
    let unsigned = cocoon(folder.path(), "verify release release --unsigned");
    assert_eq!(unsigned.status.code(), Some(0), "{}", text(&unsigned.stderr));
    assert!(
        text(&unsigned.stdout).starts_with("UNSIGNED: "),
        "{}",
        text(&unsigned.stdout)
    );
    for (line, exit) in [
        ("verify release nowhere --unsigned", 3),
        ("verify release release --key RWnotakey", 2),
        ("verify release release --key-file release/release.json", 3),
    ] {
        let wrong = cocoon(folder.path(), line);
        assert_eq!(wrong.status.code(), Some(exit), "{line}: {}", text(&wrong.stderr));
        assert!(text(&wrong.stderr).contains("\nhint: "), "{line}");
    }
}
