//! Which contracts with the data of a proxy contract are proxy contracts of this network: data is a contract's own word, its code
//! and its address are not.

use std::collections::BTreeSet;

use cocoon_bindings::root::{RootMessage, RootStorage};
use cocoon_bindings::ton::{Address, Cell, CellError, HashBytes, Load as _};
use cocoon_bindings::{ContractKind, Params, proxy_state_init};
use cocoon_chain::{ProxyAccount, Transaction};

use crate::limits::{MAX_CODES, MAX_HISTORY};
use crate::view::RootSeen;

/// Hashes of the codes that the root contract names for proxy contracts, or named in the history that was read.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    hashes: BTreeSet<HashBytes>,
    /// Whether its history was read: before, an unknown code may be one of earlier terms.
    pub(crate) is_read: bool,
    /// Whether that history was longer than is read: then an unknown code may always be one of earlier terms.
    pub(crate) is_cut: bool,
}

impl Codes {
    /// Notes what terms name.
    pub(crate) fn note(&mut self, params: &Params) {
        if let Some(code) = &params.proxy_code {
            self.add(code);
        }
    }

    /// Notes what a transaction of the root contract brought into force.
    pub(crate) fn hear(&mut self, transaction: &Transaction) {
        let message = transaction.in_msg.as_ref().filter(|message| !message.bounced);
        let Some(message) = message.filter(|_| transaction.success()) else {
            return;
        };
        // What a contract began with counts only where it is what its address is the hash of.
        let init = message.state_init.as_ref();
        let init = init.filter(|init| *init.repr_hash() == transaction.address.address);
        if let Some(Ok(storage)) = init.map(initial_data) {
            self.note(&storage.params);
        }
        match RootMessage::load_from(&mut message.body()) {
            Ok(RootMessage::ChangeCodesFromOwner(change)) => self.add(&change.proxy_code),
            Ok(RootMessage::UpgradeFullFromOwner(upgrade)) => {
                if let Ok(storage) = storage(&upgrade.data) {
                    self.note(&storage.params);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, code: &Cell) {
        if self.hashes.len() < MAX_CODES {
            self.hashes.insert(*code.repr_hash());
        }
    }

    fn has(&self, code: &Cell) -> bool {
        let hash = code.repr_hash();
        self.hashes.contains(hash) || ContractKind::Proxy.code_hash().is_ok_and(|ours| ours == *hash)
    }

    /// Whether nothing can be said of a contract: its code may be one that the root contract named before what is read of it.
    pub(crate) fn is_cut_for(&self, account: &ProxyAccount) -> bool {
        let code = account.account.code.as_ref();
        self.is_read && self.is_cut && code.is_some_and(|code| !self.has(code))
    }
}

/// The data in a state init: `00` (no depth, not special), code, data, no library.
fn initial_data(init: &Cell) -> Result<RootStorage, CellError> {
    storage(&init.reference_cloned(1).ok_or(CellError::CellUnderflow)?)
}

fn storage(data: &Cell) -> Result<RootStorage, CellError> {
    RootStorage::load_from(&mut data.as_ref().as_slice()?)
}

/// What a contract with the data of a proxy contract is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// A proxy contract of this network.
    Here,
    /// None, and why.
    Nowhere(String),
    /// It cannot be said before the root contract was read further, and why.
    Unclear(String),
}

/// Judges a contract. The terms of earlier versions are not compared here: that is an audit's.
pub(crate) fn belongs(account: &ProxyAccount, root: &Address, seen: Option<&RootSeen>, codes: &Codes) -> Belongs {
    let (Some(code), Some(seen)) = (&account.account.code, seen) else {
        return Belongs::Unclear("its code, or the root contract, was not read".to_owned());
    };
    if account.root != *root {
        return Belongs::Nowhere(format!("it is of another network, with root contract {}", account.root));
    }
    if !codes.has(code) {
        let told = format!(
            "its code {} is none that the root contract names for proxies, or named before",
            code.repr_hash()
        );
        return if !codes.is_read {
            Belongs::Unclear(format!("{told}, as far as it was read"))
        } else if codes.is_cut {
            Belongs::Unclear(format!(
                "{told} in its newest {MAX_HISTORY} transactions; it has more, which are not read"
            ))
        } else {
            Belongs::Nowhere(told)
        };
    }
    // With that code nothing but what it began with decides what it can do.
    let own = Params {
        proxy_code: Some(code.clone()),
        ..account.params.clone()
    };
    let derived = proxy_state_init(&account.owner, &account.proxy_public_key, root, &own);
    if !derived
        .and_then(|init| init.address())
        .is_ok_and(|derived| derived == account.account.address)
    {
        return Belongs::Nowhere("its address does not follow from its code, owner, key and terms".to_owned());
    }
    let (version, newest) = (account.params.params_version, seen.params.params_version);
    if version > newest {
        return Belongs::Unclear(format!(
            "its terms are of version {version}, those of the root contract were of version {newest} when they were read"
        ));
    }
    if version == newest && account.params != seen.params.for_proxy() {
        return Belongs::Nowhere(format!(
            "its terms are not those of the root contract at version {version}"
        ));
    }
    Belongs::Here
}
