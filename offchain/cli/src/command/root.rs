//! `cocoon root show`: the contract that rules a network, in words; `root check` and `root diff` judge and compare it.

mod look;

pub(crate) use self::look::{check, diff};

use std::fmt::Write as _;
use std::sync::Arc;

use cocoon_bindings::Multipliers;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_chain::{HttpApi, RootView, SharedChain};
pub(crate) use cocoon_owner::date;
use cocoon_owner::governance::{ListedHash, RootSnapshot, RootState};

use crate::args::Global;
use crate::args::governance::{Place, RootShowArgs};
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

/// Label and dates in words, after the hash.
fn listed(listed: &ListedHash) -> String {
    let mut text = listed.hash.clone();
    if let Some(label) = &listed.label {
        let _ = write!(text, " {label:?}");
    }
    if let Some(manifest) = &listed.manifest_hash {
        let _ = write!(text, ", manifest {manifest}");
    }
    if let Some(hash) = &listed.unreadable {
        let _ = write!(text, ", with {hash}, which this version CANNOT READ");
    }
    for (what, time) in [("from", listed.not_before), ("until", listed.retire_after)] {
        if let Some(time) = time {
            let _ = write!(text, ", {what} {}", date(time));
        }
    }
    if !listed.is_valid {
        text += ", NOT VALID now";
    }
    text
}

/// Runs the command.
pub(crate) async fn show(global: &Global, args: RootShowArgs, output: Output) -> Result<Exit, Failure> {
    let (chain, root) = super::network::resolve(global, &args.place)?.open()?;
    let state = RootState::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_owner)?;
    output.result(&RootSnapshot::from(&state), text)?;
    Ok(Exit::Done)
}

/// The root contract that is meant, as it is now, and the chain that it is on.
pub(crate) async fn view(global: &Global, place: Place) -> Result<(SharedChain, RootView), Failure> {
    let network = super::network::resolve(global, &place)?;
    let (chain, root) = network.open()?;
    let view = RootView::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_chain)?;
    Ok((chain, view))
}

/// A chain and a contract on it, as a person names them.
pub(crate) fn open(url: &str, address: &str) -> Result<(SharedChain, Address), Failure> {
    let hint = "an address is 0: and 64 hex digits, or 48 characters of base64";
    let address = parse_address(address).map_err(|error| Failure::new(Exit::Usage, error, hint))?;
    let chain: SharedChain = Arc::new(HttpApi::new(url, None).map_err(failure::from_chain)?);
    Ok((chain, address))
}

fn text(shown: &RootSnapshot) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("root contract", &shown.address);
    line("owner", &shown.owner);
    if let Some(offer) = shown.offer.as_ref().filter(|offer| offer.until >= shown.time) {
        line(
            "offered to",
            &format!("{} until {}", offer.new_owner, date(offer.until)),
        );
    }
    if let Some(hash) = &shown.unreadable {
        line("offer, rebuilders", &format!("{hash}, which this version CANNOT READ"));
    }
    line(
        "version",
        &format!("{}, parameters {}", shown.version, shown.params_version),
    );
    let kind = if shown.is_test {
        "test: SIMULATED platforms are accepted if configured"
    } else {
        "production"
    };
    line("network", kind);
    line("price per token", &shown.price_per_token.to_string());
    line("worker's part of it", &shown.worker_fee_per_token.to_string());
    let Multipliers {
        prompt,
        cached,
        completion,
        reasoning,
    } = shown.multipliers;
    let weights = format!("prompt {prompt}, cached {cached}, completion {completion}, reasoning {reasoning}");
    line("weights per 10,000", &weights);
    line("stake of a proxy", &shown.min_proxy_stake.to_string());
    line("stake of a client", &shown.min_client_stake.to_string());
    let (proxy, client) = (
        shown.proxy_delay_before_close_seconds,
        shown.client_delay_before_close_seconds,
    );
    line("delay before close", &format!("proxy {proxy} s, client {client} s"));
    for (name, hashes) in [
        ("proxy image", &shown.proxy_images),
        ("worker image", &shown.worker_images),
        ("model", &shown.models),
    ] {
        hashes.iter().for_each(|hash| line(name, &listed(hash)));
    }
    for proxy in &shown.proxies {
        let place = format!(
            "{}: workers {}, clients {}",
            proxy.seqno, proxy.for_workers, proxy.for_clients
        );
        line("proxy", &place);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::{HashDescriptor, HashEntry, HashList, ImageHash, TrustTimes};

    #[test]
    fn a_hash_is_shown_with_its_label_and_dates() {
        let descriptor = HashDescriptor {
            label: "worker 2".parse().unwrap(),
            times: TrustTimes {
                not_before: 86_400,
                retire_after: 172_800,
            },
            ..HashDescriptor::default()
        };
        let image = ImageHash::new([0x0a; 32]);
        let mut list = HashList::from([ImageHash::new([0x0b; 32])]);
        list.describe(image, HashEntry::described(&descriptor).unwrap());
        let shown: Vec<String> = ListedHash::all(&list, 200_000).iter().map(listed).collect();
        let dates = "from 1970-01-02 00:00:00 UTC, until 1970-01-03 00:00:00 UTC";
        let expected = format!("{image} \"worker 2\", {dates}, NOT VALID now");
        assert_eq!(shown, [expected, ImageHash::new([0x0b; 32]).to_string()]);
    }
}
