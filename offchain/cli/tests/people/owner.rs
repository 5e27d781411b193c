//! An owner of coins: a wallet, a client contract, more coins, less coins, and the way out.

use serde_json::json;

use super::person::Person;
use crate::network::Network;

pub(crate) fn story(network: &Network) {
    let owner = Person::new(network);

    // A wallet, with its words on paper, and coins on it.
    owner.reads("wallet new treasury");
    assert_eq!(
        owner.reads("wallet export treasury --yes").split_whitespace().count(),
        24
    );
    let address = owner.reads("wallet address treasury").trim().to_owned();
    owner.controls(
        "/control/faucet",
        &json!({ "address": address, "amount": "100000000000" }),
    );

    // What would it do, and what does it cost? Nothing is sent.
    let deploy = format!("client deploy {} --amount 20 --wallet treasury", owner.its("PROXY"));
    let tried = owner.gets(&format!("{deploy} --dry-run"));
    assert!(tried["refused"].is_null(), "{tried}");
    let asked = owner.is_refused(&deploy, 2);
    assert!(asked.contains("--yes"), "{asked}");

    let deployed = owner.gets(&format!("{deploy} --yes"));
    assert_eq!(deployed["sent"].as_array().unwrap().len(), 1, "{deployed}");
    // Run again, by mistake: it is there already.
    let again = owner.gets(&format!("{deploy} --yes"));
    assert!(again["sent"].as_array().unwrap().is_empty(), "{again}");
    let says = deployed["says"].as_str().unwrap();
    let contract = says
        .split(' ')
        .find(|word| word.starts_with("0:"))
        .unwrap_or_else(|| panic!("{says}"));
    let status = |name: &str| {
        let status = owner.gets(&format!("client status --contract {contract}"));
        let facts = status["facts"].as_array().unwrap().clone();
        let fact = facts.into_iter().find(|fact| fact["name"] == name);
        fact.unwrap_or_else(|| panic!("no {name}: {status}"))["value"].clone()
    };
    assert_eq!((status("state"), status("paid in")), ("normal".into(), "20 TON".into()));

    owner.reads(&format!("client topup {contract} 2.5 --wallet treasury --yes"));
    assert_eq!(status("paid in"), "22.5 TON");

    // A multisig of somebody else could send the same.
    let exported = owner.gets(&format!("client topup {contract} 1 --wallet treasury --export"));
    assert!(
        exported["message"]["link"]
            .as_str()
            .unwrap()
            .starts_with("ton://transfer/")
    );
    assert_eq!(status("paid in"), "22.5 TON", "an export sends nothing");

    // What is not staked comes back at once; the rest when the proxy has had its time.
    owner.reads(&format!("client withdraw {contract} --wallet treasury --yes"));
    assert_eq!(status("paid in"), status("stake"));
    let closing = owner.gets(&format!("client close {contract} --wallet treasury --yes --no-wait"));
    assert!(closing["awaits"]["until"].as_u64().is_some(), "{closing}");
}
