//! `cocoon localnet`: the local chain run, and told what no public chain can be told.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use cocoon_bindings::Nanoton;
use cocoon_localnet::{Clock, LiteConfig, LocalNet, LocalNetConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::args::Global;
use crate::args::localnet::{
    LocalnetAdvanceArgs, LocalnetCommand, LocalnetFundArgs, LocalnetMineArgs, LocalnetPlace, LocalnetRestoreArgs,
    LocalnetRunArgs,
};
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure};
use crate::local::chain::ChainFile;
use crate::local::control::Controls;
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::local::ports::Ports;
use crate::output::Output;

/// Seconds between empty blocks, as the option has them.
const BLOCK_INTERVALS: std::ops::RangeInclusive<u32> = 1..=3600;

/// Does one of the commands.
pub(crate) async fn dispatch(global: &Global, command: LocalnetCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        LocalnetCommand::Run(args) => Box::pin(run(args, output)).await,
        LocalnetCommand::Status(place) => status(global, place, output).await,
        LocalnetCommand::Fund(args) => fund(global, args, output).await,
        LocalnetCommand::Mine(args) => mine(global, args, output).await,
        LocalnetCommand::Advance(args) => advance(global, args, output).await,
        LocalnetCommand::Snapshot(place) => snapshot(global, place, output).await,
        LocalnetCommand::Restore(args) => restore(global, args, output).await,
    }
}

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    /// URL of its JSON-RPC.
    at: String,
    /// URL of the configuration for clients of its lite server.
    #[serde(skip_serializing_if = "Option::is_none")]
    global_config: Option<String>,
}

async fn run(args: LocalnetRunArgs, output: Output) -> Result<Exit, Failure> {
    let (config, lite_listen) = configured(args)?;
    let chain = LocalNet::start(config).await.map_err(failure::from_localnet)?;
    let lite = match lite_listen {
        Some(listen) => {
            let config = LiteConfig {
                listen,
                ..LiteConfig::ephemeral()
            };
            let lite = chain.serve_lite_for_clients(config).await;
            Some(lite.map_err(failure::from_localnet)?)
        }
        None => None,
    };
    let ready = Ready {
        ready: "chain",
        at: chain.url(),
        global_config: lite.is_some().then(|| chain.global_config_url()),
    };
    let signal = Stop::listen().await;
    output.result(&ready, |ready| {
        let lite = ready.global_config.as_ref();
        let lite = lite
            .map(|url| format!("\nlite server described at {url}"))
            .unwrap_or_default();
        format!("{} ready at {}{lite}", ready.ready, ready.at)
    })?;
    signal.asked().await?;
    drop(lite);
    chain.shutdown().await.map_err(failure::from_localnet)?;
    Ok(Exit::Done)
}

/// What is typed, what the file says, and what is usual, in this order; and where the lite server listens.
fn configured(args: LocalnetRunArgs) -> Result<(LocalNetConfig, Option<SocketAddr>), Failure> {
    let file: Option<ChainFile> = match &args.config {
        Some(path) => Some(cocoon_runner::config::load(path).map_err(failure::from_runner)?),
        None => None,
    };
    let usual = LocalNetConfig {
        listen: Ports::usual(0).chain,
        ..LocalNetConfig::ephemeral()
    };
    let in_file = file.as_ref().and_then(|file| file.lite_listen);
    if let Some(seconds) = file.as_ref().and_then(|file| file.block_interval)
        && !BLOCK_INTERVALS.contains(&seconds)
    {
        return Err(Failure::new(
            Exit::Configuration,
            anyhow!("block_interval is {seconds} s"),
            "give 1 to 3600 seconds, or leave it out",
        ));
    }
    if let Some(listen) = args.lite_listen {
        reachable(listen, Exit::Usage)?;
    } else if let Some(listen) = in_file {
        reachable(listen, Exit::Configuration)?;
    }
    let mut config = file.map_or(usual, ChainFile::into_config);
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(state) = args.state {
        config.state_file = Some(state);
    }
    if let Some(start) = args.start_time {
        config.clock = Clock::Manual(start);
    }
    if let Some(seconds) = args.block_interval {
        config.block_interval = Some(Duration::from_secs(seconds.into()));
    }
    Ok((config, args.lite_listen.or(in_file)))
}

/// Clients of a lite server are told its address in four bytes.
fn reachable(listen: SocketAddr, exit: Exit) -> Result<(), Failure> {
    match listen {
        SocketAddr::V4(at) if !at.ip().is_unspecified() => Ok(()),
        _ => Err(Failure::new(
            exit,
            anyhow!("clients cannot be told to find a lite server at {listen}"),
            "name one IPv4 address of this machine, such as 127.0.0.1:8082",
        )),
    }
}

fn controls(global: &Global, place: LocalnetPlace) -> Result<Controls, Failure> {
    match place.url {
        Some(url) => Controls::new(&url),
        None => Controls::new(&NetworkFile::load(&DataDir::new(&global.data_dir))?.chain_url),
    }
}

#[derive(Serialize, Deserialize)]
struct Status {
    /// Seconds since 1970.
    now: u32,
    /// `system`, or `manual` if it moves only when told.
    clock: String,
    block: u32,
    transactions: u64,
    /// Nanoton for a unit of gas, times 65 536.
    gas_price: u64,
    snapshots: Vec<u64>,
}

async fn status(global: &Global, place: LocalnetPlace, output: Output) -> Result<Exit, Failure> {
    let status: Status = controls(global, place)?.status().await?;
    output.result(&status, |status| {
        let snapshots: Vec<String> = status.snapshots.iter().map(u64::to_string).collect();
        let snapshots = if snapshots.is_empty() {
            "none".to_owned()
        } else {
            snapshots.join(", ")
        };
        format!(
            "time          {} ({} clock)\nblock         {}\ntransactions  {}\nsnapshots     {snapshots}",
            status.now, status.clock, status.block, status.transactions
        )
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize, Deserialize)]
struct Funded {
    /// Logical time of the transaction.
    lt: String,
    /// Its hash.
    hash: String,
    /// What the account has now, in nanoton.
    balance: Nanoton,
}

async fn fund(global: &Global, args: LocalnetFundArgs, output: Output) -> Result<Exit, Failure> {
    let order = json!({ "address": args.address.to_string(), "amount": args.amount.get().to_string() });
    let funded: Funded = controls(global, args.place)?.order("faucet", &order).await?;
    output.result(&funded, |funded| format!("{} has {}", args.address, funded.balance))?;
    Ok(Exit::Done)
}

/// Where the chain stands after an order.
#[derive(Serialize, Deserialize)]
struct Stands {
    /// Seconds since 1970.
    now: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<u32>,
}

async fn mine(global: &Global, args: LocalnetMineArgs, output: Output) -> Result<Exit, Failure> {
    let order = json!({ "blocks": args.blocks });
    let stands: Stands = controls(global, args.place)?.order("mine", &order).await?;
    output.result(&stands, |stands| format!("block {}", stands.block.unwrap_or_default()))?;
    Ok(Exit::Done)
}

async fn advance(global: &Global, args: LocalnetAdvanceArgs, output: Output) -> Result<Exit, Failure> {
    let controls = controls(global, args.place)?;
    let stands: Stands = match args.to {
        Some(now) => controls.order("time", &json!({ "now": now })).await?,
        None => {
            let order = json!({ "seconds": args.seconds.unwrap_or_default() });
            controls.order("advance", &order).await?
        }
    };
    output.result(&stands, |stands| format!("time {}", stands.now))?;
    Ok(Exit::Done)
}

#[derive(Serialize, Deserialize)]
struct Kept {
    snapshot: u64,
}

async fn snapshot(global: &Global, place: LocalnetPlace, output: Output) -> Result<Exit, Failure> {
    let kept: Kept = controls(global, place)?.order("snapshot", &json!({})).await?;
    output.result(&kept, |kept| format!("snapshot {}", kept.snapshot))?;
    Ok(Exit::Done)
}

async fn restore(global: &Global, args: LocalnetRestoreArgs, output: Output) -> Result<Exit, Failure> {
    let order = json!({ "snapshot": args.snapshot });
    let stands: Stands = controls(global, args.place)?.order("restore", &order).await?;
    output.result(&stands, |stands| format!("time {}", stands.now))?;
    Ok(Exit::Done)
}
