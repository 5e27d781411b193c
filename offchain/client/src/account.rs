//! Watches the runner's wallet and client contract, and pays in when told to.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocoon_bindings::ton::{Address, friendly};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainError, ClientAccount};
use tokio::sync::watch;

use crate::closed::{ClosedContract, ClosedContracts};
use crate::connection::ProxyConnection;
use crate::context::Context;
use crate::contract;
use crate::dialer::Upstream;
use crate::error::ClientError;
use crate::limits::FUNDING_EVERY;

/// What was last seen on chain.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Balance of the wallet.
    pub wallet_balance: Nanoton,
    /// Seqno of the wallet.
    pub wallet_seqno: u32,
    /// The client contracts at the connected proxies.
    pub clients: BTreeMap<Address, ClientAccount>,
    /// Contracts of terms that have changed, once their proxies have closed them.
    pub closed: Vec<ClosedContract>,
    /// The chain's time of this view, seconds since 1970; 0 before the first.
    pub synced_at: u32,
}

/// Looks at the accounts again and again, until dropped.
pub(crate) async fn watch(
    context: Arc<Context>,
    mut upstream: watch::Receiver<Upstream>,
    accounts: watch::Sender<Accounts>,
) {
    let mut closed = ClosedContracts::default();
    loop {
        let connections = upstream.borrow_and_update().connections.clone();
        let known = accounts.borrow().clients.clone();
        match look(&context, &connections, known).await {
            Ok(mut seen) => {
                match closed.look(&context, &connections).await {
                    Ok(closed) => seen.closed = closed,
                    Err(error) => tracing::warn!(%error, hint = error.hint(), "old contracts cannot be looked at"),
                }
                for connection in &connections {
                    if let Some(account) = seen.clients.get(&connection.client_contract) {
                        keep_funded(&context, connection, account).await;
                    }
                }
                accounts.send_replace(seen);
            }
            Err(error) => tracing::warn!(%error, hint = error.hint(), "the chain cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(FUNDING_EVERY) => {}
            () = context.look_again.notified() => {}
            changed = upstream.changed() => if changed.is_err() { return },
        }
    }
}

async fn look(
    context: &Context,
    connections: &[Arc<ProxyConnection>],
    mut known: BTreeMap<Address, ClientAccount>,
) -> Result<Accounts, ClientError> {
    let wallet = context.wallet.look().await?;
    let mut clients = BTreeMap::new();
    for contract in connections.iter().map(|connection| &connection.client_contract) {
        let seen = match ClientAccount::fetch(context.chain.as_ref(), contract).await {
            Ok(account) => Some(account),
            Err(ChainError::NotDeployed { .. }) => None,
            Err(error) => {
                tracing::warn!(%error, %contract, "the client contract cannot be read");
                known.remove(contract)
            }
        };
        clients.extend(seen.map(|account| (contract.clone(), account)));
    }
    Ok(Accounts {
        wallet_balance: wallet.balance,
        wallet_seqno: wallet.seqno,
        clients,
        closed: Vec::new(),
        synced_at: wallet.time,
    })
}

async fn keep_funded(context: &Context, connection: &ProxyConnection, account: &ClientAccount) {
    if let Err(error) = refill(context, connection, account).await {
        tracing::warn!(%error, hint = error.hint(), "the client contract could not be paid into");
    }
}

async fn refill(context: &Context, connection: &ProxyConnection, account: &ClientAccount) -> Result<(), ClientError> {
    let Some(funding) = *context.funding.get() else {
        return Ok(());
    };
    // What is paid into a contract that closes or is closed would open it again, under terms that nobody may serve any more.
    if account.state != Lifecycle::Normal {
        return Ok(());
    }
    let used = connection.payments().max.saturating_sub(account.tokens_used.get());
    let owed = account.params.price_per_token.checked_mul(used).unwrap_or(Nanoton::MAX);
    let left = account.balance.saturating_sub(owed);
    if left >= funding.refill_below {
        return Ok(());
    }
    let contract = friendly(&connection.client_contract, false, false);
    tracing::info!(contract, %left, amount = %funding.amount, "paying into the client contract");
    contract::top_up(&context.wallet, &connection.client_contract, funding.amount).await
}
