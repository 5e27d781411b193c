//! Contracts that their proxy has closed: after a change of the network's terms it charges them for the last time and refunds
//! the rest, when no connection to it is left. What it took is compared with the receipts.

use std::sync::{Arc, PoisonError};

use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_chain::{ChainError, ClientAccount};
use cocoon_runner::off_thread;

use crate::connection::ProxyConnection;
use crate::context::Context;
use crate::error::ClientError;

/// A contract of ours that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedContract {
    /// Its address.
    pub contract: Address,
    /// Tokens that it was charged for in all.
    pub charged: u64,
    /// Tokens up to the newest receipt that came.
    pub receipts: u64,
}

impl ClosedContract {
    /// Tokens that no receipt here explains: a receipt was lost with its connection, or the proxy took too much. An audit
    /// of the proxy's log tells which.
    pub fn unexplained(&self) -> u64 {
        self.charged.saturating_sub(self.receipts)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct ClosedContracts(Vec<ClosedContract>);

impl ClosedContracts {
    /// Looks at every contract that has a receipt and no connection, until it is closed.
    pub(crate) async fn look(
        &mut self,
        context: &Context,
        connections: &[Arc<ProxyConnection>],
    ) -> Result<Vec<ClosedContract>, ClientError> {
        let store = Arc::clone(&context.store);
        let read = move || store.lock().unwrap_or_else(PoisonError::into_inner).latest_receipts();
        // A runtime that ends asks for nothing more.
        let latest = off_thread(read).await.unwrap_or(Ok(Vec::new()))?;
        for stored in latest {
            let receipt = &stored.receipt.receipt;
            let is_served = connections.iter().any(|one| one.client_contract == receipt.client);
            if is_served || self.0.iter().any(|closed| closed.contract == receipt.client) {
                continue;
            }
            match ClientAccount::fetch(context.chain.as_ref(), &receipt.client).await {
                Ok(account) if account.state == Lifecycle::Closed => self.note(ClosedContract {
                    contract: receipt.client.clone(),
                    charged: account.tokens_used.get(),
                    receipts: receipt.channel.after,
                }),
                Ok(_) | Err(ChainError::NotDeployed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.0.clone())
    }

    fn note(&mut self, closed: ClosedContract) {
        let ClosedContract {
            contract,
            charged,
            receipts,
        } = &closed;
        match closed.unexplained() {
            0 => tracing::info!(%contract, charged, "an old contract is closed"),
            unexplained => tracing::error!(
                %contract, charged, receipts, unexplained,
                "an old contract was charged for more than its receipts say: audit its proxy"
            ),
        }
        self.0.push(closed);
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    #[test]
    fn only_what_goes_beyond_the_receipts_is_unexplained() {
        let closed = |charged, receipts| ClosedContract {
            contract: Address::new(0, HashBytes([1; 32])),
            charged,
            receipts,
        };
        assert_eq!(closed(26, 13).unexplained(), 13);
        assert_eq!(closed(13, 13).unexplained(), 0);
        // A receipt that was never charged is the client's luck.
        assert_eq!(closed(0, 13).unexplained(), 0);
    }
}
