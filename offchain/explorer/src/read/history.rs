//! What happened to a contract since it was read last, at most so much.

use cocoon_bindings::ton::Address;
use cocoon_chain::{ChainClient, ChainError, Transaction, TransactionId};

use crate::limits::MAX_HISTORY;

/// Transactions in one question to a chain server.
const PAGE: usize = 100;

/// The transactions of an account after logical time `after`, oldest first, and whether those are all: of a long history the newest.
pub(super) async fn newest(
    chain: &dyn ChainClient,
    address: &Address,
    after: u64,
) -> Result<(Vec<Transaction>, bool), ChainError> {
    let mut found: Vec<Transaction> = Vec::new();
    let is_whole = loop {
        let from = found.last().map(TransactionId::from);
        let page = chain.transactions(address, PAGE, from).await?;
        // A page that starts at a given transaction repeats it.
        let fresh: Vec<Transaction> = page.into_iter().skip(usize::from(from.is_some())).collect();
        if fresh.is_empty() {
            // A server that has no older ones; whether there are some the last one says.
            break found.last().is_none_or(|oldest| oldest.previous_lt <= after);
        }
        let mut has_met = false;
        for transaction in fresh {
            let is_linked = found
                .last()
                .is_none_or(|newer| (newer.previous_lt, newer.previous_hash) == (transaction.lt, transaction.hash));
            if transaction.lt <= after {
                has_met = true;
                break;
            }
            if !is_linked {
                let reason = format!(
                    "transaction {} of {address} does not follow from the one before",
                    transaction.lt
                );
                let method = "getTransactions";
                return Err(ChainError::Response { method, reason });
            }
            found.push(transaction);
        }
        if has_met || found.last().is_some_and(|oldest| oldest.previous_lt <= after) {
            break true;
        }
        if found.len() >= MAX_HISTORY {
            break false;
        }
    };
    found.reverse();
    Ok((found, is_whole))
}
