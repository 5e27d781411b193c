//! `cocoon <part> run`: one part of a network as a process of its own.

use std::path::Path;

use cocoon_runner::config::NamesFiles;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::command::operate::with_default;
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure};
use crate::local::part::Part;
use crate::output::Output;

/// Runs a proxy.
pub(crate) async fn proxy(config: &Path, output: Output) -> Result<Exit, Failure> {
    cocoon_runner::files::raise_limit();
    let mut config = cocoon_proxy::ProxyConfig::load(config).map_err(failure::from_proxy)?;
    config.admin = with_default(config.admin, &config.store_dir);
    until_signal(Part::proxy(config).await?, output).await
}

/// Runs a router.
pub(crate) async fn router(config: &Path, output: Output) -> Result<Exit, Failure> {
    cocoon_runner::files::raise_limit();
    let config = cocoon_router::RouterConfig::load(config).map_err(failure::from_router)?;
    let stop = CancellationToken::new();
    let running = cocoon_router::start(config, stop.clone())
        .await
        .map_err(failure::from_router)?;
    let signal = Stop::listen().await;
    for address in &running.addresses {
        ready(output, "router", &address.to_string())?;
    }
    signal.asked().await?;
    output.note("Draining ...");
    stop.cancel();
    running.join().await.map_err(failure::from_router)?;
    Ok(Exit::Done)
}

#[cfg(not(feature = "engine"))]
pub(crate) use super::no_engine::worker;

/// Runs a worker.
#[cfg(feature = "engine")]
pub(crate) async fn worker(config: &Path, output: Output) -> Result<Exit, Failure> {
    cocoon_runner::files::raise_limit();
    let mut config: cocoon_worker::WorkerConfig = load(config)?;
    config.admin = with_default(config.admin, &config.data_dir);
    until_signal(Part::worker(config).await?, output).await
}

/// Runs a client.
pub(crate) async fn client(config: &Path, output: Output) -> Result<Exit, Failure> {
    cocoon_runner::files::raise_limit();
    let mut config: cocoon_client::ClientConfig = load(config)?;
    config.admin = with_default(config.admin, &config.data_dir);
    until_signal(Part::client(config).await?, output).await
}

async fn until_signal(mut part: Part, output: Output) -> Result<Exit, Failure> {
    let signal = Stop::listen().await;
    ready(output, part.name(), &format!("http://{}", part.address()))?;
    tokio::select! {
        asked = signal.asked() => asked?,
        ended = part.ended() => return ended.map(|()| Exit::Done),
    }
    output.note("Draining ...");
    part.stop().await?;
    Ok(Exit::Done)
}

fn load<T: DeserializeOwned + NamesFiles>(config: &Path) -> Result<T, Failure> {
    cocoon_runner::config::load(config).map_err(failure::from_runner)
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: &'a str,
    at: &'a str,
}

/// One line on stdout, for whoever started this process and waits.
fn ready(output: Output, part: &str, at: &str) -> Result<(), Failure> {
    output.result(&Ready { ready: part, at }, |ready| {
        format!("{} ready at {}", ready.ready, ready.at)
    })?;
    Ok(())
}
