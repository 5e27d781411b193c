//! `cocoon root show`: the contract that rules a network, in words.

use std::fmt::Write as _;
use std::sync::Arc;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::{HashEntry, HashList, Multipliers, Nanoton};
use cocoon_chain::{HttpApi, RootView, SharedChain};
use serde::Serialize;

use crate::args::Global;
use crate::args::governance::{Place, RootShowArgs};
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    address: String,
    owner: String,
    version: u32,
    params_version: u32,
    is_test: bool,
    price_per_token: Nanoton,
    worker_fee_per_token: Nanoton,
    multipliers: Multipliers,
    proxy_delay_before_close_seconds: u32,
    client_delay_before_close_seconds: u32,
    min_proxy_stake: Nanoton,
    min_client_stake: Nanoton,
    proxy_images: Vec<Listed>,
    worker_images: Vec<Listed>,
    models: Vec<Listed>,
    proxies: Vec<Proxy>,
}

/// A hash with what the contract knows of it.
#[derive(Serialize)]
struct Listed {
    hash: String,
    /// Whether it is trusted at the chain's time of this view.
    is_valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retire_after: Option<u32>,
}

impl Listed {
    /// The hashes of a list at a time.
    fn all<T: Ord + ToString>(list: &HashList<T>, time: u32) -> Vec<Self> {
        let listed = |(hash, entry): (&T, &HashEntry)| {
            let (times, descriptor) = (entry.times(), entry.descriptor());
            let set = |time: u32| Some(time).filter(|time| *time != 0);
            Self {
                hash: hash.to_string(),
                is_valid: times.cover(time),
                label: descriptor
                    .as_ref()
                    .map(|descriptor| descriptor.label.to_string())
                    .filter(|label| !label.is_empty()),
                manifest_hash: descriptor
                    .and_then(|descriptor| descriptor.manifest_hash)
                    .map(|hash| hash.to_string()),
                not_before: set(times.not_before),
                retire_after: set(times.retire_after),
            }
        };
        list.entries().map(listed).collect()
    }

    /// Label and dates in words, after the hash.
    fn text(&self) -> String {
        let mut text = self.hash.clone();
        if let Some(label) = &self.label {
            let _ = write!(text, " {label:?}");
        }
        if let Some(manifest) = &self.manifest_hash {
            let _ = write!(text, ", manifest {manifest}");
        }
        for (what, time) in [("from", self.not_before), ("until", self.retire_after)] {
            if let Some(time) = time {
                let _ = write!(text, ", {what} {}", date(time));
            }
        }
        if !self.is_valid {
            text += ", NOT VALID now";
        }
        text
    }
}

#[derive(Serialize)]
struct Proxy {
    seqno: u32,
    for_workers: String,
    for_clients: String,
}

/// Runs the command.
pub(crate) async fn show(global: &Global, args: RootShowArgs, output: Output) -> Result<Exit, Failure> {
    let (_, view) = view(global, args.place).await?;
    output.result(&Shown::from(view), text)?;
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

impl From<RootView> for Shown {
    fn from(view: RootView) -> Self {
        let params = view.params;
        let proxies = view.data.proxies.into_iter().map(|(seqno, endpoints)| Proxy {
            seqno,
            for_workers: endpoints.workers,
            for_clients: endpoints.clients,
        });
        Self {
            address: view.address.to_string(),
            owner: view.owner.to_string(),
            version: view.version,
            params_version: params.params_version.get(),
            is_test: params.is_test,
            price_per_token: params.price_per_token,
            worker_fee_per_token: params.worker_fee_per_token,
            multipliers: params.multipliers,
            proxy_delay_before_close_seconds: params.proxy_delay_before_close,
            client_delay_before_close_seconds: params.client_delay_before_close,
            min_proxy_stake: params.min_proxy_stake,
            min_client_stake: params.min_client_stake,
            proxy_images: Listed::all(&view.data.proxy_hashes, view.time),
            worker_images: Listed::all(&view.data.worker_hashes, view.time),
            models: Listed::all(&view.data.model_hashes, view.time),
            proxies: proxies.collect(),
        }
    }
}

/// A Unix time as people write it, UTC.
pub(crate) fn date(time: u32) -> String {
    const DAY: u32 = 86_400;
    let (days, seconds) = (i64::from(time / DAY), time % DAY);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin on 1 March.
    let shifted = days + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + shifted.div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn text(shown: &Shown) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("root contract", &shown.address);
    line("owner", &shown.owner);
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
        hashes.iter().for_each(|listed| line(name, &listed.text()));
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
    use cocoon_bindings::{HashDescriptor, ImageHash, TrustTimes};

    #[test]
    fn times_are_shown_as_dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_780_000_000), "2026-05-28 20:26:40 UTC");
        assert_eq!(date(u32::MAX), "2106-02-07 06:28:15 UTC");
    }

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
        let shown: Vec<String> = Listed::all(&list, 200_000).iter().map(Listed::text).collect();
        let dates = "from 1970-01-02 00:00:00 UTC, until 1970-01-03 00:00:00 UTC";
        let expected = format!("{image} \"worker 2\", {dates}, NOT VALID now");
        assert_eq!(shown, [expected, ImageHash::new([0x0b; 32]).to_string()]);
    }
}
