//! `cocoon log` on the golden log of the independent implementation.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log")
}

fn cocoon(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cocoon"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_log_is_shown_copied_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let place = golden().display().to_string();
    let shown = json(&cocoon(&["log", "show", &place, "--json"]));
    assert_eq!(
        (shown["receipts"].as_u64(), shown["key_given"].as_bool()),
        (Some(275), Some(false))
    );
    let key = shown["key"].as_str().unwrap();
    let out = folder.path().join("mirror").display().to_string();
    let mirrored = json(&cocoon(&[
        "log", "mirror", &place, "--out", &out, "--key", key, "--json",
    ]));
    assert_eq!(
        (mirrored["before"].as_u64(), mirrored["size"].as_u64()),
        (Some(0), Some(275))
    );
    let again = json(&cocoon(&[
        "log", "mirror", &place, "--out", &out, "--key", key, "--json",
    ]));
    assert_eq!(again["before"].as_u64(), Some(275));
    let since = format!("{out}/checkpoint");
    let verified = json(&cocoon(&[
        "log", "verify", &out, "--since", &since, "--key", key, "--json",
    ]));
    assert_eq!(
        (verified["receipts"].as_u64(), verified["continues"].as_u64()),
        (Some(275), Some(275))
    );
    let text = cocoon(&["log", "verify", &out]);
    assert!(String::from_utf8_lossy(&text.stderr).contains("the log's own word"));
}

#[test]
fn a_proof_is_written_found_and_checked_without_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let place = golden().display().to_string();
    let file = folder.path().join("proof").display().to_string();
    let proven = json(&cocoon(&[
        "log", "prove", &place, "--index", "3", "--out", &file, "--json",
    ]));
    let id = proven["receipt"].as_str().unwrap().to_owned();
    let found = json(&cocoon(&[
        "log",
        "prove",
        &place,
        "--receipt",
        &id,
        "--out",
        &file,
        "--json",
    ]));
    assert_eq!(found, proven);
    let shown = json(&cocoon(&["log", "show", &place, "--json"]));
    let key = shown["key"].as_str().unwrap();
    let verified = json(&cocoon(&["log", "verify", "--proof", &file, "--key", key, "--json"]));
    // A file has no certificate: who reads it knows nothing of the worker's signature.
    let mut known = proven;
    known["says"].as_object_mut().unwrap().remove("worker_signed").unwrap();
    assert_eq!(verified, known);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("index 3", "index 4", 1)).unwrap();
    let wrong = cocoon(&["log", "verify", "--proof", &file, "--key", key]);
    assert_eq!(wrong.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8_lossy(&wrong.stderr), @r"
    error: the proof does not lead from the receipt to the checkpoint's root
    hint: the proof proves nothing: ask for another one
    ");
    let unknown = cocoon(&["log", "prove", &place, "--receipt", &"0".repeat(64), "--out", &file]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn what_does_not_hold_has_its_exit_code_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("log");
    copy(&golden(), &place);
    let changed = place.join("tile/entries/000");
    let mut bytes = std::fs::read(&changed).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&changed, bytes).unwrap();
    let place = place.display().to_string();
    let verified = cocoon(&["log", "verify", &place]);
    assert_eq!(verified.status.code(), Some(1));
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(
        told.contains("error: entry 2 does not belong to the tree of the checkpoint\nhint: "),
        "{told}"
    );
    let foreign = "11".repeat(32);
    let other = cocoon(&["log", "show", &place, "--key", &foreign]);
    assert_eq!(other.status.code(), Some(1));
    let nowhere = cocoon(&["log", "show", "no/such/folder"]);
    assert_eq!(nowhere.status.code(), Some(2));
    let away = cocoon(&["log", "show", "http://127.0.0.1:9", "--key", &foreign]);
    assert_eq!(away.status.code(), Some(5));
    let no_key = cocoon(&["log", "show", &place, "--key", "abc"]);
    assert_eq!(no_key.status.code(), Some(2));
}
