//! What a person sees: help of every command, and errors with their hints and exit codes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "command_line/api_key.rs"]
mod api_key;
#[path = "command_line/localnet.rs"]
mod localnet;
#[path = "command_line/owners/mod.rs"]
mod owners;

use std::path::Path;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use cocoon_cli::args::Cli;

fn cocoon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cocoon"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

/// Exit code, stdout and stderr, with what differs between machines left out.
fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    format!(
        "exit {code}\n--- stdout\n{}--- stderr\n{}",
        text(&output.stdout),
        text(&output.stderr)
    )
}

#[test]
fn help_of_every_command() {
    fn walk(command: &mut clap::Command, path: &str, all: &mut Vec<(String, String)>) {
        all.push((path.to_owned(), command.render_long_help().to_string()));
        for inner in command.get_subcommands_mut() {
            let path = format!("{path} {}", inner.get_name());
            walk(inner, &path, all);
        }
    }
    let mut all = Vec::new();
    let mut command = Cli::command().term_width(100);
    command.build();
    walk(&mut command, "cocoon", &mut all);
    for (path, help) in all {
        insta::assert_snapshot!(path.replace(' ', "-"), help);
    }
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(shown(&cocoon(folder.path(), &["up", "--no-attestation"])));
}

#[test]
fn commands_on_a_missing_network_say_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = "5".repeat(64);
    for arguments in [
        &["audit"][..],
        &["chat", "Hello"],
        &["root", "show"],
        &["status"],
        &["verify", "receipt", receipt.as_str()],
    ] {
        let output = cocoon(folder.path(), arguments);
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown(&output), @r"
            exit 3
            --- stdout
            --- stderr
            error: no local network in .cocoon
              caused by: No such file or directory (os error 2)
            hint: start one with `cocoon up`, or name its folder with --data-dir
            ");
        }
    }
}

#[test]
fn a_file_without_a_receipt_says_what_could_be_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.json"), "{\"id\": 5}").unwrap();
    let zero = format!("0:{}", "0".repeat(64));
    let line = [
        "verify",
        "receipt",
        "page.json",
        "--chain-url",
        "http://127.0.0.1:1",
        "--root",
        zero.as_str(),
    ];
    insta::assert_snapshot!(shown(&cocoon(folder.path(), &line)), @r"
    exit 5
    --- stdout
    --- stderr
    error: page.json holds no receipt
      caused by: it is no page of a receipt, no proof, no disclosed exchange and no bag of cells
    hint: give the id of a receipt, or a file: the page of GET /v1/cocoon/receipts/{id}, what `cocoon log prove` wrote, a disclosed exchange, or a signed receipt as a bag of cells
    ");
    let line = ["verify", "receipt", "page.json", "--chain-url", "http://127.0.0.1:1"];
    assert_eq!(
        cocoon(folder.path(), &line).status.code(),
        Some(2),
        "which root is meant must be said"
    );
}

#[test]
fn an_unreachable_chain_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let zero = format!("0:{}", "0".repeat(64));
    let url = "http://127.0.0.1:1/api/v2/jsonRPC";
    let output = cocoon(folder.path(), &["root", "show", "--chain-url", url, "--root", &zero]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("\nhint: "));
}

#[test]
fn an_unreachable_client_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let output = cocoon(
        folder.path(),
        &["chat", "--url", "http://127.0.0.1:1", "--model", "m", "Hello"],
    );
    assert_eq!(output.status.code(), Some(5));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_model_that_cannot_be_pulled_is_a_matter_of_the_caller_or_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, exit) in [
        (["qwen", "--hub", "http://127.0.0.1:1"], 2),
        (["acme/tiny", "--hub", "hub.example.org"], 2),
        (["acme/tiny", "--hub", "http://127.0.0.1:1"], 5),
    ] {
        let mut line = vec!["model", "pull"];
        line.extend(arguments);
        let output = cocoon(folder.path(), &line);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8(output.stderr).unwrap().contains("\nhint: "));
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_wrong_key_of_a_configuration_is_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("chain.toml"),
        "listen = \"127.0.0.1:0\"\nstate = \"x\"\n",
    )
    .unwrap();
    insta::assert_snapshot!(shown(&cocoon(
        folder.path(),
        &["localnet", "run", "--config", "chain.toml"]
    )));
}

/// The tiny model in `folder/tiny`.
fn tiny(folder: &Path) {
    cocoon_engine::tiny::write_to(&folder.join("tiny")).unwrap();
}

fn json(output: &Output) -> serde_json::Value {
    assert_eq!(output.status.code(), Some(0), "{}", shown(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_model_is_packed_checked_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path());
    let run = |line: &str| cocoon(folder.path(), &line.split(' ').collect::<Vec<_>>());
    let built = json(&run("model build tiny --out packed --weights q8 --json"));
    assert_eq!(
        (&built["weights"], &built["parameters"]),
        (&"q8".into(), &820_608.into())
    );
    let files = built["files"].as_array().unwrap().iter();
    let names: Vec<&str> = files.map(|file| file["path"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"model.packed") && names.contains(&"tokenizer.json"),
        "{names:?}"
    );

    let checked = json(&run("model check packed --json"));
    assert_eq!((&checked["packed"], &checked["fits"]), (&"q8".into(), &true.into()));
    assert_eq!(checked["plans"].as_array().unwrap().len(), 1);
    assert_eq!(
        json(&run("model check tiny --json"))["plans"].as_array().unwrap().len(),
        4
    );
    let too_much = run("model check tiny --weights q4 --max-kv-tokens 1000000000000");
    assert_eq!(too_much.status.code(), Some(1), "{}", shown(&too_much));
    let text = String::from_utf8(too_much.stdout).unwrap();
    assert!(
        text.contains("q4       does not fit: ") && text.contains("tokens of cache would fit"),
        "{text}"
    );

    let words = "Cocoon is a network for private inference of language models. What is a receipt? ".repeat(3);
    std::fs::write(folder.path().join("text.txt"), words).unwrap();
    let measured = json(&run("model quality packed --reference tiny --text text.txt --json"));
    assert_eq!(measured["weights"], "q8");
    let divergence = measured["mean_divergence"].as_f64().unwrap();
    assert!(0.0 < divergence && divergence < 0.05, "{divergence}");
    let own = json(&run("model quality tiny --weights f32 --text text.txt --json"));
    assert_eq!(own["mean_divergence"], 0.0);
}

#[test]
fn models_that_cannot_be_packed_or_read_say_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path());
    let run = |line: &str| cocoon(folder.path(), &line.split(' ').collect::<Vec<_>>());
    insta::assert_snapshot!(
        "model-build-over-a-folder",
        shown(&run("model build tiny --out tiny --weights q8"))
    );
    insta::assert_snapshot!(
        "model-build-from-nothing",
        shown(&run("model build nothing --out new --weights q8"))
    );
    insta::assert_snapshot!(
        "model-build-in-an-unknown-format",
        shown(&run("model build tiny --out new --weights q5"))
    );
    insta::assert_snapshot!(
        "model-quality-without-text",
        shown(&run("model quality tiny --weights q8 --text missing.txt"))
    );
    assert!(!folder.path().join("new").exists());
    assert_eq!(run("model build tiny --out new --weights q8").status.code(), Some(0));
    insta::assert_snapshot!(
        "model-build-from-packed",
        shown(&run("model build new --out newer --weights q8"))
    );
    insta::assert_snapshot!(
        "model-check-in-another-format",
        shown(&run("model check new --weights q4"))
    );
    let path = folder.path().join("new/model.packed");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    insta::assert_snapshot!("model-check-of-a-cut-file", shown(&run("model check new")));
}
