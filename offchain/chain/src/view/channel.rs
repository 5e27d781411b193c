//! The contracts between a proxy and one client or worker.

use cocoon_bindings::Params;
use cocoon_bindings::ton::{Address, Cell, CellError, CellSlice, Load, from_cell, load_address};
use cocoon_bindings::units::{Nanoton, PublicKey, TokenCount};

use super::{ContractState, fetch_data, read_data};
use crate::ChainError;
use crate::client::{AccountState, ChainClient};

/// A client contract at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAccount {
    /// The account: balance, last transaction, time.
    pub account: AccountState,
    /// Who paid into it.
    pub owner: Address,
    /// The proxy contract.
    pub proxy: Address,
    /// Key that signs vouchers.
    pub proxy_public_key: PublicKey,
    /// Open, closing or closed.
    pub state: ContractState,
    /// Paid in and not charged yet.
    pub balance: Nanoton,
    /// Stake.
    pub stake: Nanoton,
    /// Tokens charged so far, cumulative.
    pub tokens_used: TokenCount,
    /// When a closing contract may be closed, seconds since 1970.
    pub unlock_at: u32,
    /// Hash of the secret that identifies the client to the proxy.
    pub secret_hash: [u8; 32],
    /// Parameters that it was made with.
    pub params: Params,
}

impl ClientAccount {
    /// Reads a client contract.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, ChainError> {
        let (account, data) = fetch_data(chain, address, "client contract").await?;
        read_data(address, "client contract", &data, |slice| read_client(slice, account))
    }
}

/// A worker contract at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerAccount {
    /// The account: balance, last transaction, time.
    pub account: AccountState,
    /// Who is paid.
    pub owner: Address,
    /// The proxy contract.
    pub proxy: Address,
    /// Key that signs vouchers.
    pub proxy_public_key: PublicKey,
    /// Open or closed.
    pub state: ContractState,
    /// Tokens paid so far, cumulative.
    pub tokens: TokenCount,
    /// Parameters that it was made with.
    pub params: Params,
}

impl WorkerAccount {
    /// Reads a worker contract.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, ChainError> {
        let (account, data) = fetch_data(chain, address, "worker contract").await?;
        read_data(address, "worker contract", &data, |slice| read_worker(slice, account))
    }
}

fn read_client(slice: &mut CellSlice<'_>, account: AccountState) -> Result<ClientAccount, CellError> {
    let state = ContractState::read(slice)?;
    let balance = Nanoton::load_from(slice)?;
    let stake = Nanoton::load_from(slice)?;
    let tokens_used = TokenCount::load_from(slice)?;
    let unlock_at = slice.load_u32()?;
    let secret_hash = slice.load_u256()?.0;
    let constant: Cell = slice.load_reference_cloned()?;
    let params: Cell = slice.load_reference_cloned()?;
    let mut constant = constant.as_ref().as_slice()?;
    let owner = load_address(&mut constant)?;
    let proxy = load_address(&mut constant)?;
    let proxy_public_key = PublicKey::load_from(&mut constant)?;
    let params = from_cell(&params)?;
    Ok(ClientAccount {
        account,
        owner,
        proxy,
        proxy_public_key,
        state,
        balance,
        stake,
        tokens_used,
        unlock_at,
        secret_hash,
        params,
    })
}

fn read_worker(slice: &mut CellSlice<'_>, account: AccountState) -> Result<WorkerAccount, CellError> {
    let owner = load_address(slice)?;
    let proxy = load_address(slice)?;
    let proxy_public_key = PublicKey::load_from(slice)?;
    let state = ContractState::read(slice)?;
    let tokens = TokenCount::load_from(slice)?;
    let params: Cell = slice.load_reference_cloned()?;
    let params = from_cell(&params)?;
    Ok(WorkerAccount {
        account,
        owner,
        proxy,
        proxy_public_key,
        state,
        tokens,
        params,
    })
}
