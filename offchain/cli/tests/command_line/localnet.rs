//! The local chain as developers use it: run, told what to do, killed, and run again.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{cocoon, json as told, shown};

const SOMEBODY: &str = "0:1111111111111111111111111111111111111111111111111111111111111111";
const START: u64 = 1_790_000_000;

/// A running chain, killed when it is dropped.
struct Chain {
    process: Child,
    ready: Value,
}

impl Chain {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cocoon"))
            .args(["localnet", "run", "--listen", "127.0.0.1:0", "--json", "--log", "warn"])
            .args(more)
            .current_dir(folder)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let ready = serde_json::from_str(&text).unwrap();
        Self { process, ready }
    }

    fn url(&self) -> &str {
        self.ready["at"].as_str().unwrap()
    }

    fn order(&self, folder: &Path, line: &str) -> Value {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--json", "--url", self.url()]);
        told(&cocoon(folder, &arguments))
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // It may have ended; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_local_chain_does_what_it_is_told_and_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let start = START.to_string();
    let options = ["--state", "chain.state", "--start-time", &start];
    let chain = Chain::start(folder, &options);
    assert_eq!(
        (&chain.ready["ready"], &chain.ready["global_config"]),
        (&json!("chain"), &Value::Null)
    );

    let funded = chain.order(folder, &format!("localnet fund {SOMEBODY} 2.5"));
    assert_eq!(funded["balance"], "2500000000");
    assert_eq!(chain.order(folder, "localnet advance 60")["now"], START + 60);
    assert_eq!(
        chain.order(folder, &format!("localnet advance --to {}", START + 100))["now"],
        START + 100
    );
    let block = chain.order(folder, "localnet mine 3")["block"].as_u64().unwrap();
    assert_eq!(chain.order(folder, "localnet mine")["block"], block + 1);
    let number = chain.order(folder, "localnet snapshot")["snapshot"].as_u64().unwrap();
    chain.order(folder, &format!("localnet fund {SOMEBODY} 1"));
    assert_eq!(chain.order(folder, "localnet status")["transactions"], 2);
    assert_eq!(
        chain.order(folder, &format!("localnet restore {number}"))["now"],
        START + 100
    );
    let status = chain.order(folder, "localnet status");
    assert_eq!(
        (
            &status["transactions"],
            &status["block"],
            &status["clock"],
            &status["snapshots"]
        ),
        (&json!(1), &json!(block + 1), &json!("manual"), &json!([number]))
    );
    let text = cocoon(folder, &["localnet", "status", "--url", chain.url()]);
    insta::assert_snapshot!(String::from_utf8(text.stdout).unwrap());

    drop(chain);
    let chain = Chain::start(folder, &options);
    let again = chain.order(folder, "localnet status");
    assert_eq!((&again["now"], &again["block"]), (&status["now"], &status["block"]));
    assert_eq!((&again["transactions"], &again["snapshots"]), (&json!(1), &json!([])));
}

#[test]
fn a_chain_in_memory_has_a_lite_server_when_it_is_asked_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::start(
        folder.path(),
        &["--lite-listen", "127.0.0.1:0", "--block-interval", "3600"],
    );
    let config = chain.ready["global_config"].as_str().unwrap();
    assert!(config.ends_with("/global.config.json"), "{config}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is written"
    );
}

#[test]
fn orders_that_cannot_be_followed_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let chain = Chain::start(folder, &["--start-time", "1790000000"]);
    let run = |line: &str| {
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--url", chain.url()]);
        shown(&cocoon(folder, &arguments))
    };
    insta::assert_snapshot!("localnet-back-in-time", run("localnet advance --to 5"));
    insta::assert_snapshot!("localnet-no-such-snapshot", run("localnet restore 7"));
    insta::assert_snapshot!(
        "localnet-too-many-coins",
        run(&format!("localnet fund {SOMEBODY} 99000000000"))
    );
    insta::assert_snapshot!("localnet-no-chain", {
        let nobody = ["localnet", "mine", "--url", "http://127.0.0.1:1"];
        let output = cocoon(folder, &nobody);
        assert_eq!(output.status.code(), Some(4));
        let text = shown(&output);
        text.lines()
            .filter(|line| !line.contains("caused by"))
            .collect::<Vec<_>>()
            .join("\n")
    });
    insta::assert_snapshot!("localnet-no-network", shown(&cocoon(folder, &["localnet", "mine"])));
    insta::assert_snapshot!(
        "localnet-advance-by-nothing",
        shown(&cocoon(folder, &["localnet", "advance"]))
    );
}
