//! The proxy contract.

use cocoon_bindings::Params;
use cocoon_bindings::ton::{Address, Cell, CellError, CellSlice, Load, from_cell, load_address};
use cocoon_bindings::units::{Nanoton, PublicKey};

use super::{ContractState, fetch_data, read_data};
use crate::ChainError;
use crate::client::{AccountState, ChainClient};

/// The proxy contract at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAccount {
    /// The account: balance, last transaction, time.
    pub account: AccountState,
    /// Who gets its money.
    pub owner: Address,
    /// Key that signs vouchers.
    pub public_key: PublicKey,
    /// The root contract.
    pub root: Address,
    /// Open, closing or closed.
    pub state: ContractState,
    /// Earned and ready for withdrawal.
    pub balance: Nanoton,
    /// Stake.
    pub stake: Nanoton,
    /// When a closing contract may be closed, seconds since 1970.
    pub unlock_at: u32,
    /// Parameters that it was made with.
    pub params: Params,
}

impl ProxyAccount {
    /// Reads a proxy contract.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, ChainError> {
        let (account, data) = fetch_data(chain, address, "proxy contract").await?;
        read_data(address, "proxy contract", &data, |slice| read(slice, account))
    }
}

/// Our proxy contract may carry one more reference after its first use; readers of the plain layout skip it.
fn read(slice: &mut CellSlice<'_>, account: AccountState) -> Result<ProxyAccount, CellError> {
    let owner = load_address(slice)?;
    let public_key = PublicKey::load_from(slice)?;
    let root = load_address(slice)?;
    let state = ContractState::read(slice)?;
    let balance = Nanoton::load_from(slice)?;
    let stake = Nanoton::load_from(slice)?;
    let unlock_at = slice.load_u32()?;
    let params: Cell = slice.load_reference_cloned()?;
    let params = from_cell(&params)?;
    Ok(ProxyAccount {
        account,
        owner,
        public_key,
        root,
        state,
        balance,
        stake,
        unlock_at,
        params,
    })
}
