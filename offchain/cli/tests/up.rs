//! `cocoon up --prompt` as a person runs it: a network from nothing, one answer, paid to the last token.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Far from the usual ports, so that a network of the developer is left alone.
const INSTANCE: &str = "431";

fn cocoon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cocoon"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> u128 {
    value
        .as_str()
        .map_or_else(|| u128::from(value.as_u64().unwrap()), |text| text.parse().unwrap())
}

/// One receipt is traced, and all are written as rows, of a network that has stopped.
fn check_receipt(folder: &Path, id: &str) {
    let traced = cocoon(folder, &["verify", "receipt", id]);
    let told = String::from_utf8_lossy(&traced.stdout).into_owned();
    assert_eq!(
        traced.status.code(),
        Some(0),
        "{told}{}",
        String::from_utf8_lossy(&traced.stderr)
    );
    assert!(told.starts_with(&format!("Proven: receipt {id}")), "{told}");
    assert!(told.contains("\nSIMULATED: a test network"), "{told}");
    for step in [
        "proxy's signature",
        "in the log",
        "worker's quote",
        "model",
        "charge",
        "worker was paid",
    ] {
        assert!(told.contains(&format!("\nproven   {step:<21} ")), "{step}: {told}");
    }
    let shown = json(&cocoon(folder, &["verify", "receipt", id, "--json"]));
    assert_eq!((&shown["verdict"], &shown["receipt"]), (&"proven".into(), &id.into()));
    let other = format!("0:{}", "1".repeat(64));
    let foreign = cocoon(folder, &["verify", "receipt", id, "--root", &other, "--json"]);
    assert_eq!(foreign.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&foreign.stderr).contains("Refuted: receipt "));
    let unknown = cocoon(folder, &["verify", "receipt", &"0".repeat(64)]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no receipt 0000"));

    let exported = json(&cocoon(folder, &["audit", "export", "--out", "rows", "--json"]));
    assert_eq!(
        (&exported["receipts"], &exported["files"][0]),
        (&1.into(), &"receipts-00000.parquet".into())
    );
    let again = cocoon(folder, &["audit", "export", "--out", "rows"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"));
}

#[test]
fn one_answer_is_paid_settled_and_audited_and_the_network_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let ask = [
        "up",
        "--instance",
        INSTANCE,
        "--max-tokens",
        "24",
        "--json",
        "--prompt",
        "What is a cocoon?",
    ];
    let first = json(&cocoon(folder.path(), &ask));
    assert_eq!(first["simulated"], true);
    assert!(!first["answer"].as_str().unwrap().is_empty());
    assert_eq!(first["receipt_id"].as_str().unwrap().len(), 64);
    check_money(&first);

    let audit = cocoon(folder.path(), &["audit", "--json"]);
    assert_eq!(
        audit.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&audit.stderr)
    );

    check_receipt(folder.path(), first["receipt_id"].as_str().unwrap());
    let second = json(&cocoon(folder.path(), &ask));
    assert_eq!(
        second["before"]["client_tokens_charged"], first["after"]["client_tokens_charged"],
        "it was resumed"
    );
    check_money(&second);
    assert_eq!(cocoon(folder.path(), &["audit"]).status.code(), Some(0));
    check_bundle(folder.path());

    // A reader that has gone changes nothing about the verdict.
    let mut unread = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    unread.arg("audit").current_dir(folder.path());
    let mut unread = unread.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(0));

    // One flipped bit of the log is found, and the receipt is named.
    let log = folder.path().join(".cocoon/proxy/receipts.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let tampered = cocoon(folder.path(), &["audit", "--json"]);
    assert_eq!(tampered.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&tampered.stdout).unwrap();
    assert_eq!(report["verdict"], "different");
    assert_eq!(report["difference"]["receipt"], second["receipt_id"]);
}

/// What the proxy published goes into a bundle, which says the same without the network, until something is changed in it.
fn check_bundle(folder: &Path) {
    let run = ["audit", "run", "--bundle", "bundle", "--json"];
    let written = json(&cocoon(folder, &["audit", "bundle", "--out", "bundle", "--json"]));
    let checked = json(&cocoon(folder, &run));
    assert_eq!((&written["verdict"], &checked), (&Value::from("equal"), &written));
    let published = json(&cocoon(folder, &["audit", "run", "--from", ".cocoon/log", "--json"]));
    assert_eq!(published["log"], checked["log"]);

    let statement = ["audit", "statement", "--role", "client", "--bundle", "bundle"];
    let csv = String::from_utf8(cocoon(folder, &statement).stdout).unwrap();
    let spent: u128 = csv
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap().parse::<u128>().unwrap())
        .sum();
    let client = checked["channels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["role"] == "client");
    assert_eq!(spent, number(&client.unwrap()["amount"]));

    let chain = folder.join("bundle/chain.json");
    let honest = std::fs::read_to_string(&chain).unwrap();
    std::fs::write(&chain, honest.replace("\"grace\":3600", "\"grace\":9999")).unwrap();
    assert_eq!(cocoon(folder, &run).status.code(), Some(1));
    std::fs::remove_dir_all(folder.join("bundle")).unwrap();
    let missing = cocoon(folder, &run);
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("\nhint: "));
}

/// Charged = paid, and the price splits between worker and proxy to the last nanoton.
fn check_money(paid: &Value) {
    let (before, after) = (&paid["before"], &paid["after"]);
    let grown = |name: &str| number(&after[name]) - number(&before[name]);
    let tokens = number(&paid["tokens"]);
    assert!(tokens > 0);
    assert_eq!(grown("client_tokens_charged"), tokens);
    assert_eq!(grown("worker_tokens_paid"), tokens);
    let cost = number(&before["client_contract"]) - number(&after["client_contract"]);
    assert_eq!(cost, number(&paid["cost"]));
    assert_eq!(cost, tokens * 10_000);
    assert_eq!(grown("proxy_contract"), tokens * 2_000);
    // Everything else of the price goes to the worker's owner, less the fee of the last hop.
    let payout = grown("worker_owner");
    assert!(
        payout <= tokens * 8_000 && payout + 2_000_000 > tokens * 8_000,
        "{payout}"
    );
}
