//! Gas of every message, compute phase only, against what it was and against the deployed contracts.

use cocoon_contract_tests::gas::{BASELINE, Row, measure, table};
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
fn no_common_message_costs_more_than_at_the_deployed_contracts() {
    let rows = rows();
    let mut dearer = Vec::new();
    for row in &rows {
        if let Some(known) = row.baseline()
            && row.gas > known.deployed
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
