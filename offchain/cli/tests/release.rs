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

/// A signature over the list itself, as minisign made them until it hashed first.
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
    proven   contracts    release.json says that the code of all 6 is that of this program
    unknown  images       no network was named whose lists could be compared
    ");
    let one = cocoon(
        folder.path(),
        "verify release release/bin/cocoon --key-file minisign.pub --json",
    );
    let one: Value = serde_json::from_slice(&one.stdout).unwrap();
    for field in ["verified", "signed", "authentic", "fits"] {
        assert_eq!(one[field], true, "{field}");
    }
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

/// Writes the public key, and gives a command line that verifies with it.
fn verifying(folder: &Path) -> &'static str {
    std::fs::write(folder.join("minisign.pub"), public_key(&key())).unwrap();
    "verify release release --key-file minisign.pub"
}

#[test]
fn a_signed_release_of_another_time_is_told_apart_from_a_forged_one() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let line = verifying(folder.path());
    let at = folder.path().join("release");
    let mut description: Value = serde_json::from_slice(&std::fs::read(at.join("release.json")).unwrap()).unwrap();
    let told = |line: &str, says: &[&str], authentic: bool| {
        let told = cocoon(folder.path(), line);
        assert_eq!(told.status.code(), Some(1), "{}", text(&told.stderr));
        let first = text(&told.stdout).lines().next().unwrap();
        assert!(says.iter().all(|part| first.contains(part)), "{first}");
        let told = cocoon(folder.path(), &format!("{line} --json"));
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(
            (&told["verified"], &told["authentic"], &told["fits"]),
            (&false.into(), &authentic.into(), &false.into()),
            "{told}"
        );
    };
    let signed = "The files are those that were signed, but ";
    description["program"]["contracts"]["client"] = "00".repeat(32).into();
    describe(&at, &description);
    told(line, &[signed, "the client contract's code is 0000"], true);
    let unsigned = "verify release release --unsigned";
    told(
        unsigned,
        &["UNSIGNED: ", "nothing says who made them", "the client contract's"],
        false,
    );
    description["format"] = 2.into();
    describe(&at, &description);
    told(line, &[signed, "is of format 2"], true);
}

#[test]
fn one_file_with_the_signed_list_is_verified_without_the_rest_of_the_release() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let all = verifying(folder.path());
    let at = |name: &str| folder.path().join("release").join(name);
    std::fs::remove_file(at("release.json")).unwrap();
    let line = all.replacen("release release", "release release/bin/cocoon", 1);
    let one = cocoon(folder.path(), &line);
    assert_eq!(one.status.code(), Some(0), "{}{}", text(&one.stdout), text(&one.stderr));
    insta::assert_snapshot!(text(&one.stdout), @r"
    Verified: bin/cocoon is the one that was signed
    proven   signature    of SHA256SUMS by the key that was named; it says: cocoon of a test
    proven   files        bin/cocoon is the one that is listed
    unknown  description  release.json is not beside it: version, contracts and images were not compared
    ");
    let whole = cocoon(folder.path(), all);
    assert_eq!(whole.status.code(), Some(1), "the folder lacks a file of it");

    for (name, bytes, says) in [
        ("bin/cocoon", "another program", "bin/cocoon has the SHA-256 "),
        ("release.json", "{}", "release.json has the SHA-256 "),
    ] {
        std::fs::write(at("bin/cocoon"), "a program").unwrap();
        std::fs::write(at(name), bytes).unwrap();
        let other = cocoon(folder.path(), &line);
        assert_eq!(other.status.code(), Some(1), "{}", text(&other.stderr));
        let told = text(&other.stdout);
        assert!(
            told.starts_with("This is NOT the release: ") && told.contains(says),
            "{told}"
        );
    }
}

#[test]
fn names_and_texts_of_a_forged_release_cannot_write_over_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let line = verifying(folder.path());
    let at = |name: &str| folder.path().join("release").join(name);
    let shown = |line: &str, exit: i32| {
        let told = cocoon(folder.path(), line);
        assert_eq!(told.status.code(), Some(exit), "{}", text(&told.stderr));
        let told = text(&told.stdout).to_owned();
        let plain = |character: char| character == '\n' || !character.is_control();
        assert!(told.chars().all(plain), "{told:?}");
        told
    };
    let name = "\u{1b}[2K\rVerified: the files are those that were signed \u{1b}[8m";
    std::fs::write(at(name), "").unwrap();
    let told = shown(line, 1);
    assert!(
        told.starts_with("This is NOT the release: \\u{1b}[2K\\u{d}Verified"),
        "{told}"
    );
    std::fs::remove_file(at(name)).unwrap();

    // A description with such texts, first in a list that nobody checked, then in one that is not of the key.
    let mut description: Value = serde_json::from_slice(&std::fs::read(at("release.json")).unwrap()).unwrap();
    description["version"] = "9\u{1b}[2K\rVerified".into();
    describe(&at(""), &description);
    let told = shown("verify release release --unsigned", 0);
    assert!(told.contains("cocoon 9\\u{1b}[2K\\u{d}Verified"), "{told}");
    let stranger = SigningKey::from_bytes(&[43; 32]);
    sign(&at(""), &stranger);
    let told = shown(line, 1);
    assert!(
        told.starts_with("This is NOT the release: ") && !told.contains("\nrelease  cocoon"),
        "{told}"
    );
    assert!(
        !told.contains("contracts"),
        "nothing of a description that is not signed is told: {told}"
    );
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
