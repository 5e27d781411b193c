//! The shape of every page, as docs/explorer.md has it.

use serde_json::Value;

use super::stage::Stage;

/// Without what follows from code and keys: addresses, hashes, fees, the time of this machine.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let told = members.iter().map(|(name, value)| {
                let shown = match (name.as_str(), value) {
                    ("fees" | "coins" | "value" | "lt" | "boc" | "checkpoint" | "next", Value::String(_)) => {
                        format!("[{name}]").into()
                    }
                    ("age_seconds" | "started_at" | "read_at", Value::Number(_)) => format!("[{name}]").into(),
                    ("url" | "log", Value::String(text)) if text.contains("tmp") => format!("[{name}]").into(),
                    _ => shape(value),
                };
                (name.clone(), shown)
            });
            Value::Object(told.collect())
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) => Value::String(plain(text)),
        other => other.clone(),
    }
}

/// Hashes of 64 hex digits as `[hash]`, wherever they stand.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut run = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_ascii_hexdigit() {
            run.push(character);
            continue;
        }
        shown.push_str(if run.len() == 64 { "[hash]" } else { &run });
        run.clear();
        shown.push(character);
    }
    shown.pop();
    shown
}

#[tokio::test]
async fn every_page_has_the_shape_that_is_documented() {
    let mut stage = Stage::new().await;
    stage.publish(2);
    stage.anchor(2);
    stage.charge(26);
    stage.pay_out(26);
    stage.look().await;
    // What the first look found of, the second one reads.
    stage.look().await;
    for name in [
        "status",
        "root",
        "proposals",
        "proxies",
        "workers",
        "models",
        "anchors",
        "receipts",
    ] {
        insta::assert_json_snapshot!(format!("page_{name}"), shape(&stage.get(name).await));
    }
    let id = stage.get("receipts").await["receipts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    insta::assert_json_snapshot!("page_receipt", shape(&stage.get(&format!("receipts/{id}")).await));
    let feed = shape(&stage.get("feed?limit=100").await);
    let lines: Vec<String> = feed["feed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let sent = row["sent"].as_array().unwrap().iter();
            let sent: Vec<_> = sent
                .map(|sent| format!("{}: {}", sent["to"]["kind"], sent["says"]))
                .collect();
            format!(
                "{} -> {}: {} | {}",
                row["from"]["kind"],
                row["account"]["kind"],
                row["says"],
                sent.join("; ")
            )
        })
        .collect();
    insta::assert_json_snapshot!("feed_in_words", lines);
    insta::assert_json_snapshot!("page_feed_row", feed["feed"][0]);
}
