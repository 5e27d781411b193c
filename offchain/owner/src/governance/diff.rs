//! What differs between two looks at a root contract, in words.

use std::collections::BTreeMap;
use std::fmt;

use cocoon_bindings::plain;
use cocoon_bindings::units::Nanoton;
use serde::{Deserialize, Serialize};

use super::snapshot::{ListedHash, Offer, RootSnapshot};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// What, such as `price per token`.
    pub what: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A look that was kept in a file may hold any text.
        write!(f, "{}: {} -> {}", plain(&self.what), plain(&self.old), plain(&self.new))
    }
}

/// What is not there.
const ABSENT: &str = "-";

/// What differs, the count of changes and the time of the look aside.
pub fn differences(old: &RootSnapshot, new: &RootSnapshot) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            let what = what.to_owned();
            found.push(Difference { what, old, new });
        }
    };
    compare("address", old.address.clone(), new.address.clone());
    compare("owner", old.owner.clone(), new.owner.clone());
    compare("offered to", offer(old.offer.as_ref()), offer(new.offer.as_ref()));
    compare("network", kind(old.is_test), kind(new.is_test));
    compare(
        "version of the terms",
        old.params_version.to_string(),
        new.params_version.to_string(),
    );
    for (what, old, new) in [
        (
            "layout of the terms",
            u32::from(old.struct_version),
            u32::from(new.struct_version),
        ),
        ("unique id of the network", old.unique_id, new.unique_id),
        ("largest number of a proxy", old.last_proxy_seqno, new.last_proxy_seqno),
    ] {
        compare(what, old.to_string(), new.to_string());
    }
    for (what, old, new) in [
        ("price per token", old.price_per_token, new.price_per_token),
        (
            "worker's part of it",
            old.worker_fee_per_token,
            new.worker_fee_per_token,
        ),
        ("stake of a proxy", old.min_proxy_stake, new.min_proxy_stake),
        ("stake of a client", old.min_client_stake, new.min_client_stake),
    ] {
        compare(what, old.to_string(), format!("{new}{}", percent(old, new)));
    }
    let (before, after) = (old.multipliers, new.multipliers);
    let (proxy, client) = ("delay before a proxy closes", "delay before a client closes");
    for (what, old, new, unit) in [
        ("weight of prompt tokens", before.prompt, after.prompt, "per 10,000"),
        ("weight of cached tokens", before.cached, after.cached, "per 10,000"),
        (
            "weight of completion tokens",
            before.completion,
            after.completion,
            "per 10,000",
        ),
        (
            "weight of reasoning tokens",
            before.reasoning,
            after.reasoning,
            "per 10,000",
        ),
        (
            proxy,
            old.proxy_delay_before_close_seconds,
            new.proxy_delay_before_close_seconds,
            "s",
        ),
        (
            client,
            old.client_delay_before_close_seconds,
            new.client_delay_before_close_seconds,
            "s",
        ),
    ] {
        compare(what, format!("{old} {unit}"), format!("{new} {unit}"));
    }
    let code = |code: &Option<String>| code.clone().unwrap_or_else(|| ABSENT.to_owned());
    compare("code of proxy contracts", code(&old.proxy_code), code(&new.proxy_code));
    compare(
        "code of worker contracts",
        code(&old.worker_code),
        code(&new.worker_code),
    );
    compare(
        "code of client contracts",
        code(&old.client_code),
        code(&new.client_code),
    );
    compare(
        "code of the root contract",
        old.root_code.clone(),
        new.root_code.clone(),
    );
    let unreadable = |hash: &Option<String>| {
        hash.as_ref().map_or_else(
            || ABSENT.to_owned(),
            |hash| format!("{hash}, which this version CANNOT READ"),
        )
    };
    compare(
        "what follows the lists and the terms",
        unreadable(&old.unreadable),
        unreadable(&new.unreadable),
    );
    let (needed, needs) = (old.rebuilder_threshold, new.rebuilder_threshold);
    compare("attestations of an image", needed.to_string(), needs.to_string());
    compare("rebuilders", old.rebuilders.join(" "), new.rebuilders.join(" "));
    for (what, old, new) in [
        ("worker image", &old.worker_images, &new.worker_images),
        ("proxy image", &old.proxy_images, &new.proxy_images),
        ("model", &old.models, &new.models),
    ] {
        entries(what, &terms(old), &terms(new), &mut compare);
    }
    entries("proxy", &places(old), &places(new), &mut compare);
    found
}

/// The change of an amount in per cent, to one digit; nothing where that says nothing.
fn percent(old: Nanoton, new: Nanoton) -> String {
    let signed = |amount: Nanoton| i128::try_from(amount.get()).ok();
    let permille = || {
        let (old, new) = (signed(old)?, signed(new)?);
        new.checked_sub(old)?.checked_mul(1000)?.checked_div(old)
    };
    match permille() {
        Some(permille) if old != new => {
            let sign = if new < old { '-' } else { '+' };
            let permille = permille.unsigned_abs();
            format!(" ({sign}{}.{} %)", permille / 10, permille % 10)
        }
        _ => String::new(),
    }
}

fn kind(is_test: bool) -> String {
    if is_test { "test" } else { "production" }.to_owned()
}

fn offer(offer: Option<&Offer>) -> String {
    offer.map_or_else(
        || ABSENT.to_owned(),
        |offer| format!("{} until {}", offer.new_owner, crate::date(offer.until)),
    )
}

fn terms(list: &[ListedHash]) -> BTreeMap<String, String> {
    list.iter()
        .map(|listed| (listed.hash.clone(), listed.terms()))
        .collect()
}

fn places(root: &RootSnapshot) -> BTreeMap<String, String> {
    let place = |proxy: &super::ListedProxy| {
        let place = format!("workers {}, clients {}", proxy.for_workers, proxy.for_clients);
        (proxy.seqno.to_string(), place)
    };
    root.proxies.iter().map(place).collect()
}

fn entries(
    what: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    compare: &mut impl FnMut(&str, String, String),
) {
    let of =
        |list: &BTreeMap<String, String>, key: &String| list.get(key).cloned().unwrap_or_else(|| ABSENT.to_owned());
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        compare(&format!("{what} {key}"), of(old, key), of(new, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_says_by_how_much_it_changes() {
        let percent = |old, new| percent(Nanoton::new(old), Nanoton::new(new));
        assert_eq!(percent(10_000, 12_500), " (+25.0 %)");
        assert_eq!(percent(10_000, 9_995), " (-0.0 %)");
        assert_eq!(percent(8_000, 4_001), " (-49.9 %)");
        assert_eq!(percent(7, 7), "");
        assert_eq!(percent(0, 5), "");
        assert_eq!(percent(1, u128::MAX), "");
    }
}
