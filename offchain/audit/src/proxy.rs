//! A proxy contract's history: its terms, its part of each payout, what it paid to workers, the checkpoints that it keeps.

use crate::history::{ChainHistory, ContractHistory, is_of};
use crate::verdict::{Difference, DifferenceKind as Kind, Role};
use cocoon_bindings::proxy::ProxyMessage;
use cocoon_bindings::proxy_state_init;
use cocoon_bindings::ton::{Address, HashBytes, Load};
use cocoon_bindings::types::{Lifecycle, PayoutNotificationForOwner, WorkerStep};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ProxyAccount, Transaction};

/// A checkpoint of the log that a contract keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) proxy: Address,
    pub(crate) seqno: u64,
    pub(crate) size: u64,
    pub(crate) root: HashBytes,
    pub(crate) time: u64,
    pub(crate) lt: u64,
}

impl Anchor {
    pub(crate) fn differs(&self, what: String) -> Difference {
        Difference::of_contract(Kind::Anchor, Role::Proxy, &self.proxy, None, what).at(self.lt)
    }
}

/// The checkpoints that a contract ever kept, in their order.
pub(crate) fn anchors(proxy: &ContractHistory<ProxyAccount>) -> Vec<Anchor> {
    let successful = proxy.transactions.iter().filter(|transaction| transaction.success());
    let anchors = successful.filter_map(|transaction| {
        let message = transaction.in_msg.as_ref().filter(|message| !message.bounced)?;
        let Ok(ProxyMessage::AnchorSigned(signed)) = ProxyMessage::load_from(&mut message.body()) else {
            return None;
        };
        let checkpoint = signed.checkpoint;
        Some(Anchor {
            proxy: proxy.address.clone(),
            seqno: checkpoint.seqno,
            size: checkpoint.size,
            root: checkpoint.root_hash,
            time: checkpoint.time,
            lt: transaction.lt,
        })
    });
    anchors.collect()
}

/// Replays a proxy contract.
pub(crate) fn check(proxy: &ContractHistory<ProxyAccount>, chain: &ChainHistory) -> Result<(), Difference> {
    check_terms(proxy, chain)?;
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

/// The contract carries the root contract's terms, at the version that it names, and is the one that its address says.
pub(crate) fn check_terms(proxy: &ContractHistory<ProxyAccount>, chain: &ChainHistory) -> Result<(), Difference> {
    let params = &proxy.account.params;
    let version = params.params_version;
    let differs = |what| {
        Err(Difference::of_contract(
            Kind::Contract,
            Role::Proxy,
            &proxy.address,
            None,
            what,
        ))
    };
    let terms = chain.root.terms.get(&version).map(|terms| &terms.params);
    let Some(terms) = terms.filter(|terms| terms.for_proxy() == *params) else {
        return differs(format!(
            "its terms are not those of the root contract at version {version}"
        ));
    };
    // Nobody but a server of the chain, or the writer of a bundle, says what a contract holds: its address does not lie.
    let (owner, key) = (&proxy.account.owner, &proxy.account.proxy_public_key);
    let expected = proxy_state_init(owner, key, &chain.root.address, terms);
    if expected.is_ok_and(|init| is_of(&init, &proxy.address, &proxy.account.account)) {
        Ok(())
    } else {
        differs("its address and code do not follow from its owner, key and terms".to_owned())
    }
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
