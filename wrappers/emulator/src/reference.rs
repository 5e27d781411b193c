//! Hashes of transactions and accounts against those of the reference implementation.
//!
//! The scenario below is fixed; `vectors/reference.json` holds what the reference emulator made of the same accounts
//! and messages. `vectors/reference.mjs` says how to make it again.

mod freezing;

use std::collections::BTreeMap;

use cocoon_bindings::StateInit;
use cocoon_bindings::message::{InternalMessage, external};
use cocoon_bindings::ton::{Address, Boc, Cell, CellBuilder, CellFamily, HashBytes};
use cocoon_bindings::units::Nanoton;
use tycho_types::models::ShardAccount;

use crate::tests::{code, deploy, sender, senders, thrower, transfer};
use crate::{AccountStatus, Emulator, NetworkConfig, SkipReason, TransactionReport, report::Compute};

const START: u32 = 1_780_000_000;
const FAR: Address = Address::new(0, HashBytes([9; 32]));
const VECTORS: &str = include_str!("../vectors/reference.json");

/// One transaction with what went in and what came out.
struct Step {
    before: ShardAccount,
    after: ShardAccount,
    report: TransactionReport,
}

/// Runs steps one by one and keeps what each found and left.
struct Recorder {
    chain: Emulator,
    known: BTreeMap<Address, ShardAccount>,
    steps: Vec<Step>,
}

impl Recorder {
    fn new(network: &NetworkConfig) -> Self {
        let chain = Emulator::new(network, START).unwrap();
        Self {
            chain,
            known: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    /// Does something that makes one transaction, or none if a message is refused.
    fn once<T>(&mut self, act: impl FnOnce(&mut Emulator) -> T) -> T {
        let before = self.chain.all_transactions().len();
        let result = act(&mut self.chain);
        let Some(report) = self
            .chain
            .all_transactions()
            .get(before)
            .map(|report| report.as_ref().clone())
        else {
            return result;
        };
        let empty = Emulator::new(self.chain.network(), START)
            .unwrap()
            .state
            .account(&report.address)
            .unwrap();
        let before = self.known.get(&report.address).cloned().unwrap_or(empty);
        let after = self.chain.state.accounts[&report.address].clone();
        self.known.insert(report.address.clone(), after.clone());
        self.steps.push(Step { before, after, report });
        result
    }

    /// Delivers what is under way, up to a few messages.
    fn rest(&mut self) {
        for _ in 0..8 {
            if self.chain.pending().unwrap().is_empty() {
                return;
            }
            self.once(|chain| chain.step().unwrap());
        }
    }

    fn send(&mut self, message: InternalMessage) -> TransactionReport {
        self.once(|chain| chain.send_internal(&FAR, &message).unwrap());
        self.steps.last().unwrap().report.clone()
    }
}

/// Data of 40 cells, some shared, so that the account has a storage dictionary.
fn big_data() -> Cell {
    let mut cell = Cell::empty_cell();
    for n in 0..40u32 {
        let mut builder = CellBuilder::new();
        builder.store_u32(n).unwrap();
        builder.store_reference(cell.clone()).unwrap();
        if n % 3 == 0 {
            builder.store_reference(cell).unwrap();
        }
        cell = builder.build().unwrap();
    }
    cell
}

fn big(salt: u8) -> StateInit {
    // Replaces its data at every call: NEWC, PUSHINT, SWAP, STU 8, then the old data as reference, POP c4.
    let body = [0xf8, 0x00, 0xed, 0x44, 0xc8, 0xcc, 0xc9, 0xed, 0x54];
    let mut data = CellBuilder::new();
    data.store_u8(salt).unwrap();
    data.store_reference(big_data()).unwrap();
    StateInit {
        code: code(&body, &[]),
        data: data.build().unwrap(),
    }
}

/// Everything that the executor writes differently, and the ordinary things too.
fn scenario(network: &NetworkConfig) -> Vec<Step> {
    let mut run = Recorder::new(network);
    let ton = Nanoton::from_ton;

    // Coins to nobody; a contract by message; a message with a state that is not the account's.
    run.once(|chain| chain.fund(&FAR, ton(1)).unwrap());
    let wall = run.once(|chain| deploy(chain, &thrower(), ton(1)));
    let wrong = InternalMessage {
        state_init: Some(thrower()),
        bounce: true,
        ..transfer(&FAR, ton(1), true)
    };
    assert_eq!(run.send(wrong).compute, Compute::Skipped(SkipReason::BadState));
    run.rest();

    // Transfers in every mode, some of which fail: action 0 fails with argument 0.
    for (salt, mode) in [0u8, 1, 2, 3, 16, 64, 128, 160].into_iter().enumerate() {
        for (at, value) in [(0, ton(0)), (1, Nanoton::new(300_000_000)), (2, ton(50))] {
            let salt = u32::try_from(salt * 3 + at).unwrap();
            let state = sender(&transfer(&FAR, value, false), mode, salt);
            let address = run.once(|chain| deploy(chain, &state, ton(2)));
            run.rest();
            run.once(|chain| {
                chain
                    .send_external(external(&address, Cell::empty_cell(), None).unwrap())
                    .map(drop)
                    .ok()
            });
            run.rest();
        }
    }

    // The second of two actions fails: the first is undone.
    let messages = [transfer(&FAR, Nanoton::new(5), false), transfer(&FAR, ton(50), false)];
    run.once(|chain| deploy(chain, &senders(&messages, 1, 2000), ton(2)));

    // Failures that bounce: with enough, with too little for the way back, with nothing for gas.
    for value in [1_000_000_000, 3_000_000, 500_000, 100_000, 50_000, 1] {
        run.send(transfer(&wall, Nanoton::new(value), true));
        run.rest();
        run.send(transfer(&wall, Nanoton::new(value), false));
    }

    // A contract that deploys by external message.
    let state = sender(&transfer(&FAR, Nanoton::new(7), false), 3, 1000);
    let address = state.address().unwrap();
    run.once(|chain| chain.fund(&address, ton(1)).unwrap());
    run.once(|chain| {
        chain
            .send_external(external(&address, Cell::empty_cell(), Some(&state)).unwrap())
            .unwrap()
    });
    run.rest();

    // Accounts of many cells, whose data changes and stays.
    let large = run.once(|chain| deploy(chain, &big(1), ton(5)));
    for seconds in [0, 1000, 100_000] {
        run.chain.advance(seconds).unwrap();
        run.send(transfer(&large, ton(1), true));
        run.send(transfer(&large, Nanoton::new(1), false));
    }

    // An account that cannot pay for its storage is frozen, asks for its state, and comes back with it.
    let poor = big(2);
    let frozen = run.once(|chain| deploy(chain, &poor, Nanoton::new(60_000_000)));
    run.chain.advance(1_200_000_000).unwrap();
    run.send(transfer(&frozen, Nanoton::new(1), false));
    if run.steps.last().unwrap().report.status_after == AccountStatus::Frozen {
        let asked = run.send(transfer(&frozen, Nanoton::new(900_000_000), true));
        assert_eq!(asked.compute, Compute::Skipped(SkipReason::NoState));
        run.rest();
    }
    run.chain.advance(600_000_000).unwrap();
    run.send(transfer(&large, ton(1), true));
    run.rest();
    run.steps.extend(freezing::scenario(network));
    run.steps
}

fn networks() -> [(&'static str, NetworkConfig); 2] {
    [
        ("october_2025", NetworkConfig::october_2025()),
        ("spring_2026", NetworkConfig::spring_2026()),
    ]
}

#[test]
fn hashes_equal_those_of_the_reference() {
    let mut expected = VECTORS.lines().map(str::trim).filter(|line| line.starts_with('"'));
    for (name, network) in networks() {
        for (index, step) in scenario(&network).iter().enumerate() {
            let (transaction, account) = (step.report.hash, step.after.account.repr_hash());
            let ours = format!("{name} {index} {transaction} {account}");
            let theirs = expected
                .next()
                .expect("the vectors end early")
                .trim_end_matches(',')
                .trim_matches('"');
            assert_eq!(ours, theirs, "{:?} {:?}", step.report.compute, step.report.action);
        }
    }
    assert_eq!(expected.next(), None, "the vectors go on");
}

#[test]
fn the_scenario_meets_every_difference() {
    let steps = scenario(&NetworkConfig::october_2025());
    let some = |found: &dyn Fn(&TransactionReport) -> bool| steps.iter().any(|step| found(&step.report));
    assert!(some(&|report| report.action_code() == Some(37)), "not enough balance");
    assert!(some(&|report| report.status_after == AccountStatus::Frozen), "frozen");
    assert!(some(&|report| report.bounced), "bounced");
    assert!(
        some(&|report| report.aborted && !report.bounced && report.exit_code() == Some(33)),
        "not bounced"
    );
    assert!(
        some(&|report| report.compute == Compute::Skipped(SkipReason::NoGas)),
        "no gas"
    );
}

/// With `COCOON_REFERENCE_STEPS=<file>` it also writes the scenario for the reference emulator.
#[test]
fn every_step_can_be_told_to_the_reference() {
    let mut lines = Vec::new();
    for (name, network) in networks() {
        let config = Boc::encode_base64(network.to_config_cell().unwrap());
        for (index, step) in scenario(&network).iter().enumerate() {
            let before = Boc::encode_base64(CellBuilder::build_from(&step.before).unwrap());
            let message = Boc::encode_base64(&step.report.in_msg.as_ref().unwrap().cell);
            let ours = Boc::encode_base64(&step.report.cell);
            let (lt, now) = (step.report.lt, step.report.now);
            lines.push(format!("{name} {index} {config} {before} {message} {lt} {now} {ours}"));
        }
    }
    let mut told = lines.iter().collect::<Vec<_>>();
    told.dedup();
    assert_eq!(told.len(), lines.len(), "two steps are told alike");
    if let Ok(path) = std::env::var("COCOON_REFERENCE_STEPS") {
        std::fs::write(path, lines.join("\n")).unwrap();
    }
}
