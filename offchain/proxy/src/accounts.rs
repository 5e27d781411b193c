//! The proxy's own accounts, looked at from time to time for the statistics. Nothing is decided by them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainError, ProxyAccount, WalletView};

use crate::limits::ACCOUNTS_EVERY;
use crate::state::Proxy;

/// What was last seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) wallet: WalletView,
    /// What the proxy contract holds.
    pub(crate) contract_balance: Nanoton,
    /// The part of it that the owner may withdraw.
    pub(crate) earned: Nanoton,
}

/// The last look.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<Seen>);

impl Accounts {
    pub(crate) fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for ever. While the chain does not answer, what was seen last stays, and its time says how old it is.
pub(crate) async fn keep_looking(proxy: std::sync::Arc<Proxy>) {
    let every = Duration::from_secs_f64(proxy.config.timers.contracts).max(ACCOUNTS_EVERY);
    loop {
        match look(&proxy).await {
            Ok(seen) => *proxy.accounts.0.lock().unwrap_or_else(PoisonError::into_inner) = seen,
            Err(error) => tracing::debug!(%error, "the proxy's accounts cannot be read"),
        }
        tokio::time::sleep(every).await;
    }
}

async fn look(proxy: &Proxy) -> Result<Seen, ChainError> {
    let wallet = proxy.wallet.look().await?;
    let contract = ProxyAccount::fetch(proxy.chain.as_ref(), &proxy.on_chain().contract).await?;
    Ok(Seen {
        wallet,
        contract_balance: contract.account.balance,
        earned: contract.balance,
    })
}
