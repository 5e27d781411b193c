//! What a client contract is told.

use cocoon_bindings::client::ClientMessage;
use cocoon_bindings::units::TokenCount;

use super::{Words, note};

pub(super) fn words(message: ClientMessage) -> Words {
    match message {
        ClientMessage::AskToTopUp(pay) => Words::new(format!("pay {} in", pay.top_up_amount)).moving(pay.top_up_amount),
        ClientMessage::TopUpWithSecretFromOwner(pay) => {
            Words::new(format!("pay {} in, and set the secret hash", pay.top_up_amount)).moving(pay.top_up_amount)
        }
        ClientMessage::ReopenFromOwner(pay) => Words::new(format!(
            "pay {} in, and use the closed contract again",
            pay.top_up_amount
        ))
        .moving(pay.top_up_amount),
        ClientMessage::RegisterFromOwner(_) => Words::new("answer a challenge of the proxy"),
        ClientMessage::ChangeSecretHashFromOwner(_) => Words::new("set the secret hash"),
        ClientMessage::IncreaseStakeFromOwner(raise) => Words::new(format!("raise the stake to {}", raise.new_stake)),
        ClientMessage::WithdrawFromOwner(_) => Words::new("take back what exceeds the stake"),
        ClientMessage::RequestRefundFromOwner(_) => {
            Words::new("begin to close the contract, or end that after the delay")
        }
        ClientMessage::ChargeSigned(charge) => {
            let tokens = charge.payload.new_tokens;
            Words::new(format!("charge the client for {tokens} tokens in all")).counting(tokens)
        }
        ClientMessage::GrantRefundSigned(grant) => {
            let tokens = grant.payload.new_tokens;
            let says = format!("charge the client for the last time, for {tokens} tokens in all, and refund the rest");
            Words::new(says).counting(tokens)
        }
        ClientMessage::ClaimByReceipt(claim) => {
            let tokens = TokenCount::new(claim.receipt.channel.after);
            Words::new(format!("claim what a receipt says: {tokens} tokens in all")).counting(tokens)
        }
        ClientMessage::SettleClaim(_) => Words::new("settle by the claim whose delay is over"),
        ClientMessage::DoNotProcess(left) => note(&left),
    }
}
