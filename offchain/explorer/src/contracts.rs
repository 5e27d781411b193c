//! The contracts that are followed, and what they hold.

use std::collections::BTreeMap;

use cocoon_bindings::proxy::ProxyTail;
use cocoon_bindings::ton::{Address, Cell, Load};
use cocoon_bindings::worker::WorkerTail;
use cocoon_chain::{ClientAccount, ProxyAccount, WorkerAccount};

use crate::limits::{MAX_CONTRACTS, MAX_NAMED_CONTRACTS};
use crate::share::{OfLog, Shares};
use crate::words::Kind;

/// What a contract held when it was last looked at.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// Nothing was read, or nothing needs to be.
    Nothing,
    /// A proxy contract.
    Proxy(Box<ProxyHeld>),
    /// A client contract.
    Client(Box<ClientAccount>),
    /// A worker contract.
    Worker(Box<WorkerAccount>),
}

/// A proxy contract.
#[derive(Debug, Clone)]
pub(crate) struct ProxyHeld {
    /// Its data.
    pub(crate) account: ProxyAccount,
    /// Whether its address follows from its key, its owner and the root contract's terms of today.
    pub(crate) is_of_root: bool,
    /// Where its log is.
    pub(crate) log: String,
}

/// A contract that is followed.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    /// What it is, or what a receipt says that it is.
    pub(crate) kind: Kind,
    /// Whether that is known: its address follows from what it is. A receipt may name any address.
    pub(crate) is_verified: bool,
    /// What it holds.
    pub(crate) held: Held,
    /// Logical time of the last transaction that was read.
    pub(crate) lt: u64,
    /// Whether all its transactions since it was deployed were read.
    pub(crate) is_whole: bool,
    /// Whether something happened to it that was not read yet.
    pub(crate) is_due: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Contracts {
    all: BTreeMap<Address, Contract>,
    named: Shares,
    /// Whether there are more than are followed.
    pub(crate) is_full: bool,
}

impl Contracts {
    /// Follows a contract of which it is known what it is. What is known of one that is followed already stays; what only a receipt
    /// said gives way.
    pub(crate) fn follow(&mut self, address: &Address, kind: Kind) {
        self.add(address, kind, true);
    }

    fn add(&mut self, address: &Address, kind: Kind, is_verified: bool) {
        match self.all.get(address) {
            Some(known) if known.is_verified || !is_verified => return,
            None if self.all.len() >= MAX_CONTRACTS => {
                self.is_full = true;
                return;
            }
            _ => {}
        }
        let contract = Contract {
            kind,
            is_verified,
            held: Held::Nothing,
            lt: 0,
            is_whole: true,
            is_due: true,
        };
        self.all.insert(address.clone(), contract);
    }

    /// Follows a contract that a receipt names, while the share of that log lasts.
    pub(crate) fn follow_named(&mut self, address: &Address, kind: Kind, of: OfLog) {
        if self.all.contains_key(address) {
            return;
        }
        if self.named.take(of, 1, MAX_NAMED_CONTRACTS) {
            self.add(address, kind, false);
        } else {
            self.is_full = true;
        }
    }

    /// A proxy contract is known that was not before: what receipts name and what belonged to none may be a client or a worker of it.
    pub(crate) fn look_again(&mut self) {
        let named = self.all.values_mut().filter(|contract| !contract.is_verified);
        for contract in named.filter(|contract| contract.kind == Kind::Somebody) {
            (contract.kind, contract.is_due) = (Kind::Client, true);
        }
    }

    /// One of them.
    pub(crate) fn get(&self, address: &Address) -> Option<&Contract> {
        self.all.get(address)
    }

    /// One of them, to write down what was read.
    pub(crate) fn get_mut(&mut self, address: &Address) -> Option<&mut Contract> {
        self.all.get_mut(address)
    }

    /// What an account is.
    pub(crate) fn kind(&self, address: &Address) -> Kind {
        self.all.get(address).map_or(Kind::Somebody, |contract| contract.kind)
    }

    /// All of a kind.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = (&Address, &Contract)> {
        self.all.iter().filter(move |(_, contract)| contract.kind == kind)
    }

    /// All.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Address, &Contract)> {
        self.all.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether all transactions of all contracts were read.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_full && self.all.values().all(|contract| contract.is_whole)
    }
}

/// The end of a proxy contract's data, where there is one that can be read.
pub(crate) fn proxy_tail(account: &ProxyAccount) -> Option<ProxyTail> {
    tail(&account.tail)
}

/// The end of a worker contract's data, where there is one that can be read.
pub(crate) fn worker_tail(account: &WorkerAccount) -> Option<WorkerTail> {
    tail(&account.tail)
}

fn tail<T: for<'a> Load<'a>>(rest: &Cell) -> Option<T> {
    let reference = rest.reference_cloned(0)?;
    T::load_from(&mut reference.as_slice_allow_exotic()).ok()
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    #[test]
    fn only_so_many_contracts_are_followed_and_the_others_are_told() {
        let mut contracts = Contracts::default();
        let address = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Address::new(0, HashBytes(bytes))
        };
        for number in 0..MAX_CONTRACTS {
            contracts.follow(&address(number), Kind::Client);
        }
        contracts.follow(&address(0), Kind::Worker);
        assert_eq!(contracts.kind(&address(0)), Kind::Client, "what is known stays");
        assert!(contracts.is_whole());
        contracts.follow(&address(MAX_CONTRACTS), Kind::Worker);
        assert_eq!((contracts.len(), contracts.is_whole()), (MAX_CONTRACTS, false));
        assert_eq!(contracts.kind(&address(MAX_CONTRACTS)), Kind::Somebody);
    }

    #[test]
    fn what_a_receipt_says_of_a_contract_gives_way_to_what_is_known_of_it() {
        let mut contracts = Contracts::default();
        let of = OfLog { log: 0, logs: 1 };
        let address = Address::new(0, HashBytes([1; 32]));
        contracts.follow_named(&address, Kind::Client, of);
        contracts.follow_named(&address, Kind::Worker, of);
        assert_eq!(contracts.kind(&address), Kind::Client);
        let named = contracts.get_mut(&address).unwrap();
        (named.kind, named.is_due) = (Kind::Somebody, false);
        contracts.follow(&address, Kind::Proxy);
        let known = contracts.get(&address).unwrap();
        assert_eq!((known.kind, known.is_due), (Kind::Proxy, true));
        contracts.follow_named(&address, Kind::Client, of);
        contracts.follow(&address, Kind::Worker);
        contracts.look_again();
        assert_eq!(contracts.kind(&address), Kind::Proxy, "what is known stays");
        assert_eq!(contracts.len(), 1);
    }
}
