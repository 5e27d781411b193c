//! Archives of models from the command line: made, verified, damaged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    /// A folder with the tiny model in `tiny`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        cocoon_engine::tiny::write_to(&folder.path().join("tiny")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cocoon"))
            .args(line.split(' '))
            .current_dir(self.path())
            .env_clear()
            .output()
            .unwrap()
    }

    /// Result and exit code of a command with `--json`.
    fn json(&self, line: &str) -> (Value, i32) {
        let output = self.run(&format!("{line} --json"));
        let value = serde_json::from_slice(&output.stdout);
        let value = value.unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&output.stderr).into_owned()));
        (value, output.status.code().unwrap())
    }
}

#[test]
fn an_archive_is_made_named_and_verified() {
    let place = Place::new();
    let (built, exit) = place.json("model build tiny --archive tiny.erofs --name acme/tiny@abc123");
    assert_eq!(exit, 0, "{built}");
    let archive = &built["archive"];
    let name = archive["name"].as_str().unwrap();
    let hash = archive["verity_hash"].as_str().unwrap();
    assert_eq!(name, format!("acme/tiny@abc123:{hash}"));
    let parsed: cocoon_manifest::ModelName = name.parse().unwrap();
    assert_eq!(archive["model_hash"], parsed.model_hash().to_string());
    for path in ["tiny.erofs", "tiny"] {
        let (verified, exit) = place.json(&format!("model verify {path} --name {name} --against tiny"));
        assert_eq!((exit, &verified["matches"]), (0, &Value::from(true)), "{verified}");
        assert_eq!(
            (&verified["files"], &verified["model_hash"]),
            (&archive["files"], &archive["model_hash"])
        );
    }
    let plain = place.run("model verify tiny.erofs");
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(
        text.starts_with("tiny.erofs: nothing differs\n  verity hash  "),
        "{text}"
    );
}

#[test]
fn packed_weights_are_archived_in_one_go() {
    let place = Place::new();
    let (built, exit) = place.json("model build tiny --weights q8 --out packed --archive packed.erofs");
    assert_eq!(exit, 0, "{built}");
    assert_eq!((&built["weights"], &built["folder"]), (&"q8".into(), &"packed".into()));
    assert_eq!(built["archive"]["files"], built["files"]);
    let (verified, exit) = place.json("model verify packed --against packed.erofs");
    assert_eq!(exit, 0, "{verified}");
    assert_eq!(verified["verity_hash"], built["archive"]["verity_hash"]);
}

#[test]
fn what_differs_is_said_with_exit_code_one() {
    let place = Place::new();
    let (built, _) = place.json("model build tiny --archive tiny.erofs --name tiny@1");
    let name = built["archive"]["name"].as_str().unwrap();
    let config = place.path().join("tiny/config.json");
    let content = std::fs::read(&config).unwrap();
    std::fs::write(&config, [&content[..], b" "].concat()).unwrap();
    let (verified, exit) = place.json("model verify tiny --against tiny.erofs");
    let size = content.len();
    assert_eq!((exit, &verified["matches"]), (1, &Value::from(false)));
    assert_eq!(
        verified["difference"],
        format!("config.json has {} bytes, not {size}", size + 1)
    );
    let (verified, exit) = place.json(&format!("model verify tiny --name {name}"));
    assert_eq!(exit, 1);
    assert!(
        verified["difference"]
            .as_str()
            .unwrap()
            .starts_with("the folder gives another archive than ")
    );

    let archive = place.path().join("tiny.erofs");
    let whole = std::fs::read(&archive).unwrap();
    let mut bytes = whole.clone();
    let at = bytes
        .windows(12)
        .rposition(|window| window == b"\"model_type\"")
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(&archive, &bytes).unwrap();
    let (verified, exit) = place.json(&format!("model verify tiny.erofs --name {name}"));
    assert_eq!(exit, 1);
    assert!(
        verified["difference"]
            .as_str()
            .unwrap()
            .starts_with("config.json differs, first in "),
        "{verified}"
    );
    // Something else altogether is a verdict too, with a hint.
    std::fs::write(&archive, "PK").unwrap();
    let (said, exit) = place.json("model verify tiny.erofs");
    assert_eq!(exit, 1);
    assert!(
        said.as_str().unwrap().contains("this is not a model archive") && said.as_str().unwrap().contains("hint: ")
    );
    let (said, exit) = place.json("model verify nothing");
    assert_eq!(
        (exit, said.as_str().unwrap().contains("cannot read nothing")),
        (3, true)
    );
}

#[test]
fn a_build_that_would_make_nothing_or_the_wrong_thing_is_a_usage_error() {
    let place = Place::new();
    for line in [
        "model build tiny",
        "model build tiny --weights q8",
        "model build tiny --out x",
        "model build tiny --weights q8 --archive x",
        "model build tiny --weights q8 --out x --name a@b",
        "model build tiny --archive x --name a",
        "model build tiny --archive x --name a@b:c",
        "model verify tiny --name a@b",
        "model verify tiny --name a@b:c",
    ] {
        assert_eq!(place.run(line).status.code(), Some(2), "{line}");
    }
    std::fs::write(place.path().join("there"), "mine").unwrap();
    let (said, exit) = place.json("model build tiny --weights q8 --out packed --archive there");
    assert_eq!(
        (exit, said.as_str().unwrap().contains("there is there already")),
        (3, true)
    );
    assert!(!place.path().join("packed").exists());
    assert_eq!(std::fs::read(place.path().join("there")).unwrap(), b"mine");
}

#[test]
fn a_manifest_tells_which_field_of_a_model_differs() {
    let place = Place::new();
    let (written, exit) = place.json("model manifest tiny --name acme/tiny@1:2 --out tiny.manifest --weights q8");
    assert_eq!(exit, 0, "{written}");
    let bytes = std::fs::read(place.path().join("tiny.manifest")).unwrap();
    let manifest = cocoon_manifest::ModelManifest::parse(&bytes).unwrap();
    assert_eq!(written["manifest_hash"], manifest.hash().to_string());
    assert_eq!(manifest.facts().precision, "q8");
    let (same, exit) = place.json("model verify tiny --manifest tiny.manifest");
    assert_eq!((exit, &same["matches"]), (0, &true.into()), "{same}");

    let text = String::from_utf8(bytes).unwrap();
    let engine = format!("engine {}", manifest.facts().engine);
    let other = text
        .replace(&engine, "engine cocoon-engine/0.0.0")
        .replace("device cpu", "device abacus");
    std::fs::write(place.path().join("tiny.manifest"), other).unwrap();
    let (differs, exit) = place.json("model verify tiny --manifest tiny.manifest");
    assert_eq!(exit, 1, "{differs}");
    let fields = differs["manifest_differences"].as_array().unwrap();
    assert_eq!(fields.len(), 2, "{differs}");
    assert!(
        fields[0].as_str().unwrap().ends_with(", not cocoon-engine/0.0.0"),
        "{differs}"
    );
    assert_eq!(fields[1], "device is cpu, not abacus");

    std::fs::write(place.path().join("tiny/config.json"), b"{}").unwrap();
    let broken = place.run("model verify tiny --manifest tiny.manifest");
    assert_eq!(broken.status.code(), Some(3));
    assert!(String::from_utf8(broken.stderr).unwrap().contains("\nhint: "));
}
