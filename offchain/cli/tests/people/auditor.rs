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
    let honest = std::fs::read_to_string(&chain).unwrap();
    std::fs::write(&chain, honest.replace("\"grace\":3600", "\"grace\":9999")).unwrap();
    assert_ne!(
        std::fs::read_to_string(&chain).unwrap(),
        honest,
        "something was changed"
    );
    assert_eq!(auditor.types("audit run --bundle bundle").status.code(), Some(1));
}
