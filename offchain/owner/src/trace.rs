//! What follows from a message: the transactions that it sets off, one after the other.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::{ChainClient, MessageKind, Transaction, transactions_after};
use tokio::time::Instant;

use crate::OwnerError;
use crate::limits::{MAX_TRACE, NOTICE_VALUE, SETTLE_POLL, SETTLE_TIMEOUT};

/// Waits until all messages that follow from a transaction have arrived, and gives their transactions, the first one first.
pub async fn settle(chain: &dyn ChainClient, first: Transaction) -> Result<Vec<Transaction>, OwnerError> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let mut waiting = outgoing(&first);
    let mut found = vec![first];
    while let Some((to, hash, created)) = waiting.first().cloned() {
        let arrived = transactions_after(chain, &to, created).await;
        let ours = |transaction: &Transaction| {
            transaction
                .in_msg
                .as_ref()
                .is_some_and(|message| message.hash() == hash)
        };
        match arrived?.into_iter().find(ours) {
            Some(transaction) => {
                waiting.remove(0);
                if found.len() < MAX_TRACE {
                    waiting.extend(outgoing(&transaction));
                    found.push(transaction);
                }
            }
            None if Instant::now() >= deadline => {
                return Err(OwnerError::NotSettled {
                    seconds: SETTLE_TIMEOUT.as_secs(),
                });
            }
            None => tokio::time::sleep(SETTLE_POLL).await,
        }
    }
    Ok(found)
}

/// The first transaction in which a contract refused what it was sent, as an error.
pub fn refusal(transactions: &[Transaction], would: bool) -> Option<OwnerError> {
    transactions
        .iter()
        .find(|transaction| is_refusal(transaction))
        .map(|transaction| OwnerError::Refused {
            would,
            address: transaction.address.clone(),
            exit_code: transaction.exit_code().filter(|code| *code > 1),
        })
}

fn is_refusal(transaction: &Transaction) -> bool {
    let is_notice = transaction
        .in_msg
        .as_ref()
        .is_some_and(|message| message.kind == MessageKind::Internal && message.value < NOTICE_VALUE);
    let ran = transaction.gas_used() > 0;
    !transaction.success() && !is_notice && (ran || transaction.bounced)
}

/// Where the messages of a transaction go, with their hash and the logical time of their creation.
fn outgoing(transaction: &Transaction) -> Vec<(Address, HashBytes, u64)> {
    let internal = transaction
        .out_msgs
        .iter()
        .filter(|message| message.kind == MessageKind::Internal);
    internal
        .filter_map(|message| Some((message.destination.clone()?, message.hash(), message.created_lt)))
        .collect()
}
