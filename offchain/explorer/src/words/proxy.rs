//! What a proxy contract is told, by its clients and workers too.

use cocoon_bindings::proxy::ProxyMessage;
use cocoon_bindings::types::{ClientPayload, ClientStep, WorkerStep};

use super::{Words, note, text};

pub(super) fn words(message: ProxyMessage) -> Words {
    match message {
        ProxyMessage::AskToIncreaseProxyStake(add) => {
            Words::new(format!("add {} to the proxy's stake", add.stake_amount)).moving(add.stake_amount)
        }
        ProxyMessage::AskToWithdrawEarnings(_) => Words::new("pay the proxy's earnings to its owner"),
        ProxyMessage::CloseProxyFromOwner(_) => Words::new("begin to close the proxy"),
        ProxyMessage::CloseProxySigned(_) => Words::new("begin to close the proxy, signed by its key"),
        ProxyMessage::CompleteCloseSigned(_) => Words::new("complete the close of the proxy, signed by its key"),
        ProxyMessage::ClientStep(step) => client(&step),
        ProxyMessage::WorkerStep(step) => worker(&step),
        ProxyMessage::AnchorSigned(anchor) => {
            let checkpoint = anchor.checkpoint;
            Words::new(format!(
                "record checkpoint {} of the log, over {} receipts",
                checkpoint.seqno, checkpoint.size
            ))
        }
        ProxyMessage::ReportEquivocation(report) => Words::new(format!(
            "show two signed checkpoints that contradict each other, over {} and {} receipts",
            report.first.checkpoint.size, report.second.checkpoint.size
        )),
        ProxyMessage::ReclaimStakeFromOwner(_) => Words::new("take back the stake of a proxy whose key is lost"),
        ProxyMessage::TextCommand(command) => text(&command),
        ProxyMessage::DoNotProcess(left) => note(&left),
    }
}

fn client(step: &ClientStep) -> Words {
    let tokens = step.client_state.tokens_used;
    let words = match &step.payload {
        None => Words::new(format!("the client contract is charged for {tokens} tokens in all")),
        Some(ClientPayload::TopUpPayload(pay)) => {
            Words::new(format!("the client contract pays {} in", pay.top_up_amount)).moving(pay.top_up_amount)
        }
        Some(ClientPayload::RegisterPayload(_)) => Words::new("the client answers a challenge"),
        Some(ClientPayload::RefundPayload(refund)) => {
            Words::new(format!("refund {} to the client's owner", refund.refund_amount)).moving(refund.refund_amount)
        }
        Some(ClientPayload::ForcedRefundPayload(refund)) => {
            let says = format!(
                "refund {} to the client's owner out of the proxy's stake, the proxy having kept silent",
                refund.refund_amount
            );
            Words::new(says).moving(refund.refund_amount)
        }
    };
    words.counting(tokens)
}

fn worker(step: &WorkerStep) -> Words {
    let tokens = step.tokens;
    let words = match &step.payload {
        None => Words::new(format!("the worker contract is there, paid for {tokens} tokens in all")),
        Some(payout) => {
            let says = format!(
                "pay {} to the worker's owner for {tokens} tokens in all, {} stay with the proxy",
                payout.worker_part, payout.proxy_part
            );
            Words::new(says).moving(payout.worker_part)
        }
    };
    words.counting(tokens)
}
