//! What every message costs: a walk through everything that the contracts understand, each step measured.

mod baseline;
mod beside;
mod claims;
mod common;
mod governance;
mod root;
mod tails;
mod wallet;

use std::fmt::Write as _;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::{Address, Cell, Store};
use cocoon_emulator::{Compute, NetworkConfig};

use crate::messages::body;
use crate::outcome::Outcome;
use crate::trace::Cast;
use crate::world::{World, ton};

pub use baseline::{BASELINE, Baseline};

/// What one contract did for one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was asked for.
    pub step: String,
    /// The contract.
    pub contract: &'static str,
    /// The message that it got.
    pub message: String,
    /// Gas of the compute phase.
    pub gas: u64,
    /// What gas and forwarding cost.
    pub fee: Nanoton,
}

impl Row {
    /// The figures that this one must not exceed, for messages that the deployed contracts know.
    pub fn baseline(&self) -> Option<&'static Baseline> {
        BASELINE
            .iter()
            .find(|known| known.step == self.step && known.contract == self.contract)
    }
}

/// Everything, under given fees.
pub fn measure(network: &NetworkConfig) -> Vec<Row> {
    let mut meter = Meter::new(World::on(network));
    common::walk(&mut meter);
    root::common(&mut meter);
    wallet::commit(&mut meter);
    let mut rows = meter.rows;
    for walk in [
        root::others,
        wallet::others,
        beside::notes,
        beside::client,
        beside::reopened,
        beside::proxy,
    ] {
        let mut meter = Meter::new(World::on(network));
        walk(&mut meter);
        rows.append(&mut meter.rows);
    }
    rows.append(&mut beside::bounces(network));
    rows.append(&mut claims::walk(network));
    rows.append(&mut tails::anchors(network));
    rows.append(&mut tails::ownership(network));
    rows.append(&mut governance::walk(network));
    rows
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> String {
    let line = |step: &str, contract: &str, message: &str, gas: &str, start: &str, deployed: &str| {
        format!("{step:<30}  {contract:<8}  {message:<28}  {gas:>6}  {start:>6}  {deployed:>8}\n")
    };
    let mut text = line("step", "contract", "message", "gas", "start", "deployed");
    for row in rows {
        let start = row
            .baseline()
            .map_or_else(|| "-".to_owned(), |known| known.start.to_string());
        let deployed = row
            .baseline()
            .map_or_else(|| "-".to_owned(), |known| known.deployed.to_string());
        let gas = row.gas.to_string();
        write!(
            text,
            "{}",
            line(&row.step, row.contract, &row.message, &gas, &start, &deployed)
        )
        .unwrap();
    }
    text
}

/// A world, and what was measured in it.
pub(crate) struct Meter {
    pub(crate) world: World,
    pub(crate) cast: Cast,
    pub(crate) rows: Vec<Row>,
}

impl Meter {
    pub(crate) fn new(world: World) -> Self {
        let cast = Cast::of(&world);
        Self {
            world,
            cast,
            rows: Vec::new(),
        }
    }

    /// Takes down what every contract did, all of which must have succeeded.
    pub(crate) fn note(&mut self, step: &str, outcome: &Outcome) {
        outcome.assert_success();
        self.note_any(step, outcome, |_| true);
    }

    /// Takes down what the contracts did that a bounce came back to.
    pub(crate) fn note_bounce(&mut self, step: &str, outcome: &Outcome) {
        self.note_any(step, outcome, |message| message.starts_with("bounce"));
    }

    fn note_any(&mut self, step: &str, outcome: &Outcome, counts: impl Fn(&str) -> bool) {
        self.rows.extend(rows_of(&self.cast, step, outcome, counts));
    }

    /// Sends a message with the value that people attach, and takes down what it did.
    pub(crate) fn send(&mut self, step: &str, from: &Address, to: &Address, message: &impl Store) {
        self.send_cell(step, from, to, body(message));
    }

    /// Same, with the message as a cell.
    pub(crate) fn send_cell(&mut self, step: &str, from: &Address, to: &Address, message: Cell) {
        let outcome = self.world.send_cell(from, to, ton("0.7"), message);
        self.note(step, &outcome);
    }
}

/// What the contracts did that got a message which counts.
fn rows_of(cast: &Cast, step: &str, outcome: &Outcome, counts: impl Fn(&str) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for report in &outcome.reports {
        let (Compute::Ran { gas_used, .. }, Some(contract)) = (report.compute, cast.contract_at(&report.address))
        else {
            continue;
        };
        let message = report.in_msg.as_ref().map(|message| cast.message(message));
        let message = message.unwrap_or_default();
        if counts(&message) {
            rows.push(Row {
                step: step.to_owned(),
                contract,
                message: message.split(" with ").next().unwrap_or_default().to_owned(),
                gas: gas_used,
                fee: report.fees.gas.checked_add(report.fees.forward).unwrap(),
            });
        }
    }
    rows
}
