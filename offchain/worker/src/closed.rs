//! Contracts that their proxy has closed with a last payout, after a change of the network's terms: what it paid is compared
//! with the statements that it signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_chain::{ChainClient, ChainError, WorkerAccount};
use cocoon_runner::off_thread;
use cocoon_store::WorkerStore;

use crate::error::WorkerError;

/// A contract of ours that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Tokens that it has paid in all.
    pub(crate) paid: u64,
    /// Tokens up to the newest statement that the proxy signed too.
    pub(crate) signed: u64,
}

impl Closed {
    /// Tokens that the proxy signed for and did not pay.
    pub(crate) fn unpaid(&self) -> u64 {
        self.signed.saturating_sub(self.paid)
    }
}

/// The highest total that each contract's proxy has signed for.
fn highest(claims: impl Iterator<Item = (Address, u64)>) -> BTreeMap<Address, u64> {
    let mut highest = BTreeMap::new();
    for (contract, signed) in claims {
        let tokens: &mut u64 = highest.entry(contract).or_default();
        *tokens = signed.max(*tokens);
    }
    highest
}

/// Looks at every contract that has a claim, until it is closed.
pub(crate) async fn look(
    chain: &dyn ChainClient,
    store: Arc<WorkerStore>,
    known: &mut BTreeMap<Address, Closed>,
) -> Result<(), WorkerError> {
    let read = off_thread(move || store.claims());
    let claims = read.await.map_err(|_| WorkerError::Task)??;
    let claims = claims
        .into_iter()
        .map(|kept| (kept.statement.worker, kept.claim.tokens));
    for (contract, signed) in highest(claims) {
        if known.contains_key(&contract) {
            continue;
        }
        let paid = match WorkerAccount::fetch(chain, &contract).await {
            Ok(account) if account.state == Lifecycle::Closed => account.tokens.get(),
            Ok(_) | Err(ChainError::NotDeployed { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let closed = Closed { paid, signed };
        match closed.unpaid() {
            0 => tracing::info!(%contract, paid, "an old contract is closed"),
            unpaid => tracing::error!(
                %contract, paid, signed, unpaid,
                "an old contract was closed with less than its proxy signed for: keep the statements"
            ),
        }
        known.insert(contract, closed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ton::HashBytes;

    use super::*;

    #[test]
    fn of_several_models_at_one_contract_the_highest_statement_counts() {
        let [one, other] = [1, 2].map(|byte| Address::new(0, HashBytes([byte; 32])));
        let claims = [(&one, 5), (&other, 1), (&one, 9), (&one, 7)];
        let highest = highest(claims.into_iter().map(|(contract, tokens)| (contract.clone(), tokens)));
        assert_eq!(highest, BTreeMap::from([(one, 9), (other, 1)]));
        let unpaid = |paid| Closed { paid, signed: 9 }.unpaid();
        assert_eq!([unpaid(4), unpaid(9), unpaid(12)], [5, 0, 0]);
    }
}
