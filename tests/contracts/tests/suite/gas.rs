//! Gas of every message, compute phase only, against what it was and against the deployed contracts.

use cocoon_contract_tests::gas::{BASELINE, Baseline, Row, measure, table};
use cocoon_emulator::NetworkConfig;

fn rows() -> Vec<Row> {
    measure(&NetworkConfig::october_2025())
}

#[test]
fn the_gas_of_every_message_is_as_reviewed() {
    insta::with_settings!({ snapshot_path => "../../gas", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("messages", table(&rows()));
    });
}

#[test]
fn no_common_message_costs_more_than_before_or_than_at_the_deployed_contracts() {
    let rows = rows();
    let mut dearer = Vec::new();
    for row in &rows {
        if let Some(known) = row.baseline()
            && row.gas > limit(known)
        {
            dearer.push(format!("{} at {}: {} ({known:?})", row.step, row.contract, row.gas));
        }
    }
    assert!(dearer.is_empty(), "{}", dearer.join("\n"));
    for known in BASELINE {
        assert!(
            rows.iter().any(|row| row.baseline() == Some(&known)),
            "{known:?} is not measured"
        );
    }
}

/// The root is used seldom; what it has learned costs every message of its own a few hundred gas more than before.
fn limit(known: &Baseline) -> u64 {
    if known.contract == "root" {
        known.deployed
    } else {
        known.start.min(known.deployed)
    }
}

/// What a settlement may cost, with bounces handled.
#[test]
fn settlements_stay_within_their_targets() {
    const TARGETS: [(&str, u64); 4] = [
        ("charge", 10_400),
        ("payout", 16_200),
        ("top up", 16_100),
        ("withdraw", 18_500),
    ];
    let rows = rows();
    for (step, target) in TARGETS {
        let gas: u64 = rows.iter().filter(|row| row.step == step).map(|row| row.gas).sum();
        assert!(gas <= target, "{step}: {gas} above {target}");
    }
}
