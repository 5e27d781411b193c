//! Whom a change cuts off, as far as the chain can tell.

use cocoon_bindings::governor::GovernorBody;
use cocoon_bindings::root::RootMessage;

use super::snapshot::{ListedHash, RootSnapshot};
use super::{Change, RootState};

/// Consequences for runners, in words. Which machine runs an image, and which serves a model, is not on chain.
pub(crate) fn effects(change: &Change, old: &RootState, new: &RootState) -> Vec<String> {
    let (before, after) = (RootSnapshot::from(old), RootSnapshot::from(new));
    let mut told = Vec::new();
    for lost in lost(&before.worker_images, &after.worker_images) {
        told.push(format!(
            "workers that run image {lost}: each proxy drops them at its next look at the root contract"
        ));
    }
    for lost in lost(&before.proxy_images, &after.proxy_images) {
        told.push(format!(
            "proxies that run image {lost}: clients and workers leave them at their next look at the root contract"
        ));
    }
    for lost in lost(&before.models, &after.models) {
        told.push(format!(
            "workers that serve model {lost}: proxies send them nothing more"
        ));
    }
    if !told.is_empty() {
        told.push("which machines these are is not on chain: ask the proxies' operators before".to_owned());
    }
    for proxy in before.proxies.iter().filter(|proxy| {
        let is_same = |other: &&super::ListedProxy| other.seqno == proxy.seqno;
        after.proxies.iter().find(is_same) != Some(proxy)
    }) {
        told.push(format!(
            "proxy {} at {} and {}: its workers and clients leave that place",
            proxy.seqno, proxy.for_workers, proxy.for_clients
        ));
    }
    for proxy in after.proxies.iter().filter(|proxy| !before.proxies.contains(proxy)) {
        for place in [&proxy.for_workers, &proxy.for_clients] {
            if place.parse::<std::net::SocketAddr>().is_err() {
                told.push(format!(
                    "proxy {}: nobody reaches it, {place:?} is no IP:PORT",
                    proxy.seqno
                ));
            }
        }
    }
    let valid = |list: &[ListedHash]| list.iter().filter(|listed| listed.is_valid).count();
    for (what, had, has) in [
        (
            "worker image",
            valid(&before.worker_images),
            valid(&after.worker_images),
        ),
        ("proxy image", valid(&before.proxy_images), valid(&after.proxy_images)),
        ("model", valid(&before.models), valid(&after.models)),
        ("proxy", before.proxies.len(), after.proxies.len()),
    ] {
        if had > 0 && has == 0 {
            told.push(format!("EVERYBODY: no {what} is left, and nothing is served"));
        }
    }
    if before.params_version != after.params_version {
        told.push(format!(
            "every contract of the terms of version {}: it keeps them, and is wound up when its proxy has one of version {}; \
             clients and workers need new contracts there",
            before.params_version, after.params_version
        ));
    }
    if before.root_code != after.root_code {
        told.push("everybody: what the root contract does from now on is what the new code says".to_owned());
    }
    if before.owner != after.owner {
        told.push(format!("{}: it can change nothing from now on", before.owner));
    }
    if matches!(change, Change::Governor(GovernorBody::ChangeSigners(_))) {
        told.push("all other proposals become stale, and must be proposed again".to_owned());
    }
    if matches!(change, Change::Root(message) if matches!(**message, RootMessage::RetireHash(_))) {
        told.push("anyone can send this message: it needs no proposal".to_owned());
    }
    told
}

/// Hashes that are trusted before and not after, and those whose end comes nearer, with when.
fn lost(before: &[ListedHash], after: &[ListedHash]) -> Vec<String> {
    let mut lost = Vec::new();
    for old in before.iter().filter(|old| old.is_valid) {
        match after.iter().find(|new| new.hash == old.hash) {
            Some(new) if new.is_valid => {
                let end = |listed: &ListedHash| listed.retire_after.unwrap_or(u32::MAX);
                if end(new) < end(old) {
                    lost.push(format!("{}, after {}", old.hash, crate::date(end(new))));
                }
            }
            _ => lost.push(format!("{}, at once", old.hash)),
        }
    }
    lost
}
