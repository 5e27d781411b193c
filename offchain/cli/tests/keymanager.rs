//! `cocoon keymanager` as a person sees it: owners' keys, and what goes wrong.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

fn cocoon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cocoon"))
        .arg("keymanager")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_owner_key_prints_its_public_half_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let made = cocoon(folder.path(), &["owner-key", "--out", "owner.key"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let public = String::from_utf8(made.stdout).unwrap();
    assert_eq!(public.trim().len(), 64, "{public}");
    let secret = std::fs::read_to_string(folder.path().join("owner.key")).unwrap();
    assert_ne!(secret.trim(), public.trim());
    let again = cocoon(folder.path(), &["owner-key", "--out", "owner.key"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(stderr(&again).contains("\nhint: "));
    let kept = std::fs::read_to_string(folder.path().join("owner.key")).unwrap();
    assert_eq!(kept, secret);
}

#[test]
fn a_replica_that_is_not_there_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let url = ["--url", "http://127.0.0.1:1"];
    for arguments in [vec!["status"], vec!["backup", "--out", "shares"]] {
        let output = cocoon(folder.path(), &[&arguments[..], &url].concat());
        assert_eq!(output.status.code(), Some(5), "{arguments:?}");
        assert!(stderr(&output).contains("\nhint: "));
        assert!(output.stdout.is_empty());
    }
    assert!(!folder.path().join("shares").exists(), "nothing is left behind");
}

#[test]
fn a_first_start_of_a_known_key_manager_is_refused_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let chain = "[chain]\nurl = 'http://127.0.0.1:1'\nroot = '0:00'\n";
    let path = folder.path().join("keymanager.toml");
    let run = |text: &str, flag: &str| {
        std::fs::write(&path, format!("{text}\n{chain}")).unwrap();
        cocoon(folder.path(), &["run", "--config", "keymanager.toml", flag])
    };
    let id = format!("id = '{}'", "ab".repeat(32));
    for (text, flag, says) in [
        (id.as_str(), "--new", "`id` is known"),
        ("", "--restore", "`id` must say which key manager is restored"),
        ("peerz = []", "--new", "peerz"),
    ] {
        let output = run(text, flag);
        assert_eq!(output.status.code(), Some(3), "{says}");
        let told = stderr(&output);
        assert!(told.contains(says) && told.contains("\nhint: "), "{told}");
    }
}

#[test]
fn a_restore_names_the_file_that_is_no_share() {
    let folder = tempfile::tempdir().unwrap();
    let made = cocoon(folder.path(), &["owner-key", "--out", "owner.key"]);
    assert_eq!(made.status.code(), Some(0));
    let config = "images = []\n[chain]\nurl = 'http://127.0.0.1:1'\nroot = '0:00'\n";
    std::fs::write(folder.path().join("owner.toml"), config).unwrap();
    std::fs::write(folder.path().join("share.json"), "{}").unwrap();
    let arguments = [
        "restore",
        "--config",
        "owner.toml",
        "--to",
        "127.0.0.1:1",
        "--key",
        "owner.key",
        "share.json",
    ];
    let output = cocoon(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(3));
    let told = stderr(&output);
    assert!(
        told.contains("share.json is not the file of a share") && told.contains("\nhint: "),
        "{told}"
    );
}
