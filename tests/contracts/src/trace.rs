//! What a message led to, in lines that people can read: who told whom what, with how much.

use std::fmt::Write as _;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::ExitCode;
use cocoon_emulator::{Compute, Message, MessageKind, TransactionReport};

use crate::names::Names;
use crate::outcome::Outcome;
use crate::people::{ANYONE, CLIENT_OWNER, EXCESSES, OWNER, WORKER_OWNER};
use crate::world::World;

/// Nanoton in a TON.
const TON: u128 = 1_000_000_000;
/// Amounts that are multiples of it were asked for; fees leave odd amounts.
const ROUND: u128 = 1_000_000;

/// Who is who.
#[derive(Debug)]
pub struct Cast {
    /// Names of the messages.
    pub names: Names,
    contracts: Vec<(Address, &'static str)>,
    people: Vec<(Address, &'static str)>,
}

impl Cast {
    /// The contracts and people of a world.
    pub fn of(world: &World) -> Self {
        let contracts = vec![
            (world.root.clone(), "root"),
            (world.proxy.clone(), "proxy"),
            (world.client.clone(), "client"),
            (world.worker.clone(), "worker"),
        ];
        let people = vec![
            (OWNER, "owner"),
            (CLIENT_OWNER, "client's owner"),
            (WORKER_OWNER, "worker's owner"),
            (EXCESSES, "runner"),
            (ANYONE, "anyone"),
        ];
        Self {
            names: Names::new(),
            contracts,
            people,
        }
    }

    /// Adds a contract.
    pub fn contract(&mut self, address: &Address, name: &'static str) {
        self.contracts.push((address.clone(), name));
    }

    /// Adds a person.
    pub fn person(&mut self, address: &Address, name: &'static str) {
        self.people.push((address.clone(), name));
    }

    /// The contract at an address.
    pub fn contract_at(&self, address: &Address) -> Option<&'static str> {
        find(&self.contracts, address)
    }

    fn name(&self, address: Option<&Address>) -> &'static str {
        let found = address.and_then(|address| self.contract_at(address).or_else(|| find(&self.people, address)));
        found.unwrap_or("another")
    }

    /// One line per message.
    pub fn tell(&self, outcome: &Outcome) -> String {
        let mut text = String::new();
        for report in &outcome.reports {
            if let Some(message) = &report.in_msg {
                writeln!(text, "{}", self.line(message, report)).unwrap();
            }
        }
        text
    }

    fn line(&self, message: &Message, report: &TransactionReport) -> String {
        let to = self.name(Some(&report.address));
        let what = self.message(message);
        let ending = self.ending(report);
        if message.kind != MessageKind::Internal {
            return format!("outside -> {to}: {what}{ending}");
        }
        let from = self.name(message.source.as_ref());
        let value = amount(message.value, &what);
        format!("{from} -> {to}: {what}, {value}{ending}")
    }

    /// A message's name, with what it carries.
    pub fn message(&self, message: &Message) -> String {
        if message.kind != MessageKind::Internal {
            return "external message".to_owned();
        }
        if message.bounced {
            let of = self.names.carried(&message.body).unwrap_or("a message");
            return format!("bounce of {of}");
        }
        let Some(op) = message.op() else {
            return "no body".to_owned();
        };
        let name = self.names.op(op).map_or_else(|| format!("{op:08x}"), str::to_owned);
        match self.names.carried(&message.body) {
            Some(carried) => format!("{name} with {carried}"),
            None => name,
        }
    }

    fn ending(&self, report: &TransactionReport) -> String {
        if self.contract_at(&report.address).is_none() {
            return String::new();
        }
        match report.compute {
            Compute::Skipped(_) if report.bounced => " => not there, goes back".to_owned(),
            Compute::Skipped(_) => " => not run".to_owned(),
            Compute::Ran { exit_code, .. } if !report.success() => {
                let name =
                    ExitCode::from_code(exit_code).map_or_else(|| "failed".to_owned(), |code| format!("{code:?}"));
                let back = if report.bounced { ", goes back" } else { "" };
                format!(" => {name} ({exit_code}){back}")
            }
            Compute::Ran { .. } => String::new(),
        }
    }
}

fn find(list: &[(Address, &'static str)], address: &Address) -> Option<&'static str> {
    list.iter().find(|(known, _)| known == address).map(|(_, name)| *name)
}

/// An amount as far as it does not depend on fees.
fn amount(value: Nanoton, message: &str) -> String {
    let value = value.get();
    if value < 1000 {
        return format!("{value} nanoton");
    }
    if value.is_multiple_of(ROUND) {
        return Nanoton::new(value).to_string();
    }
    let whole = value / TON;
    if whole == 0 || message == "ReturnExcessesBack" {
        return "the rest".to_owned();
    }
    format!("{whole} TON and the rest")
}
