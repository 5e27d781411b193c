//! What a worker contract has had paid to its owner, read from its history.

use cocoon_bindings::ton::{Address, Load as _, from_cell};
use cocoon_bindings::types::WorkerStep;
use cocoon_bindings::units::{Nanoton, QueryId, TokenCount};
use cocoon_chain::{ChainClient, Message, history};
use serde::Serialize;

use crate::OwnerError;
use crate::limits::MAX_EARNINGS_HISTORY;

/// What a body begins with that came back whole.
const RICH_BOUNCE: u32 = 0xffff_fffe;

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payout {
    /// When, seconds since 1970.
    pub time: u32,
    /// Tokens paid for by then, cumulative.
    pub tokens: TokenCount,
    /// What went to the owner, in nanoton.
    pub owner: Nanoton,
    /// What stayed with the proxy, in nanoton.
    pub proxy: Nanoton,
    /// Hash of the worker contract's transaction.
    pub transaction: String,
    #[serde(skip)]
    query_id: QueryId,
}

/// The payouts of a worker contract, oldest first. Those that the proxy contract could not pay, and sent back, are left out.
pub async fn earnings(chain: &dyn ChainClient, contract: &Address) -> Result<Vec<Payout>, OwnerError> {
    let mut payouts: Vec<Payout> = Vec::new();
    for transaction in history(chain, contract, 0, MAX_EARNINGS_HISTORY).await? {
        if let Some(returned) = transaction.in_msg.as_ref().and_then(returned) {
            // A query id may come again; what came back is the last one with it.
            if let Some(place) = payouts.iter().rposition(|payout| payout.query_id == returned) {
                payouts.remove(place);
            }
        }
        if !transaction.success() {
            continue;
        }
        for message in &transaction.out_msgs {
            let Ok(step) = WorkerStep::load_from(&mut message.body()) else {
                continue;
            };
            if let Some(paid) = step.payload {
                payouts.push(Payout {
                    time: transaction.now,
                    tokens: step.tokens,
                    owner: paid.worker_part,
                    proxy: paid.proxy_part,
                    transaction: transaction.hash.to_string(),
                    query_id: step.query_id,
                });
            }
        }
    }
    Ok(payouts)
}

/// The query id of a payout that came back: richly, with the original body in a reference.
fn returned(message: &Message) -> Option<QueryId> {
    if !message.bounced {
        return None;
    }
    let mut body = message.body();
    if body.load_u32().ok()? != RICH_BOUNCE {
        return None;
    }
    let original = body.load_reference_cloned().ok()?;
    let step: WorkerStep = from_cell(&original).ok()?;
    step.payload.map(|_| step.query_id)
}
