//! Receipts against contracts, once all receipts are in.

use crate::channel::Channel;
use crate::history::{ChainHistory, ContractHistory};
use crate::judge::{Judge, State};
use crate::source::Head;
use crate::verdict::{
    ChannelReport, Difference, DifferenceKind as Kind, LogReport, ProxyReport, Report, Role, Verdict,
};
use crate::{client, proxy, worker};
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_chain::ProxyAccount;
use std::collections::{BTreeMap, BTreeSet};

/// The report on receipts in which nothing was found.
pub(super) fn compare(history: &ChainHistory, judge: &mut Judge, head: Option<Head>) -> Report {
    let mut channels = Vec::new();
    let difference = contracts(history, judge, head, &mut channels).err();
    report(history, &judge.state, channels, difference)
}

/// The log, clients, workers, the proxy's contracts.
fn contracts(
    history: &ChainHistory,
    judge: &mut Judge,
    head: Option<Head>,
    channels: &mut Vec<ChannelReport>,
) -> Result<(), Difference> {
    judge.end(head)?;
    let state = &judge.state;
    if let Some(gone) = history.gone.first() {
        let what = "it was deployed, but is not there any more";
        return Err(Difference::of_contract(Kind::Contract, Role::Proxy, gone, None, what));
    }
    let none = Channel::new(Vec::new());
    for address in both(&history.clients, &state.clients) {
        let channel = state.clients.get(address).unwrap_or(&none);
        let contract = history.clients.get(address).and_then(Option::as_ref);
        channels.push(client::check(address, contract, channel, history)?);
    }
    for address in both(&history.workers, &state.workers) {
        let channel = state.workers.get(address).unwrap_or(&none);
        let contract = history.workers.get(address).and_then(Option::as_ref);
        channels.push(worker::check(address, contract, channel, history)?);
    }
    history
        .contracts()
        .try_for_each(|contract| proxy::check(contract, history))
}

fn both<'a, A, B>(on_chain: &'a BTreeMap<Address, A>, in_log: &'a BTreeMap<Address, B>) -> BTreeSet<&'a Address> {
    on_chain.keys().chain(in_log.keys()).collect()
}

pub(super) fn report(
    history: &ChainHistory,
    state: &State,
    channels: Vec<ChannelReport>,
    difference: Option<Difference>,
) -> Report {
    let account = &history.proxy.account;
    let is_open = channels.iter().any(|channel| channel.open > TokenCount::ZERO);
    let verdict = match &difference {
        Some(_) => Verdict::Different,
        None if is_open => Verdict::Open,
        None => Verdict::Equal,
    };
    Report {
        verdict,
        difference,
        proxy: history.proxy.address.clone(),
        root: account.root.clone(),
        test_network: history.root.is_test,
        challenges: None,
        params_version: account.params.params_version,
        price_per_token: account.params.price_per_token,
        worker_fee_per_token: account.params.worker_fee_per_token,
        proxies: history.contracts().map(proxy_report).collect(),
        log: LogReport {
            size: state.tree.size(),
            root: state.tree.root(),
        },
        totals: state.totals,
        reputations: state.standing.reputations(),
        channels,
    }
}

fn proxy_report(contract: &ContractHistory<ProxyAccount>) -> ProxyReport {
    let params = &contract.account.params;
    ProxyReport {
        contract: contract.address.clone(),
        params_version: params.params_version,
        price_per_token: params.price_per_token,
        worker_fee_per_token: params.worker_fee_per_token,
        anchors: proxy::anchors(contract).len() as u64,
    }
}
