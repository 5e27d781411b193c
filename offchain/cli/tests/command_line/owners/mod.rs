//! Owners of contracts through the real program: keys, operations, trials, exports, and a program that is killed.

mod govern;
mod kill;
mod stage;

use serde_json::Value;

use self::stage::{Stage, WORDS};
use super::{json, shown};

#[test]
fn keys_are_sealed_listed_shown_and_printed_for_paper() {
    let stage = Stage::without_chain();
    let new = json(&stage.run("wallet new treasury --json"));
    assert_eq!((&new["name"], &new["kind"]), (&"treasury".into(), &"v5r1".into()));
    let words = stage.run("wallet export treasury --yes");
    let text = String::from_utf8(words.stdout).unwrap();
    assert_eq!(text.split_whitespace().count(), 24, "{text}");

    stage.write("words.txt", WORDS);
    let imported = json(&stage.run("wallet import dose --from words.txt --kind v4r2 --json"));
    insta::assert_json_snapshot!("owners-wallet-import", imported);
    insta::assert_snapshot!("owners-wallet-show", shown(&stage.run("wallet show dose --offline")));
    insta::assert_snapshot!("owners-wallet-address", shown(&stage.run("wallet address dose")));
    let exported = stage.run("wallet export dose --yes");
    assert_eq!(String::from_utf8(exported.stdout).unwrap().trim(), WORDS);
    let listed = json(&stage.run("wallet list --json"));
    let names: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|wallet| &wallet["name"])
        .collect();
    assert_eq!(names, ["dose", "treasury"]);
    for entry in std::fs::read_dir(stage.folder().join(".cocoon/keystore")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("dose ice") && !text.contains("correct horse"));
    }
}

#[test]
fn what_is_wrong_with_keys_is_said_with_a_hint() {
    let stage = Stage::without_chain();
    stage.write("words.txt", WORDS);
    json(&stage.run("wallet import dose --from words.txt --json"));
    insta::assert_snapshot!(
        "owners-wallet-taken",
        shown(&stage.run("wallet import dose --from words.txt"))
    );
    insta::assert_snapshot!(
        "owners-wallet-unknown",
        shown(&stage.run("wallet show other --offline"))
    );
    stage.write("short.txt", "dose ice");
    insta::assert_snapshot!(
        "owners-wallet-short",
        shown(&stage.run("wallet import two --from short.txt"))
    );
    stage.write("passphrase", "wrong horse battery\n");
    insta::assert_snapshot!(
        "owners-wallet-wrong-passphrase",
        shown(&stage.run("wallet export dose --yes"))
    );
    stage.open_to_others("passphrase");
    insta::assert_snapshot!(
        "owners-passphrase-open-to-others",
        shown(&stage.run("wallet export dose --yes"))
    );
    stage.open_to_others("words.txt");
    insta::assert_snapshot!(
        "owners-words-open-to-others",
        shown(&stage.run("wallet import two --from words.txt"))
    );
    insta::assert_snapshot!("owners-nobody-signs", shown(&stage.on_chain("client stake PROXY 20")));
    insta::assert_snapshot!(
        "owners-unknown-network",
        shown(&stage.run("client stake PROXY 20 --wallet dose --network mainnet"))
    );
}

#[test]
fn a_client_contract_is_deployed_paid_closed_and_reopened() {
    let stage = Stage::start();
    stage.import_and_fund("dose", 100);
    let tried = stage.signed("client deploy PROXY --amount 20 --dry-run");
    insta::assert_snapshot!("owners-client-deploy-dry-run", shown(&tried));
    let tried = json(&stage.signed("client deploy PROXY --amount 20 --dry-run --json"));
    assert!(
        tried["refused"].is_null() && tried["accounts"].as_array().unwrap().len() >= 3,
        "{tried}"
    );

    let asked = stage.unanswered("client deploy PROXY --amount 20");
    assert_eq!(asked.status.code(), Some(2), "{}", shown(&asked));
    assert!(String::from_utf8(asked.stderr).unwrap().contains("give --yes"));

    let done = json(&stage.signed("client deploy PROXY --amount 20 --json"));
    assert_eq!(done["sent"].as_array().unwrap().len(), 1, "{done}");
    let contract = stage.client_contract();
    let status = |key: &str| {
        let told = json(&stage.on_chain(&format!("client status --contract {contract} --json")));
        let facts = told["facts"].as_array().unwrap().clone();
        let fact = facts.into_iter().find(|fact| fact["name"] == key).unwrap();
        fact["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (status("paid in").as_str(), status("stake").as_str()),
        ("20 TON", "5 TON")
    );
    insta::assert_snapshot!(
        "owners-client-status",
        shown(&stage.on_chain(&format!("client status --contract {contract}")))
    );
    json(&stage.signed(&format!("client topup {contract} 2.5 --json")));
    json(&stage.signed(&format!("client stake {contract} 6 --json")));
    let lower = stage.signed(&format!("client stake {contract} 5"));
    insta::assert_snapshot!("owners-client-stake-lower", shown(&lower));
    json(&stage.signed(&format!("client withdraw {contract} --json")));
    assert_eq!(status("paid in"), "6 TON");

    let begun = json(&stage.signed(&format!("client close {contract} --no-wait --json")));
    assert!(begun["awaits"]["until"].as_u64().is_some(), "{begun}");
    stage.advance(400);
    let ended = json(&stage.signed(&format!("client close {contract} --no-wait --json")));
    assert_eq!(ended["sent"].as_array().unwrap().len(), 2, "{ended}");
    assert_eq!(status("state"), "closed");
    let closed = stage.signed(&format!("client topup {contract} 3"));
    insta::assert_snapshot!("owners-client-topup-closed", shown(&closed));
    json(&stage.signed(&format!("client topup {contract} 3 --reopen --json")));
    assert_eq!(status("state"), "normal");
}

#[test]
fn messages_are_exported_for_wallets_elsewhere() {
    let stage = Stage::start();
    let from = "0:0000000000000000000000000000000000000000000000000000000000000055";
    stage.fund(from, 50);
    let line = format!("client topup CLIENT 3 --export --from {from}");
    let missing = stage.on_chain(&line.replace("CLIENT", stage.proxy()));
    assert_eq!(missing.status.code(), Some(4), "{}", shown(&missing));

    stage.import_and_fund("dose", 100);
    json(&stage.signed("client deploy PROXY --json"));
    let line = line.replace("CLIENT", &stage.client_contract());
    let exported = json(&stage.on_chain(&format!("{line} --json")));
    let link = exported["message"]["link"].as_str().unwrap();
    assert!(
        link.starts_with("ton://transfer/EQ") && link.contains("amount=3300000000"),
        "{link}"
    );
    let wanted = &exported["ton_connect"]["messages"][0];
    assert_eq!(
        (wanted["amount"].as_str(), &wanted["payload"]),
        (Some("3300000000"), &exported["message"]["body"])
    );
    assert!(exported["preview"]["refused"].is_null(), "{exported}");
    let drawn = stage.on_chain(&format!("{line} --qr"));
    assert!(String::from_utf8(drawn.stderr).unwrap().contains('█'));
}

#[test]
fn worker_and_proxy_contracts_are_deployed_staked_and_closed() {
    let stage = Stage::start();
    stage.import_and_fund("dose", 200);
    json(&stage.signed("worker deploy PROXY --json"));
    let again = json(&stage.signed("worker deploy PROXY --json"));
    assert!(again["sent"].as_array().unwrap().is_empty(), "{again}");
    let contract = stage.worker_contract();
    insta::assert_snapshot!(
        "owners-worker-earnings",
        shown(&stage.on_chain(&format!("worker earnings {contract}")))
    );
    let waits = json(&stage.signed(&format!("worker close {contract} --no-wait --json")));
    assert!(
        waits["awaits"]["what"].as_str().unwrap().contains("last payout"),
        "{waits}"
    );
    assert_eq!(
        stage.signed("worker claim --url http://127.0.0.1:1").status.code(),
        Some(5)
    );

    stage.write("proxy.key", &"09".repeat(32));
    let key = stage.public_key([9; 32]);
    let deployed = json(&stage.signed(&format!("proxy deploy --public-key {key} --stake 12 --json")));
    let contract = deployed["says"].as_str().unwrap().split(' ').nth(2).unwrap().to_owned();
    json(&stage.signed(&format!("proxy stake {contract} 3 --json")));
    let none = stage.signed(&format!("proxy withdraw --contract {contract}"));
    assert_eq!(none.status.code(), Some(2), "{}", shown(&none));
    json(&stage.signed(&format!("proxy close {contract} --no-wait --json")));
    stage.advance(700);
    let closed = json(&stage.signed(&format!(
        "proxy close {contract} --proxy-key proxy.key --no-wait --json"
    )));
    assert!(closed["awaits"].is_null(), "{closed}");
    let status = json(&stage.on_chain(&format!("proxy status --contract {contract} --json")));
    assert_eq!(status["facts"][0]["value"], "closed", "{status}");
}

#[test]
fn the_way_to_the_network_is_looked_at() {
    let stage = Stage::start_now();
    let whole = json(&stage.on_chain("doctor chain --json"));
    assert_eq!(whole["is_whole"], true, "{whole}");
    let network = stage.on_chain("doctor network --json");
    assert_eq!(network.status.code(), Some(1), "nothing is listed: {}", shown(&network));
    let nowhere = stage.run("doctor chain --chain-url http://127.0.0.1:1 --root 0:0000000000000000000000000000000000000000000000000000000000000000");
    assert_eq!(nowhere.status.code(), Some(4), "{}", shown(&nowhere));
}

#[test]
fn completions_manual_pages_and_versions_are_there() {
    let stage = Stage::without_chain();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(stage.run(&format!("completions {shell}")).stdout).unwrap();
        assert!(script.contains("cocoon") && script.contains("wallet"), "{shell}");
    }
    let written = json(&stage.run("man --out man --json"));
    assert!(written["pages"].as_u64().unwrap() > 50, "{written}");
    let page = std::fs::read_to_string(stage.folder().join("man/cocoon-client-close.1")).unwrap();
    assert!(page.contains("Close a client contract"));
    let version = json(&stage.run("version --json"));
    assert_eq!(
        version["wallets"]["v4r2"],
        "feb5ff6820e2ff0d9483e7e0d62c817d846789fb4ae580c878866d959dabd5c0"
    );
    assert_eq!(version["contracts"].as_object().unwrap().len(), 6);
    let text = String::from_utf8(stage.run("version").stdout).unwrap();
    assert!(text.contains("client contract's code"), "{text}");
}
