//! The network in the model, and messages on their way.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_emulator::{AccountStatus, AccountView};

use crate::model::body::Body;
use crate::model::effect::Return;
use crate::model::{Client, Contract, Proxy, Worker};
use crate::sequence::setup::{PEOPLE, Places, Setup};

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: u128,
    pub(crate) back: Return,
    pub(crate) bounced: bool,
    pub(crate) body: Body,
    pub(crate) cell: Cell,
}

impl Flight {
    /// What it says, or said before it came back.
    pub(crate) fn said(&self) -> &Body {
        match &self.body {
            Body::Bounced { original, .. } => original,
            body => body,
        }
    }
}

/// What the chain says of a contract's account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) balance: u128,
    pub(crate) due: u128,
    pub(crate) active: bool,
    pub(crate) data: Option<HashBytes>,
    pub(crate) code: Option<HashBytes>,
    pub(crate) frozen: Option<HashBytes>,
}

impl Account {
    pub(crate) fn read(view: &AccountView) -> Self {
        Self {
            balance: view.balance.get(),
            due: view.due.get(),
            active: view.status == AccountStatus::Active,
            data: view.data.as_ref().map(|cell| *cell.repr_hash()),
            code: view.code.as_ref().map(|cell| *cell.repr_hash()),
            frozen: view.frozen_hash,
        }
    }
}

/// The network in the model.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) contracts: BTreeMap<Address, Contract>,
    pub(crate) codes: BTreeMap<Address, Cell>,
    pub(crate) accounts: BTreeMap<Address, Account>,
    pub(crate) places: Places,
}

impl Net {
    pub(crate) fn new(setup: &Setup, accounts: BTreeMap<Address, Account>) -> Self {
        Self {
            contracts: setup.contracts.clone(),
            codes: setup.codes.clone(),
            accounts,
            places: setup.places.clone(),
        }
    }

    pub(crate) fn balance(&self, address: &Address) -> u128 {
        self.accounts.get(address).map_or(0, |account| account.balance)
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        let Contract::Proxy(proxy) = &self.contracts[&self.places.proxy] else {
            panic!("the proxy is a proxy")
        };
        proxy
    }

    pub(crate) fn client(&self, place: usize) -> &Client {
        let Contract::Client(client) = &self.contracts[&self.places.clients[place]] else {
            panic!("a client is a client")
        };
        client
    }

    pub(crate) fn worker(&self, place: usize) -> &Worker {
        let Contract::Worker(worker) = &self.contracts[&self.places.workers[place]] else {
            panic!("a worker is a worker")
        };
        worker
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        (0..2).map(|place| self.client(place))
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &Worker> {
        (0..2).map(|place| self.worker(place))
    }

    /// Whether a message goes between a client or worker and the proxy, in whichever direction.
    pub(crate) fn between_ours(&self, flight: &Flight) -> bool {
        let child = |address: &Address| self.places.clients.contains(address) || self.places.workers.contains(address);
        (child(&flight.from) && flight.to == self.places.proxy)
            || (flight.from == self.places.proxy && child(&flight.to))
    }

    /// A text with names instead of addresses.
    pub(crate) fn named(&self, text: &str) -> String {
        let places = &self.places;
        let contracts = [
            (&places.root, "root"),
            (&places.proxy, "proxy"),
            (&places.clients[0], "client 0"),
            (&places.clients[1], "client 1"),
            (&places.workers[0], "worker 0"),
            (&places.workers[1], "worker 1"),
            (&places.wallet, "wallet"),
            (&places.governor, "governor"),
        ];
        let people = PEOPLE.iter().map(|(address, name)| (address, *name));
        contracts
            .into_iter()
            .chain(people)
            .fold(text.to_owned(), |text, (address, name)| {
                text.replace(&address.to_string(), name)
                    .replace(&format!("{address:?}"), name)
            })
    }
}
