//! Runs one sequence of messages through the chain and the model and compares them after every delivery.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocoon_bindings::Nanoton;
use cocoon_bindings::message::{InternalMessage, external};
use cocoon_bindings::ton::Address;
use cocoon_emulator::{Emulator, EmulatorError, TransactionReport};

use crate::model::body::Body;
use crate::model::effect::{Env, Exit, Return};
use crate::model::wallet::External;
use crate::model::{Contract, effect};
use crate::sequence::compare;
use crate::sequence::ledger::{Entry, Ledger};
use crate::sequence::net::{Account, Flight, Net};
use crate::sequence::setup::Setup;

/// What went wrong, in words.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Messages that a sequence may lead to; more would be a loop.
const MAX_DELIVERIES: usize = 2_000;

/// A message that somebody sent, to be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: u128,
    pub(crate) bounce: bool,
    pub(crate) body: Body,
}

/// A sequence in progress.
pub(crate) struct Run {
    pub(crate) chain: Emulator,
    pub(crate) net: Net,
    pub(crate) flights: Vec<Flight>,
    pub(crate) ledger: Ledger,
    /// What was sent, for repetition.
    pub(crate) history: Vec<Sent>,
    pub(crate) query: u64,
    /// Mostly about the root and the governor.
    pub(crate) governing: bool,
    /// What happened, if somebody wants to read it.
    pub(crate) account: Option<Vec<String>>,
    deliveries: usize,
}

impl Run {
    pub(crate) fn new(setup: &Setup, mut chain: Emulator, readable: bool) -> Self {
        chain.restore(&setup.snapshot).unwrap();
        let read = |address: &Address| {
            (
                address.clone(),
                Account::read(&chain.account(address).unwrap().unwrap()),
            )
        };
        let accounts: BTreeMap<_, _> = setup.contracts.keys().map(read).collect();
        let net = Net::new(setup, accounts);
        let ledger = Ledger {
            adrift: i128::try_from(net.balance(&setup.places.proxy)).unwrap(),
            ..Ledger::default()
        };
        Self {
            chain,
            net,
            flights: Vec::new(),
            ledger,
            history: Vec::new(),
            query: 0,
            governing: false,
            account: readable.then(Vec::new),
            deliveries: 0,
        }
    }

    /// A query id that was not used yet.
    pub(crate) fn next_query(&mut self) -> u64 {
        self.query += 1;
        self.query
    }

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(account) = &mut self.account {
            account.push(text());
        }
    }

    /// Sends a message from a person and checks what it does.
    pub(crate) fn send(&mut self, sent: Sent) -> Checked {
        let cell = sent.body.cell();
        let state_init = self.init_of(&sent.to);
        let message = InternalMessage {
            to: sent.to.clone(),
            value: Nanoton::new(sent.value),
            bounce: sent.bounce,
            body: cell.clone(),
            state_init,
        };
        let flight = Flight {
            from: sent.from.clone(),
            to: sent.to.clone(),
            value: sent.value,
            back: if sent.bounce { Return::Plain } else { Return::Never },
            bounced: false,
            body: sent.body.clone(),
            cell,
        };
        self.history.push(sent);
        let report = self.chain.send_internal(&flight.from, &message);
        let report = report.map_err(|error| format!("{error}: {flight:?}"))?;
        self.delivered(&flight, &report)
    }

    /// What unfreezes a frozen contract.
    fn init_of(&self, to: &Address) -> Option<cocoon_bindings::StateInit> {
        let frozen = self.net.accounts.get(to).is_some_and(|account| !account.active);
        frozen.then(|| cocoon_bindings::StateInit {
            code: self.net.codes[to].clone(),
            data: self.net.contracts[to].data(),
        })
    }

    /// Sends the wallet a message from outside and checks what it does.
    pub(crate) fn send_external(&mut self, message: &External) -> Checked {
        let to = self.net.places.wallet.clone();
        let cell = external(&to, message.cell(), None).unwrap();
        self.note(|| format!("  to the wallet, from outside: {message:?}"));
        let env = Env {
            me: to.clone(),
            from: to.clone(),
            now: self.chain.now(),
            value: 0,
            original: self.net.balance(&to),
            due: 0,
        };
        let before = self.net.contracts[&to].clone();
        let Contract::Wallet(mut wallet) = before.clone() else {
            return Err("the wallet is a wallet".to_owned());
        };
        let held = self.net.accounts[&to].clone();
        match self.chain.send_external(cell) {
            Ok(report) => {
                let env = Env {
                    original: env.original.saturating_sub(report.fees.storage.get()),
                    ..env
                };
                // What importing the message costs is paid before the code runs or not: the minimum is far above it.
                let expected = wallet
                    .external(message, &env)
                    .map_err(|exit| format!("accepted, expected {exit:?}"))?;
                let flight = Flight {
                    from: to.clone(),
                    to: to.clone(),
                    value: 0,
                    back: Return::Never,
                    bounced: false,
                    body: Body::Empty,
                    cell: message.cell(),
                };
                let after = self.account_of(&to)?;
                compare::conserved(&flight, &held, &after, &report)?;
                let outs = compare::sent(&flight, &expected, &report)?;
                self.flights.extend(outs);
                self.net.contracts.insert(to.clone(), Contract::Wallet(wallet));
                compare::stored(&self.net, &to, &after)?;
                self.net.accounts.insert(to, after);
                self.settle_books()
            }
            Err(EmulatorError::ExternalRefused { exit_code, .. }) => match wallet.external(message, &env) {
                Err(Exit::Refused(code)) if exit_code == Some(code) => Ok(()),
                // Storage fees may have taken the wallet below the minimum.
                _ if exit_code == Some(1035) && env.original < effect::COMMISSION * 25 => Ok(()),
                // An empty wallet does not pay for the import, or not for the gas.
                _ if matches!(exit_code, None | Some(compare::OUT_OF_GAS))
                    && (!held.active || held.balance < effect::COMMISSION) =>
                {
                    Ok(())
                }
                Err(Exit::Refused(code)) => Err(format!("refused with {exit_code:?}, expected {code}")),
                other => Err(format!("refused with {exit_code:?}, expected {other:?}")),
            },
            Err(error) => Err(error.to_string()),
        }
    }

    /// Delivers a message on its way and checks what it does.
    pub(crate) fn deliver(&mut self, place: usize) -> Checked {
        let report = self.chain.step_at(place).map_err(|error| error.to_string())?;
        let report = report.ok_or("a message that the model expects is not on its way")?;
        let flight = self.flights.remove(place);
        self.delivered(&flight, &report)
    }

    /// Delivers everything, oldest first.
    pub(crate) fn drain(&mut self) -> Checked {
        while !self.flights.is_empty() {
            self.deliver(0)?;
        }
        Ok(())
    }

    fn account_of(&self, address: &Address) -> Checked<Account> {
        let view = self.chain.account(address).map_err(|error| error.to_string())?;
        view.as_ref()
            .map(Account::read)
            .ok_or_else(|| "a contract is gone".to_owned())
    }

    fn delivered(&mut self, flight: &Flight, report: &Arc<TransactionReport>) -> Checked {
        self.deliveries += 1;
        if self.deliveries > MAX_DELIVERIES {
            return Err("the messages do not end".to_owned());
        }
        self.note(|| {
            let kind = if flight.bounced { " (back)" } else { "" };
            let fared = format!("{:?}", report.compute);
            format!(
                "  {} -> {}{kind}, {}: {:?}: {fared}",
                flight.from, flight.to, flight.value, flight.body
            )
        });
        if !self.net.contracts.contains_key(&flight.to) {
            let returned = compare::returned(flight, report)?;
            self.flights.extend(returned);
            return Ok(());
        }
        let held = self.net.accounts[&flight.to].clone();
        let after = self.account_of(&flight.to)?;
        let before = self.net.contracts[&flight.to].clone();
        compare::conserved(flight, &held, &after, report)?;
        let fared = compare::effect(&before, flight, &held, &after, report, self.chain.now())?;
        self.flights.extend(fared.sent);
        let done = fared.contract.is_some();
        if let Some(contract) = fared.contract {
            if let Contract::Root(root) = &contract {
                self.net.codes.insert(flight.to.clone(), root.code.clone());
            }
            self.net.contracts.insert(flight.to.clone(), contract);
        }
        compare::stored(&self.net, &flight.to, &after)?;
        let gained = i128::try_from(after.balance).unwrap() - i128::try_from(held.balance).unwrap()
            + i128::try_from(report.fees.storage.get()).unwrap();
        self.net.accounts.insert(flight.to.clone(), after.clone());
        let now = self.net.contracts[&flight.to].clone();
        compare::monotonic(&before, &now, flight)?;
        let entry = Entry {
            flight,
            before: &before,
            after: &now,
            done,
            gained,
            storage: i128::try_from(report.fees.storage.get()).unwrap(),
            due: i128::try_from(after.due).unwrap(),
            gas: i128::try_from(report.fees.gas.get()).unwrap(),
        };
        self.ledger.book(&self.net, &entry)?;
        self.settle_books()
    }

    fn settle_books(&self) -> Checked {
        self.ledger.check(&self.net, &self.flights)
    }

    /// Everything has arrived: no coin of the whole chain is missing, and closed clients are empty.
    pub(crate) fn finish(&mut self) -> Checked {
        self.drain()?;
        let books = self.chain.books().map_err(|error| error.to_string())?;
        if !books.balanced() {
            return Err(format!("coins appeared or vanished: {books:?}"));
        }
        for (place, client) in self.net.clients().enumerate() {
            if client.state == crate::model::CLOSED && client.balance != 0 {
                return Err(format!("client {place} is closed and has {} left", client.balance));
            }
        }
        Ok(())
    }
}
