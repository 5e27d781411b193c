//! Whether a root contract is as one would want it.

use cocoon_bindings::ContractKind;
use cocoon_bindings::units::Nanoton;
use serde::Serialize;

use super::snapshot::{ListedHash, RootSnapshot};
use super::{Network, Owner};
use crate::OwnerError;
use crate::limits::{MAX_SANE_CLOSE_DELAY, MAX_SANE_MULTIPLIER, MAX_SANE_PRICE, RETIREMENT_NOTICE};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub check: &'static str,
    /// Whether it is in order.
    pub is_fine: bool,
    /// Why.
    pub seen: String,
}

/// Looks at everything that the chain says about a root contract and its owner.
pub fn check(network: &Network) -> Result<Vec<Finding>, OwnerError> {
    let root = RootSnapshot::from(&network.root);
    let mut findings = vec![owner(network)];
    let mut add = |check: &'static str, is_fine: bool, seen: String| findings.push(Finding { check, is_fine, seen });
    let time = root.time;
    match &root.offer {
        _ if root.unreadable.is_some() => add(
            "offer",
            false,
            "it cannot be read by this version whether the root contract is offered to anybody".to_owned(),
        ),
        None => add("offer", true, "the root contract is offered to nobody".to_owned()),
        Some(offer) if offer.until < time => add("offer", true, "the last offer is over".to_owned()),
        Some(offer) => {
            let until = crate::date(offer.until);
            add(
                "offer",
                false,
                format!("{} may take it over until {until}", offer.new_owner),
            );
        }
    }
    for (what, kind, found) in [
        ("root code", ContractKind::Root, Some(&root.root_code)),
        ("proxy code", ContractKind::Proxy, root.proxy_code.as_ref()),
        ("worker code", ContractKind::Worker, root.worker_code.as_ref()),
        ("client code", ContractKind::Client, root.client_code.as_ref()),
    ] {
        let ours = kind.code_hash()?.to_string();
        match found {
            Some(found) if *found == ours => add(what, true, format!("{found}, which this program carries")),
            Some(found) => add(what, false, format!("{found}, and this program carries {ours}")),
            None => add(what, false, "there is none".to_owned()),
        }
    }
    let (price, fee) = (root.price_per_token, root.worker_fee_per_token);
    let is_sane = price > Nanoton::ZERO && price <= MAX_SANE_PRICE && fee <= price;
    add(
        "prices",
        is_sane,
        format!("{price} for a token, {fee} of it to the worker"),
    );
    let weights = [
        root.multipliers.prompt,
        root.multipliers.cached,
        root.multipliers.completion,
        root.multipliers.reasoning,
    ];
    let is_sane =
        weights.iter().all(|weight| *weight <= MAX_SANE_MULTIPLIER) && weights.iter().any(|weight| *weight > 0);
    add("weights", is_sane, format!("{weights:?} per 10,000"));
    let (proxy, client) = (
        root.proxy_delay_before_close_seconds,
        root.client_delay_before_close_seconds,
    );
    let is_sane = [proxy, client]
        .iter()
        .all(|delay| (1..=MAX_SANE_CLOSE_DELAY).contains(delay));
    add(
        "delays before close",
        is_sane,
        format!("proxy {proxy} s, client {client} s"),
    );
    let (proxy, client) = (root.min_proxy_stake, root.min_client_stake);
    let is_sane = proxy > Nanoton::ZERO && client > Nanoton::ZERO;
    add("stakes", is_sane, format!("proxy {proxy}, client {client}"));
    for (what, list) in [
        ("worker images", &root.worker_images),
        ("proxy images", &root.proxy_images),
        ("models", &root.models),
    ] {
        let (is_fine, why) = hashes(list, time);
        add(what, is_fine, why);
    }
    let (mut is_fine, mut why) = (!root.proxies.is_empty(), format!("{} listed", root.proxies.len()));
    for proxy in &root.proxies {
        for place in [&proxy.for_workers, &proxy.for_clients] {
            if place.parse::<std::net::SocketAddr>().is_err() {
                (is_fine, why) = (
                    false,
                    format!("proxy {} listens at {place:?}, which is no IP:PORT", proxy.seqno),
                );
            }
        }
        let is_twin = |other: &&super::ListedProxy| {
            other.seqno < proxy.seqno
                && (&other.for_workers, &other.for_clients) == (&proxy.for_workers, &proxy.for_clients)
        };
        if let Some(twin) = root.proxies.iter().find(is_twin) {
            (is_fine, why) = (
                false,
                format!("proxies {} and {} are at one place", twin.seqno, proxy.seqno),
            );
        }
    }
    add("proxies", is_fine, why);
    Ok(findings)
}

fn owner(network: &Network) -> Finding {
    let (is_fine, seen) = match &network.owner {
        Owner::Wallet(owner) => (
            false,
            format!("{owner}, which is no governor: one key may be enough to change everything"),
        ),
        Owner::Governor(governor) => {
            let (config, address) = (&governor.storage.config, &governor.account.address);
            let of = format!(
                "governor {address}: {} of {} signers, {} to revoke, council of {}, changes wait {} s, critical ones {} s",
                config.threshold,
                governor.signers.len(),
                config.revoke_threshold,
                governor.council.len(),
                config.change_delay,
                config.critical_delay
            );
            match (network.root.storage.owner == *address, config.threshold) {
                _ if !governor.has_known_code() => {
                    (false, format!("{of}; its code is not that which this program carries"))
                }
                (false, _) => (false, format!("{of}; it does not own the root contract")),
                (true, 0 | 1) => (false, format!("{of}; one signer decides alone")),
                (true, _) => (true, of),
            }
        }
    };
    Finding {
        check: "owner",
        is_fine,
        seen,
    }
}

/// Whether a list has something that is trusted, and nothing that is over or will soon be.
fn hashes(list: &[ListedHash], time: u32) -> (bool, String) {
    let valid = list.iter().filter(|listed| listed.is_valid).count();
    let mut told = vec![format!("{} listed, {valid} trusted now", list.len())];
    let mut is_fine = valid > 0;
    for listed in list {
        let hash = &listed.hash;
        if listed.hash.bytes().all(|byte| byte == b'0') {
            is_fine = false;
            told.push(format!("{hash} is the hash of nothing"));
        }
        match listed.retire_after {
            Some(end) if end < time => {
                is_fine = false;
                told.push(format!("{hash} ended on {} and is still listed", crate::date(end)));
            }
            Some(end) if end - time < RETIREMENT_NOTICE => {
                is_fine = false;
                told.push(format!("{hash} ends on {}", crate::date(end)));
            }
            _ => {}
        }
    }
    (is_fine, told.join("; "))
}
