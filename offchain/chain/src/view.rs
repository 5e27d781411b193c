//! The contracts as Rust values, read from their data.

mod channel;
mod proxy;
mod root;
mod watch;

pub use channel::{ClientAccount, WorkerAccount};
pub use proxy::ProxyAccount;
pub use root::RootView;
pub use watch::watch_root;

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::{Address, Cell, CellError, CellSlice};

use crate::ChainError;
use crate::client::{AccountState, ChainClient};

/// Where a proxy, client or worker contract is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractState {
    /// Open.
    Normal,
    /// Closing: waits for its unlock time.
    Closing,
    /// Closed for good.
    Closed,
}

impl ContractState {
    /// Reads the two bits of the contract's data. A value that no contract writes is an error.
    pub(crate) fn read(slice: &mut CellSlice<'_>) -> Result<Self, CellError> {
        match slice.load_small_uint(2)? {
            0 => Ok(Self::Normal),
            1 => Ok(Self::Closing),
            2 => Ok(Self::Closed),
            _ => Err(CellError::InvalidTag),
        }
    }
}

/// Fetches an account and its data.
async fn fetch_data(
    chain: &dyn ChainClient,
    address: &Address,
    what: &'static str,
) -> Result<(AccountState, Cell), ChainError> {
    let account = chain.account(address).await?;
    match account.data.clone() {
        Some(data) if account.is_active() => Ok((account, data)),
        _ => Err(ChainError::NotDeployed {
            what,
            address: address.clone(),
        }),
    }
}

/// Reads a contract's data.
fn read_data<T>(
    address: &Address,
    what: &'static str,
    data: &Cell,
    read: impl FnOnce(&mut CellSlice<'_>) -> Result<T, CellError>,
) -> Result<T, ChainError> {
    let read = || read(&mut data.as_ref().as_slice()?);
    let failed = |source| ChainError::Data {
        what,
        address: address.clone(),
        source: BindingsError::layout(what)(source),
    };
    read().map_err(failed)
}
