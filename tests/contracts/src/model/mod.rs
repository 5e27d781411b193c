//! A reference model of all contracts, written from their description and not from their code.
//!
//! A contract is a handful of integers; a message is what its sender meant by it ([`body::Body`]); what a message does
//! is a result code, the contract afterwards, and what it sends ([`effect::Act`]). Gas and fees are not modelled: they
//! are taken from the emulator's report.

mod bits;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod effect;
mod encode;
pub(crate) mod governance;
pub(crate) mod governor;
pub(crate) mod proxy;
pub(crate) mod root;
pub(crate) mod signed;
pub(crate) mod terms;
pub(crate) mod wallet;
pub(crate) mod worker;

use cocoon_bindings::ton::Cell;

use body::Body;
use effect::{Env, Outcome};

pub(crate) use client::Client;
pub(crate) use governor::Governor;
pub(crate) use proxy::Proxy;
pub(crate) use root::Root;
pub(crate) use terms::Terms;
pub(crate) use wallet::Wallet;
pub(crate) use worker::Worker;

/// State of a contract in use.
pub(crate) const NORMAL: u8 = 0;
/// State of a contract that is about to close.
pub(crate) const CLOSING: u8 = 1;
/// State of a closed contract.
pub(crate) const CLOSED: u8 = 2;

/// One of the contracts.
#[derive(Debug, Clone)]
pub(crate) enum Contract {
    Root(Box<Root>),
    Proxy(Proxy),
    Client(Client),
    Worker(Worker),
    Wallet(Wallet),
    Governor(Box<Governor>),
}

impl Contract {
    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        match self {
            Self::Root(root) => root.data(),
            Self::Proxy(proxy) => proxy.data(),
            Self::Client(client) => client.data(),
            Self::Worker(worker) => worker.data(),
            Self::Wallet(wallet) => wallet.data(),
            Self::Governor(governor) => governor.data(),
        }
    }

    /// What a message does to it.
    pub(crate) fn receive(&mut self, body: &Body, env: &Env) -> Outcome {
        match self {
            Self::Root(root) => root.receive(body, env),
            Self::Proxy(proxy) => proxy.receive(body, env),
            Self::Client(client) => client.receive(body, env),
            Self::Worker(worker) => worker.receive(body, env),
            Self::Wallet(wallet) => wallet.receive(body, env),
            Self::Governor(governor) => governor.receive(body, env),
        }
    }
}
