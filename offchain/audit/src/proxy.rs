//! The proxy contract's history: its part of each payout, and what it paid to workers.

use crate::history::ChainHistory;
use crate::verdict::{Difference, DifferenceKind as Kind, Role};
use cocoon_bindings::proxy::ProxyMessage;
use cocoon_bindings::ton::{Address, Load};
use cocoon_bindings::types::{Lifecycle, PayoutNotificationForOwner, WorkerStep};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::Transaction;

/// Replays the proxy contract.
pub(crate) fn check(chain: &ChainHistory) -> Result<(), Difference> {
    let proxy = &chain.proxy;
    let differs = |what: String| Difference::of_contract(Kind::Balance, Role::Proxy, &proxy.address, None, what);
    let mut balance = Nanoton::ZERO;
    for transaction in proxy.transactions.iter().filter(|transaction| transaction.success()) {
        balance = step(chain, transaction, balance).map_err(|what| differs(what).at(transaction.lt))?;
    }
    let closed = proxy.account.state == Lifecycle::Closed;
    let expected = if closed { Nanoton::ZERO } else { balance };
    if expected != proxy.account.balance {
        return Err(differs(format!(
            "its history earned {expected}, it holds {}",
            proxy.account.balance
        )));
    }
    Ok(())
}

/// The balance after a transaction.
fn step(chain: &ChainHistory, transaction: &Transaction, balance: Nanoton) -> Result<Nanoton, String> {
    let Some(message) = transaction.in_msg.as_ref().filter(|message| !message.bounced) else {
        return Ok(balance);
    };
    match ProxyMessage::load_from(&mut message.body()) {
        Ok(ProxyMessage::WorkerStep(WorkerStep {
            owner,
            payload: Some(payout),
            ..
        })) => {
            let known = message
                .source
                .as_ref()
                .is_some_and(|source| chain.workers.contains_key(source));
            if !known {
                return Err("it paid a contract that is not a worker's".to_owned());
            }
            let paid = paid(transaction, &owner);
            if paid != payout.worker_part {
                return Err(format!(
                    "it paid {paid} to worker owner {owner}, {} was asked",
                    payout.worker_part
                ));
            }
            balance
                .checked_add(payout.proxy_part)
                .ok_or_else(|| "its balance overflows".to_owned())
        }
        Ok(ProxyMessage::AskToWithdrawEarnings(_)) => Ok(Nanoton::ZERO),
        Ok(ProxyMessage::TextCommand(command)) if is_withdrawal(command.text.data()) => Ok(Nanoton::ZERO),
        _ => Ok(balance),
    }
}

fn is_withdrawal(text: &[u8]) -> bool {
    text.first() == Some(&b'w')
}

/// What a transaction paid to someone.
fn paid(transaction: &Transaction, owner: &Address) -> Nanoton {
    let payouts = transaction.out_msgs.iter().filter(|message| {
        message.destination.as_ref() == Some(owner)
            && PayoutNotificationForOwner::load_from(&mut message.body()).is_ok()
    });
    payouts.fold(Nanoton::ZERO, |sum, message| {
        sum.checked_add(message.value).unwrap_or(Nanoton::MAX)
    })
}
