//! The contracts as Rust values, read from their data.

mod contracts;
mod identity;
mod root;
mod watch;

pub use contracts::{ClientAccount, ProxyAccount, WorkerAccount};
pub use identity::{MAINNET, TESTNET, global_id};
pub use root::RootView;
pub use watch::watch_root;

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::{Address, Load};

use crate::ChainError;
use crate::client::{AccountState, ChainClient};

/// Fetches an account and reads its data. What follows the declared layout is left alone: a contract may keep a tail.
pub(crate) async fn fetch<T>(
    chain: &dyn ChainClient,
    address: &Address,
    what: &'static str,
) -> Result<(AccountState, T), ChainError>
where
    T: for<'a> Load<'a>,
{
    let account = chain.account(address).await?;
    let Some(data) = account.data.clone().filter(|_| account.is_active()) else {
        return Err(ChainError::NotDeployed {
            what,
            address: address.clone(),
        });
    };
    let read = || T::load_from(&mut data.as_ref().as_slice()?);
    match read() {
        Ok(value) => Ok((account, value)),
        Err(source) => {
            let source = BindingsError::layout(what)(source);
            Err(ChainError::Data {
                what,
                address: address.clone(),
                source,
            })
        }
    }
}
