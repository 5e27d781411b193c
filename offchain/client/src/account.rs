//! Watches the runner's wallet and client contract, and pays in when told to.

use std::sync::Arc;

use cocoon_bindings::ton::friendly;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::ClientAccount;
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
    /// The client contract at the proxy of the oldest connection.
    pub client: Option<ClientAccount>,
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
        match look(&context, connections.first().map(Arc::as_ref)).await {
            Ok(mut seen) => {
                match closed.look(&context, &connections).await {
                    Ok(closed) => seen.closed = closed,
                    Err(error) => tracing::warn!(%error, hint = error.hint(), "old contracts cannot be looked at"),
                }
                if let (Some(connection), Some(account)) = (connections.first(), &seen.client) {
                    keep_funded(&context, connection, account).await;
                }
                accounts.send_replace(seen);
            }
            Err(error) => tracing::warn!(%error, hint = error.hint(), "the chain cannot be read"),
        }
        for connection in connections.iter().skip(1) {
            match ClientAccount::fetch(context.chain.as_ref(), &connection.client_contract).await {
                Ok(account) => keep_funded(&context, connection, &account).await,
                Err(error) => tracing::warn!(%error, "the client contract cannot be read"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(FUNDING_EVERY) => {}
            changed = upstream.changed() => if changed.is_err() { return },
        }
    }
}

async fn look(context: &Context, connection: Option<&ProxyConnection>) -> Result<Accounts, ClientError> {
    let wallet = context.wallet.look().await?;
    let client = match connection {
        Some(connection) => ClientAccount::fetch(context.chain.as_ref(), &connection.client_contract)
            .await
            .map(Some)
            .or_else(|e| match e {
                cocoon_chain::ChainError::NotDeployed { .. } => Ok(None),
                error => Err(error),
            })?,
        None => None,
    };
    Ok(Accounts {
        wallet_balance: wallet.balance,
        wallet_seqno: wallet.seqno,
        client,
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
