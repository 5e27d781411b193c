//! `cocoon root show`: the contract that rules a network, in words.

use std::fmt::Write as _;
use std::sync::Arc;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::{Multipliers, Nanoton};
use cocoon_chain::{HttpApi, RootView, SharedChain};
use serde::Serialize;

use crate::args::Global;
use crate::args::governance::{Place, RootShowArgs};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
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
    proxy_images: Vec<String>,
    worker_images: Vec<String>,
    models: Vec<String>,
    proxies: Vec<Proxy>,
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
    let (url, root) = match (place.chain_url, place.root) {
        (Some(url), Some(root)) => (url, root),
        _ => {
            let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
            (network.chain_url, network.root)
        }
    };
    let (chain, root) = open(&url, &root)?;
    let view = RootView::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_chain)?;
    Ok((chain, view))
}

/// A chain and a contract on it, as a person names them.
pub(crate) fn open(url: &str, address: &str) -> Result<(SharedChain, Address), Failure> {
    let address = parse_address(address).or_fail(
        Exit::Usage,
        &format!("{address:?} is not an address"),
        "an address is 0: and 64 hex digits, or 48 characters of base64",
    )?;
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
            proxy_images: view.data.proxy_hashes.iter().map(ToString::to_string).collect(),
            worker_images: view.data.worker_hashes.iter().map(ToString::to_string).collect(),
            models: view.data.model_hashes.iter().map(ToString::to_string).collect(),
            proxies: proxies.collect(),
        }
    }
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
        hashes.iter().for_each(|hash| line(name, hash));
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
