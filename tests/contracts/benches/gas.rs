//! Gas and fee of every message, and of 1,000 settled requests, under both fee schedules.
//!
//! `cargo bench -p cocoon-contract-tests`. Nothing here depends on the speed of the machine: the figures are those of
//! the virtual machine, and every run prints the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for people who read its output"
)]

use std::collections::BTreeMap;

use cocoon_bindings::Nanoton;
use cocoon_contract_tests::gas::{Row, measure};
use cocoon_emulator::NetworkConfig;

/// Requests that the totals are for.
const REQUESTS: u64 = 1000;
/// Requests per settlement.
const POLICIES: [u64; 3] = [10, 100, 1000];
/// One settlement: the proxy commits to its database, charges the client and pays the worker.
const SETTLEMENT: [&str; 3] = ["state commit", "charge", "payout"];

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` ask what there is; there is nothing to choose from.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    for (name, network) in [
        ("fees of October 2025", NetworkConfig::october_2025()),
        ("fees since spring 2026", NetworkConfig::spring_2026()),
    ] {
        let rows = measure(&network);
        println!("# {name}\n");
        messages(&rows);
        println!();
        settlements(&rows);
        println!();
    }
}

fn messages(rows: &[Row]) {
    println!(
        "{:<30}  {:<8}  {:<28}  {:>6}  {:>12}  {:>8}  {:>6}",
        "step", "contract", "message", "gas", "fee, TON", "deployed", "ratio"
    );
    for row in rows {
        let deployed = row.baseline().map(|known| known.deployed);
        println!(
            "{:<30}  {:<8}  {:<28}  {:>6}  {:>12}  {:>8}  {:>6}",
            row.step,
            row.contract,
            row.message,
            row.gas,
            coins(row.fee.get()),
            deployed.map_or_else(String::new, |gas| gas.to_string()),
            deployed.map_or_else(String::new, |gas| ratio(row.gas, gas)),
        );
    }
}

fn settlements(rows: &[Row]) {
    let of_settlement: Vec<&Row> = rows
        .iter()
        .filter(|row| SETTLEMENT.contains(&row.step.as_str()))
        .collect();
    let gas: u64 = of_settlement.iter().map(|row| row.gas).sum();
    let fee: u128 = of_settlement.iter().map(|row| row.fee.get()).sum();
    let deployed: u64 = of_settlement
        .iter()
        .map(|row| row.baseline().expect("a settlement is common").deployed)
        .sum();
    let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &of_settlement {
        *parts.entry(row.contract).or_default() += row.gas;
    }
    println!(
        "A settlement is one {} each: {gas} gas, of it {parts:?}.",
        SETTLEMENT.join(", one ")
    );
    println!(
        "{:<28}  {:>11}  {:>10}  {:>14}  {:>12}  {:>6}",
        "1,000 requests, settled per", "settlements", "gas", "fee, TON", "deployed gas", "ratio"
    );
    for policy in POLICIES {
        let count = REQUESTS / policy;
        println!(
            "{policy:<28}  {count:>11}  {:>10}  {:>14}  {:>12}  {:>6}",
            gas * count,
            coins(fee * u128::from(count)),
            deployed * count,
            ratio(gas, deployed),
        );
    }
}

fn coins(nanoton: u128) -> String {
    Nanoton::new(nanoton).to_string().trim_end_matches(" TON").to_owned()
}

/// Two digits after the point, without floating point.
fn ratio(gas: u64, deployed: u64) -> String {
    let hundredths = (gas * 100 + deployed / 2) / deployed;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
