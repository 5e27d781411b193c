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
    let options = ["--state", "chain.state", "--start-time", start.as_str()];
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
    let expected = format!(
        "time          {} (manual clock)\nblock         {}\ntransactions  1\nsnapshots     {number}\n",
        START + 100,
        block + 1
    );
    assert_eq!(String::from_utf8(text.stdout).unwrap(), expected);

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
        let output = cocoon(folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let refused = "error: the local chain refused: ";
    assert_eq!(
        run("localnet advance --to 5"),
        format!(
            "{refused}the chain's time is 1790000000, it cannot go back to 5\nhint: see `cocoon localnet --help`\n"
        )
    );
    assert_eq!(
        run("localnet restore 7"),
        format!("{refused}there is no snapshot 7\nhint: `cocoon localnet status` lists the snapshots\n")
    );
    let too_much = run(&format!("localnet fund {SOMEBODY} 99000000000"));
    assert!(
        too_much.starts_with(&format!("{refused}the faucet gives at most ")),
        "{too_much}"
    );
    assert!(run("localnet mine 4000000000").starts_with(&format!("{refused}at most 10000 blocks")));

    let nobody = cocoon(folder, &["localnet", "mine", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(4));
    let text = String::from_utf8(nobody.stderr).unwrap();
    assert!(
        text.starts_with("error: cannot reach a local chain at http://127.0.0.1:1/control\n"),
        "{text}"
    );
    assert!(text.contains("\nhint: start one with `cocoon localnet run`"), "{text}");
    for line in ["block_interval = 0", "lite_listen = \"[::1]:0\""] {
        let text = format!("listen = \"127.0.0.1:0\"\nstate_file = \"chain.state\"\n{line}\n");
        std::fs::write(folder.join("chain.toml"), text).unwrap();
        let wrong = cocoon(folder, &["localnet", "run", "--config", "chain.toml"]);
        assert_eq!(wrong.status.code(), Some(3), "{}", shown(&wrong));
    }
    let no_network = cocoon(folder, &["localnet", "mine"]);
    assert_eq!(no_network.status.code(), Some(3), "{}", shown(&no_network));
    for line in [
        &["localnet", "advance"][..],
        &["localnet", "advance", "5", "--to", "5"],
        &["localnet", "fund", "nobody", "1"],
        &["localnet", "run", "--block-interval", "0"],
        &["localnet", "run", "--lite-listen", "[::1]:0"],
        &["localnet", "run", "--lite-listen", "0.0.0.0:0"],
    ] {
        assert_eq!(cocoon(folder, line).status.code(), Some(2), "{line:?}");
    }
}
