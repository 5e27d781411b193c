//! What a worker contract is told.

use cocoon_bindings::units::TokenCount;
use cocoon_bindings::worker::WorkerMessage;

use super::{Words, note};

pub(super) fn words(message: WorkerMessage) -> Words {
    match message {
        WorkerMessage::PayoutSigned(pay) => {
            let tokens = pay.payload.new_tokens;
            Words::new(format!("pay the worker for {tokens} tokens in all")).counting(tokens)
        }
        WorkerMessage::LastPayoutSigned(pay) => {
            let tokens = pay.payload.new_tokens;
            let says = format!("pay the worker for the last time, for {tokens} tokens in all, and close its contract");
            Words::new(says).counting(tokens)
        }
        WorkerMessage::RegisterWorkerFromOwner(_) => Words::new("tell the proxy that the worker contract is there"),
        WorkerMessage::ClaimByStatement(claim) => {
            let tokens = TokenCount::new(claim.statement.channel.after);
            Words::new(format!("claim what a statement says: {tokens} tokens in all")).counting(tokens)
        }
        WorkerMessage::SettleClaim(_) => Words::new("settle by the claim whose delay is over"),
        WorkerMessage::DoNotProcess(left) => note(&left),
    }
}
