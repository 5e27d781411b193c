//! An auditor keeps a copy of the log, audits it without the network, and notices when somebody changed it.

use super::person::Person;
use crate::network::Network;

pub(crate) fn story(network: &Network) {
    let auditor = Person::new(network);
    let log = format!("{}/log", auditor.its("NET"));

    // A copy, under the key that the proxy contract holds.
    let key = auditor.gets(&format!("log show {log}"))["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let mirror = format!("log mirror {log} --out mirror --key {key}");
    let first = auditor.gets(&mirror)["size"].as_u64().unwrap();
    auditor.reads("chat --max-tokens 8 One-more-question");
    auditor.waits_until("the log grew", || {
        auditor.gets(&mirror)["size"].as_u64().unwrap() > first
    });
    let verified = auditor.gets(&format!("log verify mirror --key {key}"));
    assert!(verified["receipts"].as_u64().unwrap() > first);

    // Every receipt against the chain, to the last token; then the same without the network.
    let online = auditor.gets(&format!("audit run --from {log} --wait 60"));
    assert_eq!(online["verdict"], "equal", "{online}");
    let bundled = auditor.gets("audit bundle --out bundle --wait 60");
    let offline = auditor.gets("audit run --bundle bundle");
    assert_eq!(offline, bundled);

    // What the client spent is what its channel was charged.
    let statement = auditor.gets("audit statement --role client --bundle bundle");
    let spent = statement.as_array().unwrap().iter();
    let spent: u128 = spent
        .map(|row| row["amount"].as_str().unwrap().parse::<u128>().unwrap())
        .sum();
    let channels = offline["channels"].as_array().unwrap().iter();
    let client = channels.filter(|channel| channel["role"] == "client");
    let charged: u128 = client
        .map(|channel| channel["amount"].as_str().unwrap().parse::<u128>().unwrap())
        .sum();
    assert_eq!(spent, charged);

    // One receipt for a court, with its proof.
    let receipt = auditor.its("RECEIPT");
    auditor.reads(&format!("log prove mirror --receipt {receipt} --out proof --key {key}"));
    let proof = auditor.gets(&format!("log verify --proof proof --key {key}"));
    assert_eq!(proof["receipt"], receipt.as_str());

    // Somebody lowers a price in the bundle.
    let chain = auditor.folder().join("bundle/chain.json");
    let mut said: serde_json::Value = serde_json::from_slice(&std::fs::read(&chain).unwrap()).unwrap();
    let lowered = lower_prices(&mut said["facts"]);
    assert!(lowered > 0, "a bundle says no price");
    std::fs::write(&chain, said.to_string()).unwrap();
    let audit = auditor.types("audit run --bundle bundle --json");
    assert_eq!(audit.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(report["difference"]["kind"], "bundle", "{report}");
    let sentence = report["difference"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("price_per_token"), "{sentence}");
}

/// Makes a token cost one nanoton in all terms; gives in how many.
fn lower_prices(facts: &mut serde_json::Value) -> usize {
    match facts {
        serde_json::Value::Object(fields) => {
            let mut lowered = 0;
            for (name, value) in fields {
                if name == "price_per_token" {
                    *value = if value.is_string() { "1".into() } else { 1.into() };
                    lowered += 1;
                } else {
                    lowered += lower_prices(value);
                }
            }
            lowered
        }
        serde_json::Value::Array(items) => items.iter_mut().map(lower_prices).sum(),
        _ => 0,
    }
}
