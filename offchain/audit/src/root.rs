//! The root contract's history: which terms were in force from when on, and what was listed when.

mod replay;
mod windows;

pub use windows::{Listed, Listings, NotListed, Window};

use crate::error::AuditError;
use cocoon_bindings::Params;
use cocoon_bindings::root::RootStorage;
use cocoon_bindings::ton::{Address, Load};
use cocoon_bindings::units::ParamsVersion;
use cocoon_chain::{AccountState, ChainClient, ChainError, Transaction};
use std::collections::BTreeMap;

/// One version of the terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Since when, Unix seconds.
    pub from: u32,
    /// Prices, weights and codes.
    pub params: Params,
}

/// What the root contract ever said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootHistory {
    /// Its address.
    pub address: Address,
    /// Whether it says now that this is a test network, with simulated evidence.
    pub is_test: bool,
    /// Every version of the terms.
    pub terms: BTreeMap<ParamsVersion, Terms>,
    /// Images and models.
    pub listings: Listings,
}

impl RootHistory {
    /// Reads it from the chain.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, AuditError> {
        let account = chain.account(address).await?;
        let transactions = crate::history::up_to(chain, address, &account).await?;
        Self::of(address, &account, &transactions)
    }

    /// From its state and all that led to it. A history that does not lead to the state is an error: what was listed in
    /// between would be a guess.
    pub fn of(address: &Address, account: &AccountState, transactions: &[Transaction]) -> Result<Self, AuditError> {
        let now = storage(address, account)?;
        let broken = |reason: &'static str| AuditError::RootHistory {
            root: address.clone(),
            reason,
        };
        let (start, rest) =
            replay::start(transactions).ok_or_else(|| broken("it does not begin with the contract's deployment"))?;
        let mut replay = replay::Replay::new(start.storage, start.time);
        for transaction in rest {
            replay.step(transaction);
        }
        if !replay.is_at(&now) {
            return Err(broken("it does not lead to what the contract holds"));
        }
        let (terms, listings) = replay.finish();
        Ok(Self {
            address: address.clone(),
            is_test: now.params.is_test,
            terms,
            listings,
        })
    }
}

impl RootHistory {
    /// Whether a version of the terms is that of a test network; what the contract says now when it never had the version.
    pub fn is_test_at(&self, version: ParamsVersion) -> bool {
        self.terms
            .get(&version)
            .map_or(self.is_test, |terms| terms.params.is_test)
    }
}

fn storage(address: &Address, account: &AccountState) -> Result<RootStorage, AuditError> {
    const WHAT: &str = "root contract";
    let data = account.data.as_ref().filter(|_| account.is_active());
    let Some(data) = data else {
        let address = address.clone();
        return Err(ChainError::NotDeployed { what: WHAT, address }.into());
    };
    let read = || RootStorage::load_from(&mut data.as_ref().as_slice()?);
    read().map_err(|source| {
        let source = cocoon_bindings::BindingsError::Layout { what: WHAT, source };
        let address = address.clone();
        ChainError::Data {
            what: WHAT,
            address,
            source,
        }
        .into()
    })
}
