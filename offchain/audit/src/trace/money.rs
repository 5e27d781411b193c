//! What a receipt cost, by the terms that it names.

use super::{Links, Outcome, Step, proven, refuted, unknown};
use crate::examine;
use crate::facts::Settlement;
use crate::history::ChainHistory;
use crate::{client, worker};
use cocoon_attest::format_moment;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_receipt::SignedReceipt;

pub(super) fn links(signed: &SignedReceipt, history: &ChainHistory, links: &mut Links) {
    let (receipt, statement) = (&signed.receipt, &signed.receipt.statement);
    links.must(Step::Terms, terms(signed, history));
    links.may(
        Step::Tokens,
        match statement.counts {
            None => unknown("the worker did not tell raw counts: the adjusted tokens follow from nothing"),
            Some(counts) => match examine::price(receipt, &history.proxy.account.params.multipliers) {
                None => proven(format!(
                    "{} prompt ({} of them cached) and {} answer tokens make {} at coefficient {}",
                    counts.prompt, counts.cached, counts.completion, statement.used.total, statement.coefficient
                )),
                Some(what) => refuted(what),
            },
        },
    );
    links.must(Step::Charge, charge(signed, history));
    let client = history.clients.get(&receipt.client).and_then(Option::as_ref);
    let is_stranger = history.strangers.clients.contains(&receipt.client);
    let until = TokenCount::new(receipt.channel.after);
    let paid = client.map(|client| {
        (
            client.account.constants.proxy == statement.proxy,
            client::settlements(client),
        )
    });
    links.may(Step::ClientSettled, settled(&receipt.client, paid, is_stranger, until));
    let worker = history.workers.get(&statement.worker).and_then(Option::as_ref);
    let is_stranger = history.strangers.workers.contains(&statement.worker);
    let until = TokenCount::new(statement.channel.after);
    let paid = worker.map(|worker| {
        (
            worker.account.data.proxy == statement.proxy,
            worker::settlements(worker),
        )
    });
    links.may(
        Step::WorkerSettled,
        settled(&statement.worker, paid, is_stranger, until),
    );
}

fn terms(signed: &SignedReceipt, history: &ChainHistory) -> Outcome {
    let named = signed.receipt.statement.params_version;
    let params = &history.proxy.account.params;
    if named != params.params_version {
        return refuted(format!(
            "the receipt is priced by parameters {named}, its contract's are {}",
            params.params_version
        ));
    }
    match history.root.terms.get(&named) {
        None => refuted(format!("the root contract never had parameters {named}")),
        Some(terms) => proven(format!(
            "parameters {named}, since {}: {} a token, {} of it to the worker",
            format_moment(terms.from.into()),
            params.price_per_token,
            params.worker_fee_per_token
        )),
    }
}

fn charge(signed: &SignedReceipt, history: &ChainHistory) -> Outcome {
    let receipt = &signed.receipt;
    if let Err(error) = receipt.check_arithmetic() {
        return refuted(error.to_string());
    }
    let (charged, used) = (receipt.charged(), receipt.statement.used.total);
    if charged > used {
        return refuted(format!("it charges {charged} tokens, {used} were used"));
    }
    let params = &history.proxy.account.params;
    let amounts = params
        .price_per_token
        .checked_mul(charged)
        .zip(params.worker_fee_per_token.checked_mul(charged));
    match amounts {
        None => refuted("tokens times price overflows"),
        Some((price, earned)) => proven(format!(
            "{charged} of {used} tokens, {price}, {earned} of it to the worker"
        )),
    }
}

/// `paid` is whether the contract is of the receipt's proxy contract, and what it settled.
fn settled(address: &Address, paid: Option<(bool, Vec<Settlement>)>, is_stranger: bool, until: TokenCount) -> Outcome {
    if is_stranger {
        return refuted(format!("{address} is not a contract of this proxy"));
    }
    // One of the same key under other terms pays other prices.
    if paid.as_ref().is_some_and(|(is_same, _)| !is_same) {
        return refuted(format!("{address} is of another proxy contract than the receipt"));
    }
    if until == TokenCount::ZERO {
        return proven("nothing was charged until then");
    }
    let Some((_, settlements)) = paid else {
        return unknown(format!("there is no contract at {address} yet"));
    };
    match settlements.iter().find(|settlement| settlement.tokens >= until) {
        None => unknown(format!("{address} has not settled {until} tokens yet")),
        Some(found) => proven(format!(
            "{address} settled {} tokens in transaction {} at {}",
            found.tokens,
            found.lt,
            format_moment(found.time.into())
        )),
    }
}
