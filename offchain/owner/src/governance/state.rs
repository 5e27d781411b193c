//! A root contract and its owner at one moment, and what a message would make of it.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::root::{RootStorage, RootTail};
use cocoon_bindings::ton::{Address, Cell, HashBytes, Load, from_cell};
use cocoon_bindings::{BindingsError, ContractKind};
use cocoon_chain::{AccountState, ChainClient, ChainError};
use cocoon_emulator::{AdoptedAccount, Emulator, NetworkConfig};

use super::governor::GovernorView;
use crate::OwnerError;
use crate::limits::TRIAL_VALUE;
use crate::trace::refusal;

/// All of a root contract, also what runners do not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootState {
    /// The account: coins, last transaction, the chain's time.
    pub account: AccountState,
    /// Owner, terms and lists.
    pub storage: RootStorage,
    /// The offer of ownership and the rebuilders.
    pub tail: Tail,
    /// Hash of its own code.
    pub code_hash: HashBytes,
}

/// What a root contract holds beyond the deployed layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing: there was no need for it.
    Absent,
    /// An offer of ownership, rebuilders, or both.
    Read(Box<RootTail>),
    /// Something that this version cannot read, with the hash of its cell.
    Unreadable(HashBytes),
}

impl Tail {
    /// Reads what follows the deployed layout.
    fn of(rest: &Cell) -> Self {
        if rest.bit_len() == 0 && rest.reference_count() == 0 {
            return Self::Absent;
        }
        let is_plain = rest.bit_len() == 0 && rest.reference_count() == 1;
        let read = rest
            .reference_cloned(0)
            .filter(|_| is_plain)
            .and_then(|tail| from_cell::<RootTail>(&tail).ok())
            .filter(|tail| tail.rebuilders.public_keys().is_ok());
        read.map_or_else(
            || Self::Unreadable(*rest.repr_hash()),
            |tail| Self::Read(Box::new(tail)),
        )
    }

    /// The offer and the rebuilders, where there are some that can be read.
    pub fn read(&self) -> Option<&RootTail> {
        match self {
            Self::Read(tail) => Some(tail),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// What a root contract would make of a message.
#[derive(Debug)]
pub enum Trial {
    /// It would refuse it.
    Refused(OwnerError),
    /// It would be this afterwards.
    Accepted(Box<RootState>),
    /// It would accept it, and this version could not read it any more.
    Opaque {
        /// Hash of its code afterwards.
        code_hash: HashBytes,
        /// Hash of its data afterwards.
        data_hash: HashBytes,
    },
}

/// Who decides about a root contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Several signers, by a governor.
    Governor(Box<GovernorView>),
    /// One wallet, or a contract that is no governor.
    Wallet(Address),
}

/// A root contract with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The root contract.
    pub root: RootState,
    /// Its owner, or the governor that was named instead.
    pub owner: Owner,
}

impl RootState {
    /// Reads a root contract.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, OwnerError> {
        let account = chain.account(address).await?;
        let parts = account
            .code
            .clone()
            .zip(account.data.clone())
            .filter(|_| account.is_active());
        let Some((code, data)) = parts else {
            let (what, address) = ("root contract", address.clone());
            return Err(ChainError::NotDeployed { what, address }.into());
        };
        Self::read(account, &code, &data)
    }

    fn read(account: AccountState, code: &Cell, data: &Cell) -> Result<Self, OwnerError> {
        let read = || RootStorage::load_from(&mut data.as_ref().as_slice()?);
        let storage = read().map_err(|source| ChainError::Data {
            what: "root contract",
            address: account.address.clone(),
            source: BindingsError::layout("root contract")(source),
        })?;
        Ok(Self {
            tail: Tail::of(&storage.tail),
            code_hash: *code.repr_hash(),
            account,
            storage,
        })
    }

    /// Whether two states say the same. The count of changes and the version of the terms grow with each message, whatever
    /// it says, and do not tell.
    pub fn same_content(&self, other: &Self) -> bool {
        let content = |state: &Self| {
            let mut storage = state.storage.clone();
            storage.version = 0;
            storage.params.params_version = cocoon_bindings::ParamsVersion::new(0);
            (storage, state.code_hash)
        };
        content(self) == content(other)
    }

    /// What the contract itself makes of a message at a time, seconds since 1970, tried out in an emulator.
    pub fn after(&self, from: &Address, body: &Cell, time: u32) -> Result<Trial, OwnerError> {
        let address = self.account.address.clone();
        let mut emulator = Emulator::new(&NetworkConfig::default(), time)?;
        let last = self.account.last;
        emulator.adopt(&AdoptedAccount {
            address: address.clone(),
            balance: self.account.balance,
            contract: self.account.code.clone().zip(self.account.data.clone()),
            last_lt: last.map_or(0, |last| last.lt),
            last_hash: last.map_or(HashBytes::ZERO, |last| last.hash),
            last_paid: time,
        })?;
        let message = InternalMessage {
            to: address.clone(),
            value: TRIAL_VALUE,
            bounce: true,
            body: body.clone(),
            state_init: None,
        };
        let report = emulator.send_internal(from, &message)?;
        let done = std::slice::from_ref(report.as_ref());
        if let Some(refused) = refusal(done, true) {
            return Ok(Trial::Refused(refused));
        }
        let after = emulator.account(&address)?;
        let parts = after.and_then(|after| after.code.zip(after.data));
        let Some((code, data)) = parts else {
            let what = "root contract";
            return Err(ChainError::NotDeployed { what, address }.into());
        };
        let mut account = self.account.clone();
        account.time = time;
        (account.code, account.data) = (Some(code.clone()), Some(data.clone()));
        Ok(match Self::read(account, &code, &data) {
            Ok(after) => Trial::Accepted(Box::new(after)),
            // It was accepted all the same.
            Err(_) => Trial::Opaque {
                code_hash: *code.repr_hash(),
                data_hash: *data.repr_hash(),
            },
        })
    }
}

impl Network {
    /// Reads the root contract and its owner; `governor` names another governor than the owner, such as the one that the
    /// root contract is offered to.
    pub async fn fetch(
        chain: &dyn ChainClient,
        root: &Address,
        governor: Option<&Address>,
    ) -> Result<Self, OwnerError> {
        let root = RootState::fetch(chain, root).await?;
        let owner = match governor {
            Some(named) => {
                let view = GovernorView::fetch(chain, named).await?;
                let view = view.filter(|view| view.storage.root == root.account.address);
                let view = view.ok_or_else(|| OwnerError::OtherContract {
                    address: named.clone(),
                    kind: ContractKind::Governor,
                })?;
                Owner::Governor(Box::new(view))
            }
            None => {
                let view = GovernorView::fetch(chain, &root.storage.owner).await?;
                match view.filter(|view| view.storage.root == root.account.address) {
                    Some(view) => Owner::Governor(Box::new(view)),
                    None => Owner::Wallet(root.storage.owner.clone()),
                }
            }
        };
        Ok(Self { root, owner })
    }

    /// The governor, where there is one.
    pub fn governor(&self) -> Option<&GovernorView> {
        match &self.owner {
            Owner::Governor(view) => Some(view),
            Owner::Wallet(_) => None,
        }
    }

    /// Whether an offer of ownership waits for this address.
    pub fn is_offered_to(&self, address: &Address) -> bool {
        let offer = self.root.tail.read().and_then(|tail| tail.offer.as_ref());
        offer.is_some_and(|offer| offer.new_owner == *address && offer.until >= self.root.account.time)
    }

    /// Who would send a message to the root contract.
    pub fn sender(&self) -> &Address {
        match &self.owner {
            Owner::Governor(view) => &view.account.address,
            Owner::Wallet(owner) => owner,
        }
    }
}
